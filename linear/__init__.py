"""Linear and mixed-integer programs as arrays, handed to HiGHS.

- `highs`: a model as arrays, HiGHS' answer, and a bound from any row multipliers; a linear program
  that grows.
- `capacity_row`: rows for the capacities that floating point solvers get right.
- `coverage_program`: the coverage model as arrays, of a whole placement, a part or one layer.
- `rounding`: what rounding can do to a bound.
- `quiet`: nothing but our own output on standard output.
"""
