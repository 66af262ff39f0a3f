"""A bound for layers of any size: the weight of every term is split among its experts.

**Why it is a bound.** A term pays its weight if all of its experts are near, so at most the sum of
the parts of its weight on those that are, however the weight is split into parts. With these, and a
price on the servers' room, each expert is a problem of its own: who should hold it. So no placement
saves more than ::

    sum_n p[n] * room[n]  +  sum_l sum_e max_T (value of e near all that T meets - prices of T)

where T are sets of servers. Prices and splits do not have to be good for that, and rounding is
covered (`LayerSplit.worth_s`). Where the servers have so many sets that they cannot be looked at,
each share of an expert is held by a single server, and a multiplier for each server set and expert
sees to it that nobody needs more than the whole of it: the linear relaxation, and weaker.

- `primal_dual`: the prices and splits with the smallest bound, for all layers together.
- `layer_path`: one layer on that way; layers may be in different processes.
- `layer_split`: one layer's part of the function that has its saddle there.
- `holders`, `single_servers`: who holds an expert, as shares of sets of servers or of single ones.
- `simplex`: the nearest point of a simplex, which is all that a step needs.
"""
