"""Small array operations that several modules share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def sums(
    index: npt.NDArray[np.integer[Any]], values: npt.NDArray[np.float64], size: int
) -> npt.NDArray[np.float64]:
    """Sum of the values of each index 0 .. size - 1."""
    return np.bincount(index, weights=values, minlength=size).astype(np.float64, copy=False)


def unique_rows(rows: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Distinct rows in lexicographic order and the number of each row among them.

    Column by column, so that every sort is one of plain integers: several times faster than
    ``np.unique(axis=0)`` on long arrays.
    """
    code = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        values, value = np.unique(column, return_inverse=True)
        _, code = np.unique(code * len(values) + value, return_inverse=True)
    first = np.zeros(int(code.max(initial=-1)) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(rows))[::-1]
    return rows[first], code


def least_of_each(
    key: npt.NDArray[np.integer[Any]], cost: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Index of the least cost of each distinct key >= 0, in the order of the keys."""
    order = np.lexsort((cost, key))
    first: npt.NDArray[np.int64] = order[np.diff(key[order], prepend=-1) > 0]
    return first
