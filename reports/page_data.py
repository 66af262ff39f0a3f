"""What the page of a study lets explore: placements and what they do, as compact JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ..problem.arrays import sums
from ..problem.evaluate import Evaluation, evaluate
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement
from ..watch import Event
from .grid_figure import item_demand

#: Request rows of which the experts' holders are found at a time.
_BLOCK_ROWS = 2**18


class Scene(NamedTuple):
    """An instance and what was found for it.

    Attributes
    ----------
    instance : Instance
    placements : dict
        By the number of their row in ``results.csv``.
    """

    instance: Instance
    placements: Mapping[int, Placement]


def page_data(scenes: Iterable[Scene], events: Mapping[int, Sequence[Event]]) -> bytes:
    """JSON of scenes and runs, which may stand inside a ``script`` element.

    Arrays are packed: their bytes, little-endian, in base64.

    Parameters
    ----------
    scenes : iterable of Scene
        Each is looked at once.
    events : dict
        Of runs, by the number of their row.
    """
    content = {
        "scenes": [_scene(scene) for scene in scenes],
        "events": {row: _events(run) for row, run in events.items()},
    }
    # Inside of texts only; so no text can end the element.
    return msgspec.json.encode(content).replace(b"<", b"\\u003c")


def served_shares(instance: Instance, placement: Placement) -> FloatArray:
    """Who serves the experts that each user needs.

    An expert comes from its nearest holder; of equally near ones from the device before a server,
    from servers in their order, from the cloud last.

    Parameters
    ----------
    instance : Instance
    placement : Placement

    Returns
    -------
    float array [U, N + 2]
        Shares of the device, of each server and of the cloud; rows sum to 1, or to 0 for users that
        need nothing.
    """
    cached, N = placement.cached(instance), instance.servers
    requests = instance.requests
    served = np.zeros(instance.users * (N + 2))
    for start in range(0, len(requests), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        items = instance.request_items[rows]
        known = items < instance.items
        item = items[known]
        user = np.broadcast_to(requests.user[rows, None], items.shape)[known].astype(np.int64)
        rate = np.broadcast_to(requests.rate[rows, None], items.shape)[known]
        model = instance.item_model[item]
        least, node = instance.cloud_latency_s[user, model], np.full(len(item), N + 1)
        for n in reversed(range(N)):
            reach = np.where(cached[n, item], instance.server_latency_s[user, n, model], np.inf)
            nearer = reach <= least
            least[nearer], node[nearer] = reach[nearer], n + 1
        own = instance.local[user, item] & (instance.local_latency_s[user, model] <= least)
        node[own] = 0
        served += sums(user * (N + 2) + node, rate, len(served))
    shares = served.reshape(instance.users, N + 2)
    total = shares.sum(axis=1, keepdims=True)
    np.divide(shares, total, out=shares, where=total > 0)
    return shares


def _scene(scene: Scene) -> dict[str, Any]:
    instance = scene.instance
    rate = sums(instance.requests.user, instance.requests.rate, instance.users)
    demand = rate / rate.sum() if rate.any() else rate
    empty = evaluate(instance, Placement.empty())
    return {
        "models": [
            {"name": m.name, "layers": m.layers, "experts": m.experts, "bytes": m.expert_bytes}
            for m in instance.models
        ],
        "servers": instance.server_names,
        "users": instance.user_names,
        "capacity": instance.capacity_bytes.tolist(),
        "serverPlace": _packed(instance.server_position_m, "<f4"),
        "userPlace": _packed(instance.user_position_m, "<f4"),
        "demand": _packed(demand, "<f4"),
        "itemDemand": _packed(_of_largest(instance), "u1"),
        "empty": _latencies(empty, demand),
        "cells": {
            row: _cell(instance, placement, demand) for row, placement in scene.placements.items()
        },
    }


def _cell(instance: Instance, placement: Placement, demand: FloatArray) -> dict[str, Any]:
    value = evaluate(instance, placement)
    return _latencies(value, demand) | {
        "used": value.used_bytes.tolist(),
        "held": _packed(np.packbits(placement.cached(instance)), "u1"),
        "served": _packed(np.rint(255 * served_shares(instance, placement)), "u1"),
    }


def _latencies(value: Evaluation, demand: FloatArray) -> dict[str, str]:
    """Seconds a token: what each layer contributes, and what users wait, NaN without demand."""
    users = np.full(len(demand), np.nan)
    np.divide(value.user_latency_s, demand, out=users, where=demand > 0)
    layers = np.concatenate(value.layer_latency_s)
    return {"layers": _packed(layers, "<f4"), "perUser": _packed(users, "<f4")}


def _of_largest(instance: Instance) -> FloatArray:
    """Demand of each item as a share of the largest in its layer, times 255; [I]."""
    demand, parts = item_demand(instance), []
    for model, part in zip(
        instance.models, np.split(demand, instance.item_offset[1:-1]), strict=True
    ):
        layers = part.reshape(model.layers, model.experts)
        top = layers.max(axis=1, keepdims=True)
        share = np.divide(layers, top, out=np.zeros_like(layers), where=top > 0)
        parts.append(np.rint(255 * share).ravel())
    return np.concatenate(parts)


def _events(run: Sequence[Event]) -> str:
    """Rows of seconds, latency and bound; NaN where there is none."""
    rows = [(event.seconds, event.latency_s, event.bound_latency_s) for event in run]
    return _packed(np.array(rows, dtype=np.float64).reshape(-1, 3), "<f8")


def _packed(array: npt.ArrayLike | None, kind: str) -> str:
    # What is beyond single precision is drawn as missing.
    with np.errstate(over="ignore"):
        return b64encode(np.asarray(array).astype(kind).tobytes()).decode()
