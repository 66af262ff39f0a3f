"""K = 1, any sizes and servers: bounds by prices, rounding, and the proof of the optimum.

With K = 1 an expert's saving depends on its own copies alone, and a server's cache on its own
knapsack alone. Prices tie the two together:

- `clients`: the demand as that of facility location, its linear program and its expected value.
- `knapsacks`: every server's best cache for given values, exactly.
- `server_sets`: up to ten servers or so, what each set of servers saves by caching an expert.
- `kept_sets`: up to twenty or so, the best ones near some prices of bytes.
- `duals`: the bounds as functions of prices. Without server sets that of the linear program of
  configurations; with them tighter ones.
- `descent`: low bounds by subgradients; the mean of the servers' answers is a fractional placement.
- `rounding`: a placement that keeps 1 - 1/e of it, server by server.
- `closing`: what the gap between bound and placement leaves open, as a program for HiGHS.
- `search`: all of it together; `configuration` and `proof` (for method `exact`) run it.
"""
