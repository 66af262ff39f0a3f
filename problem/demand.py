"""Requests summed by user and expert set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import sums, unique_rows
from .instance import FloatArray, Instance, IntArray


@dataclass(frozen=True, eq=False)
class Demand:
    """Requests of an instance with equal (user, expert set) summed.

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
    """Sum the requests of an instance by user and expert set; rows with rate 0 are left out."""
    requests = instance.requests
    asked = np.flatnonzero(requests.rate > 0)
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
