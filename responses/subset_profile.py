"""Exact profiles of small layers, by summing the terms of every subset."""

from __future__ import annotations

import numpy as np

from .profile import LayerTerms, Profiles
from .subset_sums import subset_sums

#: Largest number of experts in a layer for which all subsets are summed.
MAX_EXPERTS = 20

#: Entries of the subset tables that are made at a time (128 MiB of float64).
_TABLE_ENTRIES = 2**24


def subset_profiles(terms: LayerTerms, layers: int, experts: int) -> Profiles:
    """Exact profiles: the gain of every set is the sum over its subsets.

    Parameters
    ----------
    terms : LayerTerms
    layers, experts : int
        At most `MAX_EXPERTS` experts.
    """
    size = np.bitwise_count(np.arange(1 << experts))
    by_size = [np.flatnonzero(size == k) for k in range(experts + 1)]
    gain = np.empty((layers, experts + 1))
    best = np.empty((layers, experts + 1), dtype=np.int64)
    block = max(1, _TABLE_ENTRIES >> experts)
    for start in range(0, layers, block):
        stop = min(start + block, layers)
        inside = (terms.layer >= start) & (terms.layer < stop)
        table = subset_sums(
            terms.layer[inside] - start,
            terms.experts[inside],
            terms.weight_s[inside],
            stop - start,
            experts,
        )
        for k, masks in enumerate(by_size):
            values = table[:, masks]
            choice = values.argmax(axis=1)
            best[start:stop, k] = masks[choice]
            gain[start:stop, k] = values[np.arange(stop - start), choice]
    members = (best[:, :, None] >> np.arange(experts)) & 1 == 1
    return Profiles(gain, gain, members)
