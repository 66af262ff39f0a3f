"""The best choice of one column for each layer, by dynamic programming over the capacities left."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..instances.instance import FloatArray, IntArray
from ..method import Deadline

#: Most numbers to keep (800 MB), and most steps, some minutes.
_NUMBERS, _STEPS = 1e8, 1e11


def best_columns(
    load: Sequence[IntArray], gain_s: Sequence[FloatArray], room: IntArray, deadline: Deadline
) -> list[int] | None:
    """Choose a column of every layer so that the loads fit and the gain is largest.

    ``f_l(c) = max_j f_{l-1}(c - load_j) + gain_j`` over all capacities c up to the room, as an
    array with one axis for each server: the time does not depend on how close to each other the
    choices are, as that of branch and bound does.

    Parameters
    ----------
    load : sequence of int arrays [J, N]
        For each layer, what its columns take of every server.
    gain_s : sequence of float arrays [J]
    room : int array [N]
    deadline : Deadline

    Returns
    -------
    list of int or None
        A column of each layer; None if the arrays would be too large, or time was over.
    """
    # More than all layers together can take is no use.
    room = np.minimum(room, sum(part.max(axis=0) for part in load))
    states = float(np.prod(room + 1.0))
    # Only some arrays are kept on the way; the others are made again, block by block, on the way
    # back.
    stride = math.isqrt(len(load)) + 1
    if states * 2 * stride > _NUMBERS or states * sum(map(len, load)) > _STEPS:
        return None
    now = np.zeros(tuple((room + 1).tolist()))
    kept = []
    for layer in range(len(load)):
        if layer % stride == 0:
            kept.append(now)
        now = _with_layer(now, load[layer], gain_s[layer])
        if deadline.passed():
            return None
    left, chosen = room, []
    for block in range(len(kept) - 1, -1, -1):
        first, last = block * stride, min((block + 1) * stride, len(load))
        before = [kept.pop()]
        for layer in range(first, last - 1):
            before.append(_with_layer(before[-1], load[layer], gain_s[layer]))
        for layer in range(last - 1, first - 1, -1):
            fits = np.flatnonzero((load[layer] <= left).all(axis=1))
            value = before.pop()[tuple((left - load[layer][fits]).T)] + gain_s[layer][fits]
            pick = int(fits[value.argmax()])
            left = left - load[layer][pick]
            chosen.append(pick)
    return chosen[::-1]


def _with_layer(before: FloatArray, loads: IntArray, gains: FloatArray) -> FloatArray:
    """Best gain for each capacity, with one layer more."""
    now = np.full(before.shape, -np.inf)
    for taken, gain in zip(loads.tolist(), gains.tolist(), strict=True):
        if all(t < s for t, s in zip(taken, before.shape, strict=True)):
            into = now[tuple(slice(t, None) for t in taken)]
            ends = (s - t for t, s in zip(taken, before.shape, strict=True))
            np.maximum(into, before[tuple(slice(0, end) for end in ends)] + gain, out=into)
    return now
