"""The explicit models in Pyomo, and the methods that solve them.

- `placement_block`: what all models share: placement variables and capacities.
- `assignment`: the textbook model.
- `threshold`: a variable for each request and latency step.
- `coverage`: a variable for each merged term of the saving; the default.
- `availability`: variables for "some server of a set caches this item" in its rows.
- `partner_rows`, `profile_rows`: rows that make its relaxation tighter.
- `compiled`: a model as the arrays that HiGHS takes.
- `milp`: method `milp`.
- `lp_bound`: method `lp`, a bound alone.
- `export`: models as LP and MPS files; `solver_file`: what other solvers write; `import_solution`:
  their solutions as ours.
"""
