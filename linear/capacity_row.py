"""Capacity rows that floating point solvers get right.

HiGHS keeps a row to an absolute 1e-6 and whole numbers to 1e-6. With bytes as coefficients that is
wrong by whole experts: sizes that differ by one byte in a million are the same to it. Only the
number of experts of each size matters, so a row may have any other coefficients that allow the same
numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from ..problem.instance import FloatArray, IntArray

#: Coefficients up to here are kept as they are: whole numbers, and far above the tolerances.
_SAFE = 1e5

#: Combinations of counts that are looked at to be exact.
_COMBINATIONS = 200_000

#: Room that a row gets, as a share of the largest coefficient, where it cannot be made exact.
_RELAXED = 1e-5


class CapacityRow(NamedTuple):
    """A row ``sum of weight[j] * count[j] <= room``.

    Attributes
    ----------
    weight : tuple of float
        For each size.
    room : float
        ``inf`` where everything fits.
    exact : bool
        Whether it allows the same counts as the capacity does. Otherwise it allows a little more,
        so that a bound stays a bound and placements must be checked.
    """

    weight: tuple[float, ...]
    room: float
    exact: bool


@lru_cache(maxsize=4096)
def capacity_row(sizes: tuple[int, ...], counts: tuple[int, ...], capacity: int) -> CapacityRow:
    """Row for experts of some sizes.

    Parameters
    ----------
    sizes : tuple of int
        Distinct, in bytes.
    counts : tuple of int
        How many experts of each size there are.
    capacity : int
        In bytes.
    """
    if sum(size * count for size, count in zip(sizes, counts, strict=True)) <= capacity:
        return CapacityRow((0.0,) * len(sizes), math.inf, True)
    unit = math.gcd(*sizes)
    sizes = tuple(size // unit for size in sizes)
    capacity //= unit
    if max(sizes) <= _SAFE:
        return CapacityRow(tuple(map(float, sizes)), float(capacity), True)
    row = _equivalent(sizes, counts, capacity)
    if row is not None:
        return row
    scale = max(sizes) / 1e4
    weight = tuple(size / scale for size in sizes)
    return CapacityRow(weight, capacity / scale + _RELAXED * 1e4, False)


def capacity_weights(sizes: IntArray, capacity: int) -> tuple[FloatArray, float, bool]:
    """Weights of the experts of one server, the room, and whether the row is exact.

    Parameters
    ----------
    sizes : int array [I]
        Bytes of each expert that may be cached.
    capacity : int
        In bytes.
    """
    distinct, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    row = capacity_row(tuple(distinct.tolist()), tuple(counts.tolist()), capacity)
    return np.array(row.weight)[place], row.room, row.exact


def _equivalent(
    sizes: tuple[int, ...], counts: tuple[int, ...], capacity: int
) -> CapacityRow | None:
    """Small coefficients that part the counts that fit from those that do not, if there are any.

    A linear program with a row for each extreme count found so far; new ones are looked for among
    all counts of all sizes but one.
    """
    last = int(np.argmax(counts))
    rest = [j for j in range(len(sizes)) if j != last]
    if np.prod([counts[j] + 1.0 for j in rest]) > _COMBINATIONS:
        return None
    axes = np.meshgrid(*(np.arange(counts[j] + 1) for j in rest), indexing="ij")
    grid = np.zeros((axes[0].size if axes else 1, len(sizes)), dtype=np.int64)
    left = np.full(len(grid), capacity, dtype=object)
    for j, axis in zip(rest, axes, strict=True):
        grid[:, j] = axis.ravel()
        # Python's own whole numbers: bytes may exceed 64 bits here.
        left = left - grid[:, j].astype(object) * sizes[j]
    most = np.array([min(counts[last], int(room) // sizes[last]) for room in left], dtype=np.int64)
    fits, fails = grid[most >= 0].copy(), grid[most < counts[last]].copy()
    fits[:, last] = most[most >= 0]
    fails[:, last] = np.maximum(most[most < counts[last]] + 1, 0)
    inside, outside = [int(np.argmax(fits.sum(axis=1)))], [int(np.argmin(fails.sum(axis=1)))]
    for _ in range(100):
        ones = np.ones((len(inside), 1)), np.ones((len(outside), 1))
        matrix = np.vstack(
            [np.hstack([fits[inside], -ones[0]]), np.hstack([-fails[outside], ones[1]])]
        )
        rhs = np.concatenate([np.zeros(len(inside)), -np.ones(len(outside))])
        cost = np.append(np.ones(len(sizes)), 0.0)
        solved = linprog(cost, A_ub=matrix, b_ub=rhs, bounds=[(0, None)] * len(cost))
        if solved.status != 0 or solved.x is None:
            return None
        weight = solved.x[:-1]
        high, low = fits @ weight, fails @ weight
        top, bottom = int(high.argmax()), int(low.argmin())
        margin = float(low[bottom] - high[top])
        if margin > 0.5:
            # The row passes halfway between what fits and what does not.
            if weight.max() / margin > _SAFE:
                return None
            room = (high[top] + low[bottom]) / (2 * margin)
            return CapacityRow(tuple((weight / margin).tolist()), float(room), True)
        if top in inside and bottom in outside:
            return None
        inside.append(top)
        outside.append(bottom)
    return None
