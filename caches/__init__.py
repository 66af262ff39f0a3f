"""Caches that react to the tokens, on recorded routing.

In reading order:

- `policies`: which policies there are, and what their names say.
- `arrivals`: whose token comes when.
- `simulation`: servers whose caches follow a policy, users whose tokens walk through them.
- `walk`: the loop of the simulation, token by token; `compiled`, by Numba where it is installed.
- `next_use`: when a server is asked for an expert again.
- `hit_rates`: apart from all others: caches of all sizes at once, of one user on one machine.
"""
