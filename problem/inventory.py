"""What an instance consists of, as tables for a person: models, servers, users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .instance import BoolArray, Instance
from .quantities import bytes_text

#: Up to so many users are listed; of more it is counted how many servers they reach.
_LISTED = 20


def inventory(instance: Instance, routing: Sequence[str] = ()) -> list[str]:
    """Lines about each model, each server and each user.

    Parameters
    ----------
    instance : Instance
    routing : sequence of str, optional
        Where the requests of each model come from.
    """
    return [
        *_aligned(_model_rows(instance, routing)),
        "",
        *_aligned(_server_rows(instance)),
        "",
        *_aligned(_user_rows(instance)),
    ]


def _model_rows(instance: Instance, routing: Sequence[str]) -> list[list[str]]:
    requests = instance.requests
    # What a model's tokens are of all: layers of all models count alike.
    rate = np.bincount(requests.model, requests.rate, minlength=len(instance.models))
    tokens = rate / [model.layers for model in instance.models]
    share = tokens / tokens.sum() if tokens.any() else tokens
    rows = [["model", "layers", "experts", "top-k", "an expert", "all", "share", "requests"]]
    for number, model in enumerate(instance.models):
        rows.append(
            [
                model.name,
                str(model.layers),
                str(model.experts),
                str(model.top_k),
                bytes_text(model.expert_bytes),
                bytes_text(model.expert_bytes * model.items),
                f"{100 * share[number]:.3g} %",
                routing[number] if routing else str(int((requests.model == number).sum())),
            ]
        )
    return rows


def _server_rows(instance: Instance) -> list[list[str]]:
    reached = np.isfinite(instance.server_latency_s).any(axis=2).sum(axis=0)
    names = [model.name for model in instance.models]
    rows = [["server", "memory", "users in reach", *(f"{name} alone" for name in names)]]
    for n, name in enumerate(instance.server_names):
        room = int(instance.capacity_bytes[n])
        held = [
            f"{min(room // model.expert_bytes, model.items)} of {model.items}"
            for model in instance.models
        ]
        rows.append([name, bytes_text(room), str(reached[n]), *held])
    return rows


def _user_rows(instance: Instance) -> list[list[str]]:
    reach: BoolArray = np.logical_or.reduce(np.isfinite(instance.server_latency_s), axis=2)
    nearest = instance.server_latency_s.min(axis=(1, 2), initial=np.inf)
    if instance.users <= _LISTED:
        rows = [["user", "nearest", "reaches"]]
        for u, name in enumerate(instance.user_names):
            servers = [instance.server_names[n] for n in np.flatnonzero(reach[u])]
            latency = f"{1e3 * nearest[u]:.3g} ms" if servers else ""
            rows.append([name, latency, ", ".join(servers) or "no server"])
        return rows
    rows = [["users", "reach"]]
    for servers, users in sorted(Counter(reach.sum(axis=1).tolist()).items()):
        rows.append([str(users), f"{servers} servers"])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
