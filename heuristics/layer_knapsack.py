"""The best split of one server's capacity over the layers of all models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instances.instance import FloatArray, IntArray


def split_capacity(
    gains: Sequence[FloatArray], sizes: Sequence[int], capacity: int
) -> list[IntArray]:
    """Choose how many experts of each layer to cache; exact.

    Layers of one model combine by the count of their experts, models by bytes.

    Parameters
    ----------
    gains : sequence of float arrays [L, E + 1]
        For each model, the gain from k experts of each layer; each row begins with 0 and never
        falls.
    sizes : sequence of int
        Bytes of one expert of each model.
    capacity : int
        In bytes.

    Returns
    -------
    list of int arrays [L]
        For each model, the number of experts in each layer. Among equal gains, few experts.
    """
    totals, choices = [], []
    for gain, size in zip(gains, sizes, strict=True):
        total, choice = _by_count(gain, capacity // size)
        totals.append(total)
        choices.append(choice)
    counts = _by_bytes(totals, sizes, capacity)
    return [_take_apart(choice, count) for choice, count in zip(choices, counts, strict=True)]


def _by_count(gain: FloatArray, most: int) -> tuple[FloatArray, IntArray]:
    """Best gain of a model by its total count, and the last layer's share at every step."""
    L, width = gain.shape
    most = min(most, L * (width - 1))
    total = np.zeros(1)
    choice = np.zeros((L, most + 1), dtype=np.int64)
    for layer, row in enumerate(gain):
        length = min(len(total) + width - 1, most + 1)
        best = np.full(length, -np.inf)
        for k, value in enumerate(row[:length]):
            stretch = slice(k, min(k + len(total), length))
            candidate = total[: stretch.stop - k] + value
            better = candidate > best[stretch]
            best[stretch][better] = candidate[better]
            choice[layer, stretch][better] = k
        total = best
    return total, choice


def _by_bytes(totals: list[FloatArray], sizes: Sequence[int], capacity: int) -> list[int]:
    """Best count of each model under the capacity in bytes."""
    # Undominated (bytes, gain) pairs of the models so far, with their counts.
    used, value = np.zeros(1, dtype=np.int64), np.zeros(1)
    counts = np.zeros((1, 0), dtype=np.int64)
    for total, size in zip(totals, sizes, strict=True):
        # A count that gains no more than a smaller one is never needed.
        count = np.flatnonzero(np.append(True, total[1:] > np.maximum.accumulate(total)[:-1]))
        pair = np.argwhere(used[:, None] + count * size <= capacity)
        old, new = pair[:, 0], count[pair[:, 1]]
        sum_used, sum_value = used[old] + new * size, value[old] + total[new]
        order = np.lexsort((-sum_value, sum_used))
        sorted_value = sum_value[order]
        better = np.append(True, sorted_value[1:] > np.maximum.accumulate(sorted_value)[:-1])
        keep = order[better]
        used, value = sum_used[keep], sum_value[keep]
        counts = np.column_stack([counts[old[keep]], new[keep]])
    return counts[int(value.argmax())].tolist()  # type: ignore[no-any-return]


def _take_apart(choice: IntArray, count: int) -> IntArray:
    """Each layer's share of a model's total count."""
    shares = np.zeros(len(choice), dtype=np.int64)
    for layer in range(len(choice) - 1, -1, -1):
        shares[layer] = choice[layer, count]
        count -= int(shares[layer])
    return shares
