"""From fractions in the servers' hulls to a placement that is worth no less, server by server."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..method import Deadline
from ..problem.instance import BoolArray, FloatArray
from .clients import Clients
from .knapsacks import Knapsacks

#: Improvements below this share are rounding errors.
_NEGLIGIBLE = 1e-12


def rounded(
    clients: Clients, knapsacks: Knapsacks, x: FloatArray | BoolArray, order: Sequence[int]
) -> BoolArray:
    """Replace each server's fractions by its best cache, given the fractions of the others.

    `Clients.expected_s` is the expected saving E(x) of independent draws of the servers' caches,
    and at least 1 - 1/e of the linear program's value at x. It is affine in one server's row, so
    over the hull of its knapsack it is largest at a cache: the knapsack's best one for the slopes.
    So E never falls, and at the end it is the saving. No randomness is needed (the method of
    conditional expectations).

    Parameters
    ----------
    clients : Clients
    knapsacks : Knapsacks
    x : float array [N, I]
        Each row in the convex hull of its server's knapsack.
    order : sequence of int
        Of the servers.
    """
    fractions: FloatArray = x.astype(np.float64)
    for n in order:
        fractions[n] = knapsacks.best(clients.slopes(fractions, n)[None], [n]).chosen[0]
    return fractions > 0.5


def climbed(
    clients: Clients, knapsacks: Knapsacks, cached: BoolArray, deadline: Deadline
) -> tuple[float, BoolArray]:
    """Best caches in turn until no server has a better one; saving and placement."""
    cached, saving = cached.copy(), clients.saving_s(cached)
    servers, unchanged = len(cached), 0
    for n in itertools.cycle(range(servers)):
        if unchanged == servers or deadline.passed():
            break
        gains = clients.gains_s(cached, n)
        better = knapsacks.best(gains[None], [n]).chosen[0]
        unchanged += 1
        if gains @ better > gains @ cached[n] + _NEGLIGIBLE * saving:
            cached[n], unchanged = better, 1
    return clients.saving_s(cached), cached
