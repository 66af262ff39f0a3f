"""Methods without a proof of optimality: one file, one method, its theorem in the docstring.

- `cloud_only`, `random`, `popularity`: baselines.
- `greedy`: the best single expert, again and again.
- `enumeration_greedy`: the same from every small start.
- `pipage`: the linear relaxation, rounded inside each server.
- `successive`: one server after another; `max_convolution` is another name of it.
- `ascent`: servers solved again until none improves.
- `local_search`: parts of a placement solved again exactly.
- `packing`: filling servers in an order, which they share.
"""
