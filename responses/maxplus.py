"""(max,+) convolution: ``c[k] = max over i + j = k of a[i] + b[j]``, with the i that attains it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: A sequence counts as concave if no slope rises by more than this share of its range.
_CONCAVE = 1e-12

#: Below this product of lengths the direct form is the fastest.
_SMALL = 4096


class Convolution(NamedTuple):
    """A (max,+) convolution.

    Attributes
    ----------
    value : float array [len(a) + len(b) - 1]
    first : int array, same length
        The index into `a` that attains each value; the rest falls to `b`.
    """

    value: FloatArray
    first: IntArray


def convolve(a: FloatArray, b: FloatArray) -> Convolution:
    """Convolve by the fastest form that is exact for these sequences.

    Parameters
    ----------
    a, b : float array
        Finite and not empty.

    Returns
    -------
    Convolution
    """
    if len(a) * len(b) <= _SMALL:
        return direct(a, b)
    if is_concave(a):
        return concave_concave(a, b) if is_concave(b) else concave_any(a, b)
    if is_concave(b):
        return _swapped(concave_any(b, a))
    return direct(a, b)


def is_concave(a: FloatArray) -> bool:
    """Whether the slopes never rise, up to rounding."""
    slope = np.diff(a)
    if not len(slope):
        return True
    # Against the least slope so far: many small rises would add up.
    room = _CONCAVE * float(np.ptp(a)) / len(slope)
    return bool((slope[1:] <= np.minimum.accumulate(slope)[:-1] + room).all())


def direct(a: FloatArray, b: FloatArray) -> Convolution:
    """Convolve any two sequences in ``O(len(a) * len(b))``."""
    if len(b) < len(a):
        return _swapped(direct(b, a))
    value = np.full(len(a) + len(b) - 1, -np.inf)
    first = np.zeros(len(value), dtype=np.int64)
    for i, shift in enumerate(a.tolist()):
        stretch = value[i : i + len(b)]
        candidate = b + shift
        better = candidate > stretch
        np.copyto(stretch, candidate, where=better)
        np.copyto(first[i : i + len(b)], i, where=better)
    return Convolution(value, first)


def concave_concave(a: FloatArray, b: FloatArray) -> Convolution:
    """Convolve two concave sequences by merging their slopes, ``O(n log n)``."""
    slope = np.concatenate([np.diff(a), np.diff(b)])
    order = np.argsort(-slope, kind="stable")
    first = np.concatenate([[0], np.cumsum(order < len(a) - 1)])
    second = np.arange(len(first)) - first
    return Convolution(a[first] + b[second], first)


def concave_any(a: FloatArray, b: FloatArray) -> Convolution:
    """Convolve a concave sequence with any other in ``O(n log n)``.

    In the matrix ``a[k - j] + b[j]`` the last maximum of each row moves to the right from row to
    row (Aggarwal et al. 1987, doi:10.1007/BF01840359: the matrix is totally monotone). So the rows
    are halved again and again: each row looks only between the maxima of its two neighbours, all
    rows of a round at once.
    """
    n, m = len(a), len(b)
    rows = n + m - 1
    best = np.empty(rows, dtype=np.int64)
    # A guard row before and behind: all columns.
    step = 1 << max(0, rows - 1).bit_length()
    while step >= 1:
        k = np.arange(step - 1, rows, 2 * step)
        before, behind = k - step, k + step
        low = np.where(before >= 0, best[np.maximum(before, 0)], 0)
        high = np.where(behind < rows, best[np.minimum(behind, rows - 1)], m - 1)
        # Only columns j with 0 <= k - j < n are inside the matrix.
        low, high = np.maximum(low, k - (n - 1)), np.minimum(high, k)
        size = high - low + 1
        start = np.cumsum(size) - size
        column = np.arange(int(size.sum())) + np.repeat(low - start, size)
        value = a[np.repeat(k, size) - column] + b[column]
        top = np.maximum.reduceat(value, start)
        # The last maximum of each row.
        hit = np.flatnonzero(value == np.repeat(top, size))
        row = np.searchsorted(start, hit, side="right") - 1
        best[k[row]] = column[hit]
        step //= 2
    k = np.arange(rows)
    return Convolution(a[k - best] + b[best], k - best)


def _swapped(result: Convolution) -> Convolution:
    """The same with the two sequences exchanged."""
    return Convolution(result.value, np.arange(len(result.first)) - result.first)
