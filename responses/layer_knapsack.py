"""The best split of one server's capacity over the layers of all models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..problem.instance import FloatArray, IntArray
from .maxplus import convolve

#: Finer levels than these part all values anyway: then nothing is thinned.
_FINEST = 1e-9

#: Pairs of counts that are looked at together.
_PAIRS = 4_000_000


class Split(NamedTuple):
    """A split of a capacity.

    Attributes
    ----------
    value : float
        Its gain in seconds.
    counts : list of int arrays [L]
        For each model, the number of experts in each layer.
    """

    value: float
    counts: list[IntArray]


class ByCount(NamedTuple):
    """A model's profile by the total count of its experts.

    Attributes
    ----------
    value : float array
        Best gain from a total of k experts.
    shares : callable
        The number of experts in each layer for a total count.
    """

    value: FloatArray
    shares: Callable[[int], IntArray]


def split_capacity(
    gains: Sequence[FloatArray], sizes: Sequence[int], capacity: int, epsilon: float = 0.0
) -> Split:
    """Choose how many experts of each layer to cache.

    Layers of one model combine by the count of their experts, so no bytes enter. Models combine by
    bytes, over lists of undominated (bytes, gain) pairs, exactly.

    With ``epsilon`` > 0 every list is thinned to one pair, that of fewest bytes, for each value
    level ``[v, v / (1 - d))`` above ``d * B``, where B is the largest gain of a single model and
    ``d = epsilon / (2 M)``. Then the gain is at least ``(1 - epsilon)`` of the best. Proof: B is at
    most the best gain. Follow the models' counts of a best split. One thinning replaces a pair by
    one of no more bytes and at least ``1 - d`` of its gain, or drops a gain below ``d * B``: it
    costs at most ``d * best + d * B <= 2 d * best``; the M thinnings cost ``epsilon * best``. A
    list has at most ``2 + log(M / d) / -log(1 - d)`` pairs, so the work is polynomial in the
    counts, M and 1 / epsilon, whatever the capacity in bytes and the range of the gains.

    Parameters
    ----------
    gains : sequence of float arrays [L, E + 1]
        For each model, the gain from k experts of each layer; each row begins with 0 and never
        falls.
    sizes : sequence of int
        Bytes of one expert of each model.
    capacity : int
        In bytes.
    epsilon : float
        In [0, 1).

    Returns
    -------
    Split
        Among equal gains, few experts.
    """
    models = [
        combine_layers(gain, min(capacity // size, gain.shape[0] * (gain.shape[1] - 1)))
        for gain, size in zip(gains, sizes, strict=True)
    ]
    value, counts = _by_bytes([model.value for model in models], sizes, capacity, epsilon)
    return Split(value, [model.shares(k) for model, k in zip(models, counts, strict=True)])


def combine_layers(gain: FloatArray, most: int) -> ByCount:
    """Combine the layers of a model by a balanced tree of (max,+) convolutions.

    Parameters
    ----------
    gain : float array [L, E + 1]
    most : int
        Largest total count.
    """
    if len(gain) == 1:
        return ByCount(gain[0, : most + 1], lambda count: np.array([count], dtype=np.int64))
    middle = len(gain) // 2
    left, right = combine_layers(gain[:middle], most), combine_layers(gain[middle:], most)
    whole = convolve(left.value, right.value)
    first = whole.first[: most + 1]

    def shares(count: int) -> IntArray:
        before = int(first[count])
        return np.concatenate([left.shares(before), right.shares(count - before)])

    return ByCount(whole.value[: most + 1], shares)


def _by_bytes(
    totals: list[FloatArray], sizes: Sequence[int], capacity: int, epsilon: float
) -> tuple[float, list[int]]:
    """Best gain, and the count of each model, under the capacity in bytes."""
    largest = max((float(total.max()) for total in totals), default=0.0)
    d = epsilon / (2 * max(len(totals), 1))
    # Undominated (bytes, gain) pairs of the models so far, with their counts.
    used, value = np.zeros(1, dtype=np.int64), np.zeros(1)
    counts = np.zeros((1, 0), dtype=np.int64)
    for total, size in zip(totals, sizes, strict=True):
        # A count that gains no more than a smaller one is never needed.
        count = np.flatnonzero(np.append(True, total[1:] > np.maximum.accumulate(total)[:-1]))
        # Undominated sums so far, block by block of the model's counts: all at once may not fit.
        old = new = np.empty(0, dtype=np.int64)
        block = max(1, _PAIRS // len(used))
        for start in range(0, len(count), block):
            part = count[start : start + block]
            pair = np.argwhere(used[:, None] + part * size <= capacity)
            old = np.concatenate([old, pair[:, 0]])
            new = np.concatenate([new, part[pair[:, 1]]])
            sum_used, sum_value = used[old] + new * size, value[old] + total[new]
            order = np.lexsort((-sum_value, sum_used))
            order = order[_rises(sum_value[order])]
            if d > _FINEST and start + block >= len(count):
                order = order[_thinned(sum_value[order], largest, d)]
            old, new = old[order], new[order]
        counts = np.column_stack([counts[old], new])
        used, value = used[old] + new * size, value[old] + total[new]
    best = int(value.argmax())
    return float(value[best]), counts[best].tolist()


def _rises(value: FloatArray) -> IntArray:
    """Where a sequence exceeds everything before."""
    return np.flatnonzero(np.append(True, value[1:] > np.maximum.accumulate(value)[:-1]))


def _thinned(value: FloatArray, largest: float, d: float) -> IntArray:
    """First position of every value level of a rising sequence."""
    floor = d * largest
    level = np.full(len(value), -1, dtype=np.int64)
    high = value >= floor if floor > 0 else value > 0
    if floor > 0:
        level[high] = np.floor(np.log(value[high] / floor) / -math.log1p(-d)).astype(np.int64)
    return np.unique(level, return_index=True)[1]
