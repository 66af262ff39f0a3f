"""Sums over all subsets of a layer's experts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..problem.arrays import sums
from ..problem.instance import FloatArray, IntArray


def subset_sums(
    row: IntArray,
    experts: npt.NDArray[np.integer[Any]],
    weight: FloatArray,
    rows: int,
    count: int,
) -> FloatArray:
    """Sum, for every set of experts, the weights of the terms within it (zeta transform).

    Parameters
    ----------
    row : int array [T]
        Where each term counts: 0 to `rows` - 1.
    experts : int array [T, K]
        Experts of each term, padded with `count`.
    weight : float array [T]
    rows, count : int

    Returns
    -------
    float array [rows, 2**count]
        By the set as a number, whose bits are its experts.
    """
    bits = np.where(experts < count, np.left_shift(1, experts), 0)
    cell = (row << count) + np.bitwise_or.reduce(bits, axis=1)
    table = sums(cell, weight, rows << count)
    for bit in range(count):
        halves = table.reshape(-1, 2, 1 << bit)
        halves[:, 1] += halves[:, 0]
    return table.reshape(rows, 1 << count)
