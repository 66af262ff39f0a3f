"""The best cache of one server, given what all others cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..problem.demand import Demand
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from .envelope_profile import envelope_profiles
from .layer_knapsack import split_capacity
from .profile import Profiles, layer_terms
from .subset_profile import MAX_EXPERTS, subset_profiles


class Response(NamedTuple):
    """A server's cache.

    Attributes
    ----------
    cached : bool array [I]
    gain_s : float
        Saving that it adds to the other servers, in seconds.
    upper_s : float
        At least the gain of every cache of this server.
    """

    cached: BoolArray
    gain_s: float
    upper_s: float


class Memory:
    """One server's profiles, for its responses to ever other placements.

    The profile of a layer depends on what the other servers cache of this layer alone.
    """

    def __init__(self) -> None:
        self._others: BoolArray | None = None
        self._profiles: dict[int, Profiles] = {}

    def look(self, others: BoolArray) -> BoolArray:
        """Take note of what the others cache [N, I]; the items [I] of which that has changed."""
        before, self._others = self._others, others
        if before is None:
            return np.ones(others.shape[1], dtype=np.bool_)
        changed: BoolArray = (before != others).any(axis=0)
        return changed

    def renewed(self, model: int, layers: IntArray, found: Profiles) -> Profiles:
        """Profiles of a model of which those of some layers were found anew."""
        known = self._profiles.get(model)
        if known is not None:
            found = known.replaced(layers, found)
        self._profiles[model] = found
        return found


def best_response(
    instance: Instance,
    demand: Demand,
    server: int,
    table: FloatArray,
    epsilon: float = 0.0,
    passed: Callable[[], bool] = lambda: False,
    memory: Memory | None = None,
    others: BoolArray | None = None,
) -> Response:
    """Solve one server, given the latencies without it.

    The gain separates over the layers. The profile of a layer is its best gain from k experts;
    `split_capacity` splits the capacity over the layers.

    Parameters
    ----------
    instance : Instance
    demand : Demand
    server : int
    table : float array [U, I + 1]
        Latency of each item without this server; see `latency_table_s`.
    epsilon : float
        Of `split_capacity`.
    passed : callable
        Whether the time is over; then profiles of large layers are left as they are.
    memory : Memory, optional
        Of this server, to solve again only what has changed.
    others : bool array [N, I], optional
        What the other servers cache, for the memory.

    Returns
    -------
    Response
        Optimal where all profiles are exact: then both gains agree.
    """
    changed = np.ones(instance.items, dtype=np.bool_)
    memory = Memory() if memory is None else memory
    if others is not None:
        changed = memory.look(others)
    profiles = []
    for m, model in enumerate(instance.models):
        mine = np.s_[instance.item_offset[m] : instance.item_offset[m] + model.items]
        layers = np.flatnonzero(changed[mine].reshape(model.layers, model.experts).any(axis=1))
        found = _profiles(instance, demand, server, m, table, layers, passed)
        profiles.append(memory.renewed(m, layers, found))
    sizes = [model.expert_bytes for model in instance.models]
    capacity = int(instance.capacity_bytes[server])
    split = split_capacity([p.gain_s for p in profiles], sizes, capacity, epsilon)
    most = split.value
    if passed():
        # Every layer whole: no more split for a bound that says little.
        most = float(sum(p.upper_s[:, -1].sum() for p in profiles))
    elif not all(p.exact for p in profiles):
        most = split_capacity([p.upper_s for p in profiles], sizes, capacity, epsilon).value
    chosen = [
        profile.members[np.arange(len(count)), count]
        for profile, count in zip(profiles, split.counts, strict=True)
    ]
    cached = np.concatenate([members.ravel() for members in chosen])
    return Response(cached, split.value, most / (1 - epsilon))


def take_in(instance: Instance, table: FloatArray, server: int, cached: BoolArray) -> None:
    """Lower a latency table by what a server caches, in place."""
    held = np.flatnonzero(cached)
    reach = instance.server_latency_s[:, server][:, instance.item_model[held]]
    table[:, held] = np.minimum(table[:, held], reach)


def _profiles(
    instance: Instance,
    demand: Demand,
    server: int,
    model: int,
    table: FloatArray,
    layers: IntArray,
    passed: Callable[[], bool],
) -> Profiles:
    """Profiles of some layers of a model."""
    spec = instance.models[model]
    experts, terms = spec.experts, layer_terms(instance, demand, server, model, table)
    if len(layers) < spec.layers:
        terms = terms.of_layers(layers)
    if experts <= MAX_EXPERTS:
        return subset_profiles(terms, len(layers), experts)
    return envelope_profiles(terms, len(layers), experts, passed)
