"""The one evaluator: feasibility and value of a placement, apart from every solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .arrays import sums
from .instance import BoolArray, FloatArray, Instance, IntArray
from .placement import Placement

#: Entries of the latency table [users, items] that are made at a time (512 MiB of float64).
_TABLE_ENTRIES = 2**26


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Value and feasibility of a placement.

    Attributes
    ----------
    latency_s, latency_empty_s, saving_s : float
        Expected latency with the placement, without any cached expert, and the difference;
        seconds per token when the rates of each layer sum to 1. The saving is summed request by
        request: what no server can change takes none of its digits.
    feasible : bool
        Whether no server's capacity is exceeded.
    used_bytes : int array [N]
        Bytes cached on each server.
    user_latency_s : float array [U]
        Share of `latency_s` that each user contributes.
    model_latency_s : float array [M]
        Share of each model.
    layer_latency_s : tuple of float arrays
        One array [layers] for each model: the share of each layer.
    """

    latency_s: float
    latency_empty_s: float
    saving_s: float
    feasible: bool
    used_bytes: IntArray
    user_latency_s: FloatArray
    model_latency_s: FloatArray
    layer_latency_s: tuple[FloatArray, ...]


def evaluate(instance: Instance, placement: Placement) -> Evaluation:
    """Evaluate a placement on an instance.

    Parameters
    ----------
    instance : Instance
    placement : Placement
        It may break capacities, which `feasible` then tells.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If the placement does not fit the instance.
    """
    requests = instance.requests
    now, empty = request_latency_s(instance, placement), request_latency_s(instance)
    cost = requests.rate * now
    used = placement.cached(instance) @ instance.item_bytes
    offset = np.concatenate([[0], np.cumsum([m.layers for m in instance.models])])
    layer = sums(offset[requests.model] + requests.layer, cost, int(offset[-1]))
    return Evaluation(
        latency_s=float(cost.sum()),
        latency_empty_s=float((requests.rate * empty).sum()),
        saving_s=float((requests.rate * (empty - now)).sum()),
        feasible=bool((used <= instance.capacity_bytes).all()),
        used_bytes=used,
        user_latency_s=sums(requests.user, cost, instance.users),
        model_latency_s=sums(requests.model, cost, len(instance.models)),
        layer_latency_s=tuple(np.split(layer, offset[1:-1])) if instance.models else (),
    )


def latency_empty_s(instance: Instance) -> float:
    """Latency of the empty placement in seconds."""
    return float((instance.requests.rate * request_latency_s(instance)).sum())


def limitless_saving_s(instance: Instance) -> float:
    """Saving of servers that hold every expert, whatever their capacities, in seconds."""
    everything = np.ones((instance.servers, instance.items), dtype=np.bool_)
    rate, least = instance.requests.rate, request_latency_s(instance, everything)
    return float((rate * (request_latency_s(instance) - least)).sum())


def request_latency_s(
    instance: Instance, placement: Placement | BoolArray | None = None
) -> FloatArray:
    """Latency of each request row: the slowest of its experts, each at its nearest holder.

    Parameters
    ----------
    instance : Instance
    placement : Placement or bool array [N, I], optional
        By default, nothing is cached on any server.

    Returns
    -------
    float array [R]
        Seconds.
    """
    items = instance.request_items
    user = instance.requests.user
    latency = np.zeros(len(user))
    cached = placement.cached(instance) if isinstance(placement, Placement) else placement
    for users, rows in _user_blocks(instance):
        table = latency_table_s(instance, cached, users)
        first = (user[rows] - users.start).astype(np.int64) * table.shape[1]
        slowest = np.zeros(len(first))
        for column in items[rows].T:
            np.maximum(slowest, table.take(first + column), out=slowest)
        latency[rows] = slowest
    return latency


def latency_table_s(
    instance: Instance, cached: BoolArray | None = None, users: slice = slice(None)
) -> FloatArray:
    """Latency of each item for some users, and a last column of 0 for the padding of sets.

    Parameters
    ----------
    instance : Instance
    cached : bool array [N, I], optional
        What the servers cache, by default nothing.
    users : slice
        By default all.

    Returns
    -------
    float array [users, I + 1]
        Seconds.
    """
    device = instance.device_latency_s(users)
    table = np.column_stack([device, np.zeros(len(device))])
    if cached is not None:
        for n, holds in enumerate(cached):
            held = np.flatnonzero(holds)
            reach = instance.server_latency_s[users, n][:, instance.item_model[held]]
            table[:, held] = np.minimum(table[:, held], reach)
    return table


def _user_blocks(instance: Instance) -> Iterator[tuple[slice, slice | IntArray]]:
    """Blocks of users whose latency table fits in memory, each with its request rows."""
    size = max(1, _TABLE_ENTRIES // (instance.items + 1))
    if instance.users <= size:
        yield slice(0, instance.users), slice(None)
        return
    user = instance.requests.user
    for start in range(0, instance.users, size):
        stop = min(start + size, instance.users)
        yield slice(start, stop), np.flatnonzero((user >= start) & (user < stop))
