"""Linear and mixed-integer programs as arrays, handed to HiGHS."""
