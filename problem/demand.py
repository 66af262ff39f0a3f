"""Requests summed by user and expert set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import sums, unique_rows
from .evaluate import request_latency_s
from .instance import FloatArray, Instance, IntArray


@dataclass(frozen=True, eq=False)
class Demand:
    """Requests of an instance that placements differ on, equal (user, expert set) summed.

    Attributes
    ----------
    sets : int array [A, K]
        Distinct expert sets as ascending item numbers, padded with I.
    user, expert_set : int array [Q]
        User and set of each sum.
    rate : float array [Q]
        > 0.
    """

    sets: npt.NDArray[np.int32]
    user: IntArray
    expert_set: IntArray
    rate: FloatArray


def merged_demand(instance: Instance) -> Demand:
    """Sum the requests of an instance by user and expert set.

    Rows that no server can make faster are left out, and those with rate 0: however large their
    latency is, it is the same for all placements.
    """
    requests = instance.requests
    everything = np.ones((instance.servers, instance.items), dtype=np.bool_)
    faster = request_latency_s(instance, everything) < request_latency_s(instance)
    asked = np.flatnonzero(faster & (requests.rate > 0))
    sets, code = unique_rows(np.sort(instance.request_items[asked], axis=1))
    key, inverse = np.unique(
        requests.user[asked].astype(np.int64) * len(sets) + code, return_inverse=True
    )
    return Demand(
        sets=sets,
        user=key // max(len(sets), 1),
        expert_set=key % max(len(sets), 1),
        rate=sums(inverse, requests.rate[asked], len(key)),
    )
