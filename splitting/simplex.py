"""The nearest point of a simplex."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..problem.instance import FloatArray

#: Up to so many entries are sorted by a network, row against row: up to three times as fast as
#: NumPy's sort of many short columns.
_SHORT = 16


def onto_simplex(points: FloatArray) -> FloatArray:
    """Project the columns of an array [D, M] onto the simplex: not negative, with sum 1.

    The projection takes a threshold off all entries and leaves out what is not positive. With
    entries ``u[0] >= u[1] >= ...`` it is the largest of ``(u[0] + ... + u[k] - 1) / (k + 1)``
    (Held, Wolfe, Crowder 1974, doi:10.1007/BF01580223).
    """
    rest = points - (_threshold if len(points) <= _SHORT else _threshold_of_many)(points)
    return np.maximum(rest, 0.0, out=rest)


def _threshold(points: FloatArray) -> FloatArray:
    """Sort by a network of comparisons, row against row."""
    ordered = points.copy()
    larger = np.empty_like(ordered[0])
    for first, second in _network(len(points)):
        a, b = ordered[first], ordered[second]
        np.maximum(a, b, out=larger)
        np.minimum(a, b, out=b)
        a[:] = larger
    total = ordered[0] - 1.0
    threshold: FloatArray = total.copy()
    for k in range(1, len(ordered)):
        total += ordered[k]
        np.divide(total, k + 1.0, out=larger)
        np.maximum(threshold, larger, out=threshold)
    return threshold


def _threshold_of_many(points: FloatArray) -> FloatArray:
    """By NumPy's sort."""
    means = np.cumsum(-np.sort(-points, axis=0), axis=0)
    means -= 1.0
    means /= np.arange(1.0, len(points) + 1)[:, None]
    threshold: FloatArray = means.max(axis=0)
    return threshold


@cache
def _network(entries: int) -> tuple[tuple[int, int], ...]:
    """Comparisons that sort so many entries (merge exchange: Batcher 1968, Knuth 5.2.2 M)."""
    pairs = []
    top = 1 << max(0, (entries - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            pairs += [(k, k + d) for k in range(entries - d) if k & p == r]
            if q == p:
                break
            q, r, d = q // 2, p, q - p
        p //= 2
    return tuple(pairs)
