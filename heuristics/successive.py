"""Successive greedy decomposition: one server after another, each solved exactly."""

from __future__ import annotations

import numpy as np

from ..instances.instance import BoolArray, FloatArray, Instance, IntArray
from ..instances.placement import Placement
from ..instances.solution import StoppedBy
from ..method import Limits, Method, Outcome
from .layer_knapsack import split_capacity
from .profile import MAX_EXPERTS, model_profiles


def successive(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Fill the servers in their order, each exactly, given what the earlier ones cache.

    Given the earlier servers, one server's gain separates over the layers. The profile of a layer
    is its best gain from k experts; a dynamic program splits the capacity over the layers.

    On one server the result is optimal for any K. On several servers, for K = 1, the saving is at
    least 1/2 of the optimum: each server is a knapsack of its own, and exact local solutions keep
    the bound of Fisher, Nemhauser and Wolsey (1978, doi:10.1007/BFb0121195). For K >= 2 a bound
    needs the supermodular curvature to be below 1 (Bai, Bilmes 2018, arXiv:1801.07413), which
    co-activation alone can bring to 1, where it says nothing.

    Parameters
    ----------
    instance : Instance
        With at most `MAX_EXPERTS` experts in a layer.
    limits : Limits
        When the time is over, the servers not reached stay empty.
    seed : int
        Not used.
    """
    deadline = limits.deadline()
    requests = instance.requests
    rows = [np.flatnonzero(requests.model == m) for m in range(len(instance.models))]
    current = _device_latency_s(instance)
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    for n in range(instance.servers):
        if deadline.passed():
            return Outcome(Placement(cached), StoppedBy.TIME, meta={"servers_done": n})
        profiles = [
            model_profiles(instance, n, m, current, rows[m]) for m in range(len(instance.models))
        ]
        counts = split_capacity(
            [profile.gain_s for profile in profiles],
            [model.expert_bytes for model in instance.models],
            int(instance.capacity_bytes[n]),
        )
        chosen = [
            _members(profile.best[np.arange(len(count)), count], model.experts)
            for profile, count, model in zip(profiles, counts, instance.models, strict=True)
        ]
        cached[n] = np.concatenate([members.ravel() for members in chosen])
        _lower(instance, current, n, cached[n])
    return Outcome(Placement(cached))


def _device_latency_s(instance: Instance) -> FloatArray:
    """Latency of each requested expert without any server, ``-inf`` for the padding; [R, K]."""
    device = np.column_stack(
        [instance.device_latency_s(), np.full(instance.users, -np.inf)],
    )
    return device[instance.requests.user[:, None], instance.request_items]


def _lower(instance: Instance, current: FloatArray, server: int, holds: BoolArray) -> None:
    """Take a server's cached experts into account, in place."""
    requests = instance.requests
    here = instance.server_latency_s[requests.user, server, requests.model]
    held = np.append(holds, False)[instance.request_items]
    np.minimum(current, here[:, None], out=current, where=held)


def _members(mask: IntArray, experts: int) -> BoolArray:
    """Bit masks as a table [layers, experts]."""
    members: BoolArray = (mask[:, None] >> np.arange(experts)) & 1 == 1
    return members


def _unsupported(instance: Instance) -> str | None:
    largest = max((model.experts for model in instance.models), default=0)
    if largest > MAX_EXPERTS:
        return (
            f"a layer has {largest} experts, at most {MAX_EXPERTS} are supported; "
            "greedy and popularity take any number"
        )
    return None


METHOD = Method(
    "successive", "one server after another, each exactly (any K)", successive, _unsupported
)
