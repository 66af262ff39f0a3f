"""What one server gains from the best k experts of each layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..instances.arrays import sums
from ..instances.instance import FloatArray, Instance, IntArray

#: Largest number of experts in a layer for which all subsets are summed.
MAX_EXPERTS = 20

#: Entries of the subset tables that are made at a time (128 MiB of float64).
_TABLE_ENTRIES = 2**24


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles of all layers of one model.

    Attributes
    ----------
    gain_s : float array [L, E + 1]
        Best gain from k cached experts of each layer, in seconds; never falls with k.
    best : int array [L, E + 1]
        A set with that gain, as a bit mask over the experts.
    """

    gain_s: FloatArray
    best: npt.NDArray[np.int64]


def model_profiles(
    instance: Instance, server: int, model: int, current_s: FloatArray, rows: IntArray
) -> Profiles:
    """Exact profiles of one server for the layers of one model.

    A request whose experts have the latencies ``c_1 >= c_2 >= ...`` now, and t at the server, gains
    ``rate * (max(c_j, t) - max(c_{j+1}, t))`` for every j whose first j experts are all cached
    here. These terms, summed over all subsets of a set (the zeta transform), give the gain of
    every set.

    Parameters
    ----------
    instance : Instance
    server, model : int
    current_s : float array [R, K]
        Latency of each requested expert now, ``-inf`` for the padding.
    rows : int array
        Request rows of the model.

    Returns
    -------
    Profiles
    """
    spec = instance.models[model]
    E = spec.experts
    requests = instance.requests
    here = instance.server_latency_s[requests.user[rows], server, model]
    rows = rows[here < current_s[rows].max(axis=1, initial=-np.inf)]
    here = instance.server_latency_s[requests.user[rows], server, model]

    order = np.argsort(-current_s[rows], axis=1, kind="stable")
    latency = np.take_along_axis(current_s[rows], order, axis=1)
    experts = np.take_along_axis(requests.experts[rows], order, axis=1)
    reached = np.maximum(latency, here[:, None])
    step = reached - np.column_stack([reached[:, 1:], here])
    # The padding comes last and adds nothing: its step is 0.
    mask = np.bitwise_or.accumulate(np.where(experts >= 0, 1 << experts.clip(0), 0), axis=1)
    weight = requests.rate[rows][:, None] * step
    cell = (requests.layer[rows].astype(np.int64) << E)[:, None] + mask

    size = np.bitwise_count(np.arange(1 << E))
    by_size = [np.flatnonzero(size == k) for k in range(E + 1)]
    gain = np.empty((spec.layers, E + 1))
    best = np.empty((spec.layers, E + 1), dtype=np.int64)
    block = max(1, _TABLE_ENTRIES >> E)
    for start in range(0, spec.layers, block):
        stop = min(start + block, spec.layers)
        inside = (requests.layer[rows] >= start) & (requests.layer[rows] < stop)
        index = (cell[inside] - (start << E)).ravel()
        table = sums(index, weight[inside].ravel(), (stop - start) << E)
        for bit in range(E):
            halves = table.reshape(-1, 2, 1 << bit)
            halves[:, 1] += halves[:, 0]
        table = table.reshape(stop - start, 1 << E)
        for k, masks in enumerate(by_size):
            values = table[:, masks]
            choice = values.argmax(axis=1)
            best[start:stop, k] = masks[choice]
            gain[start:stop, k] = values[np.arange(stop - start), choice]
    return Profiles(gain, best)
