"""From fractions in the servers' hulls to a placement that is worth no less, server by server."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..method import Deadline
from ..problem.instance import BoolArray, FloatArray
from .covering import Covering
from .knapsacks import Knapsacks

#: Improvements below this share are rounding errors.
_NEGLIGIBLE = 1e-12


def rounded(
    covering: Covering, knapsacks: Knapsacks, x: FloatArray | BoolArray, order: Sequence[int]
) -> BoolArray:
    """Replace each server's fractions by its best cache, given the fractions of the others.

    ``E(x) = sum_t w_t (1 - prod_{n in G_t} (1 - x[n, i_t]))`` is the expected saving of independent
    draws of the servers' caches, and at least 1 - 1/e of the linear program's value at x. It is
    affine in one server's row, so over the hull of its knapsack it is largest at a cache: the
    knapsack's best one for the slopes. So E never falls, and at the end it is the saving. No
    randomness is needed (the method of conditional expectations).

    Parameters
    ----------
    covering : Covering
    knapsacks : Knapsacks
    x : float array [N, I]
        Each row in the convex hull of its server's knapsack.
    order : sequence of int
        Of the servers.
    """
    fractions: FloatArray = x.astype(np.float64)
    for n in order:
        fractions[n] = knapsacks.best(covering.slopes(fractions, n)[None], [n]).chosen[0]
    return fractions > 0.5


def climbed(
    covering: Covering, knapsacks: Knapsacks, cached: BoolArray, deadline: Deadline
) -> tuple[float, BoolArray]:
    """Best caches in turn until no server has a better one; saving and placement."""
    saving = covering.relaxed_s(cached.astype(np.float64))
    while not deadline.passed():
        better = rounded(covering, knapsacks, cached, range(covering.servers))
        reached = covering.relaxed_s(better.astype(np.float64))
        if reached <= saving * (1 + _NEGLIGIBLE):
            break
        saving, cached = reached, better
    return saving, cached
