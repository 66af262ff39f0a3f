"""How many slots a rank has in each layer."""

from __future__ import annotations

from ..problem.errors import InputError
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement


def unsupported(instance: Instance) -> str | None:
    """Say why there is no placement for expert parallelism."""
    if len(instance.models) != 1:
        return f"expert parallelism serves one model, not {len(instance.models)}"
    if not instance.servers:
        return "expert parallelism needs servers: there is none"
    return _without_room(instance, _most(instance))


def slots_of_rank(instance: Instance, slots: int | None = None) -> int:
    """Slots of every rank in each layer.

    Parameters
    ----------
    instance : Instance
        Of one model.
    slots : int, optional
        By default as many as fit on the server with the least room, at most one for each expert.

    Raises
    ------
    InputError
        If so many do not fit, or have no room for every expert.
    """
    most = _most(instance)
    if slots is not None and not 1 <= slots <= most:
        raise InputError(f"option slots: must be from 1 to the {most} that fit, got {slots}")
    slots = most if slots is None else slots
    if reason := _without_room(instance, slots):
        raise InputError(reason)
    return slots


def _most(instance: Instance) -> int:
    model = instance.models[0]
    fit = int(instance.capacity_bytes.min()) // (model.layers * model.expert_bytes)
    return min(fit, model.experts)


def _without_room(instance: Instance, slots: int) -> str | None:
    model, N = instance.models[0], instance.servers
    if slots * N >= model.experts:
        return None
    return (
        f"expert parallelism: {N} ranks of {slots} slots a layer have no room for the "
        f"{model.experts} experts of {model.name}"
    )


def placement_of_layers(instance: Instance, cached: BoolArray) -> Placement:
    """Placement from an array [N, L, E]."""
    return Placement.of(instance, cached.reshape(instance.servers, instance.items))
