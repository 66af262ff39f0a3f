"""The best choice of one column for each layer, by dynamic programming over the capacities left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instances.instance import FloatArray, IntArray
from ..method import Deadline

#: Most capacities to keep (float64, all layers), and most steps, some 30 seconds.
_STATES, _STEPS = 6e7, 3e10


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
    shape = tuple((room + 1).tolist())
    states = float(np.prod(room + 1.0))
    if states * (len(load) + 1) > _STATES or states * sum(map(len, load)) > _STEPS:
        return None
    best = [np.zeros(shape)]
    for loads, gains in zip(load, gain_s, strict=True):
        now = np.full(shape, -np.inf)
        for taken, gain in zip(loads.tolist(), gains.tolist(), strict=True):
            if any(t > r for t, r in zip(taken, room.tolist(), strict=True)):
                continue
            into = now[tuple(slice(t, None) for t in taken)]
            source = best[-1][tuple(slice(0, s - t) for t, s in zip(taken, shape, strict=True))]
            np.maximum(into, source + gain, out=into)
        if deadline.passed():
            return None
        best.append(now)
    left, chosen = room, []
    for before, loads, gains in zip(best[-2::-1], load[::-1], gain_s[::-1], strict=True):
        fits = np.flatnonzero((loads <= left).all(axis=1))
        value = before[tuple((left - loads[fits]).T)] + gains[fits]
        pick = int(fits[value.argmax()])
        left = left - loads[pick]
        chosen.append(pick)
    return chosen[::-1]
