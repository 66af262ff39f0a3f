"""Replay: every token of a recorded trace walks through all layers, under a placement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from ..instances.trace import Trace
from ..instances.trace_split import Part, split_trace
from ..problem.errors import InputError
from ..problem.evaluate import evaluate, latency_table_s
from ..problem.file_kind import FileKind
from ..problem.instance import FloatArray, Instance, IntArray
from ..problem.placement import Placement

#: Who serves an expert.
NODES = ("device", "home server", "other server", "cloud")

#: The table of all users, as a file.
USERS_FILE = FileKind("table of users", rb"name,category,tokens,")

#: Percentiles of the latency of a token.
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Replay:
    """What users would have waited.

    Attributes
    ----------
    mean_s : float
        Latency of a token, in seconds; all users count equally.
    percentile_s : dict
        The same at p50, p95 and p99.
    hit_share : dict
        Share of the experts served by each of `NODES`.
    users : DataFrame
        One row for each user: ``name``, ``category``, ``tokens``, ``mean_s``, ``p50_s``, ``p95_s``,
        ``p99_s`` and the hit shares.
    """

    mean_s: float
    percentile_s: dict[str, float]
    hit_share: dict[str, float]
    users: pd.DataFrame


def replay(instance: Instance, placement: Placement, trace: Trace) -> Replay:
    """Walk every token of each user's category through all layers.

    A layer waits for its slowest expert, a token for its layers one after the other. The home
    server of a user is the one with the smallest latency.

    Parameters
    ----------
    instance : Instance
        Made by `import_trace`: its ``meta`` tells each user's category.
    placement : Placement
    trace : Trace
        Of the same model; any part of it, all its layers or more.

    Raises
    ------
    InputError
        If the trace does not fit, or has no token of some user's category.
    """
    categories = _user_categories(instance)
    model = instance.models[0]
    _, layers, top_k = trace.expert_ids.shape
    if len(instance.models) != 1 or layers < model.layers or top_k != model.top_k:
        raise InputError(f"replay: the trace does not fit {model.name} of {instance.name}")
    if trace.expert_ids.max(initial=0) >= model.experts:
        raise InputError(f"replay: the trace has more experts than {model.name}")
    table = latency_table_s(instance, placement.cached(instance))[:, :-1]
    node = _nodes(instance, placement, table)
    first = (np.arange(model.layers) * model.experts)[None, :, None]
    rows, latencies, weights = [], [], []
    for category in dict.fromkeys(categories):
        if category not in trace.categories:
            raise InputError(f"replay: the trace has no category {category!r}")
        mine = trace.category == trace.categories.index(category)
        if not mine.any():
            raise InputError(f"replay: the trace has no token of category {category!r}")
        items = first + trace.expert_ids[mine, : model.layers]
        for user in [u for u, name in enumerate(categories) if name == category]:
            token = table[user][items].max(axis=2).sum(axis=1)
            hits = np.bincount(node[user][items].ravel(), minlength=len(NODES)) / items.size
            rows.append((user, category, token, hits))
            latencies.append(token)
            weights.append(np.full(len(token), 1 / (len(token) * instance.users)))
    everything, weight = np.concatenate(latencies), np.concatenate(weights)
    rows.sort(key=lambda row: row[0])
    users = pd.DataFrame(
        {
            "name": instance.user_names[user],
            "category": category,
            "tokens": len(token),
            "mean_s": token.mean(),
            **{f"p{p}_s": _percentile(token, np.ones(len(token)), p) for p in PERCENTILES},
            **dict(zip(NODES, hits, strict=True)),
        }
        for user, category, token, hits in rows
    )
    return Replay(
        mean_s=float(weight @ everything),
        percentile_s={f"p{p}": _percentile(everything, weight, p) for p in PERCENTILES},
        hit_share={name: float(users[name].mean()) for name in NODES},
        users=users,
    )


def part_of(instance: Instance, trace: Trace, part: str) -> Trace:
    """Part of a trace as it was split for an instance.

    Parameters
    ----------
    instance : Instance
        Its ``meta`` tells how.
    trace : Trace
        The whole trace.
    part : {"train", "test", "all"}

    Raises
    ------
    InputError
        If the instance was made from the whole trace.
    """
    if part == "all":
        return trace
    split = instance.meta.get("trace", {}).get("split")
    if not split:
        raise InputError(
            f"replay: {instance.name} was imported without --test-share; take --part all"
        )
    return split_trace(trace, split["test_share"], split["seed"], cast(Part, part))


def replay_table(
    instance: Instance, placements: Mapping[str, Placement], trace: Trace
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replay a trace, or a `part_of` it, under several placements.

    Parameters
    ----------
    instance : Instance
    placements : mapping
        By name.
    trace : Trace

    Returns
    -------
    DataFrame
        A row for each placement: expected and replayed latency and hit shares.
    DataFrame
        A row for each placement and user.
    """
    rows, each = [], []
    for name, placement in placements.items():
        value = evaluate(instance, placement)
        if not value.feasible:
            raise InputError(f"{name}: the placement exceeds a capacity")
        walked = replay(instance, placement, trace)
        rows.append(
            {
                "placement": name,
                "expected_s": value.latency_s,
                "replayed_s": walked.mean_s,
                **{f"{key}_s": seconds for key, seconds in walked.percentile_s.items()},
                **walked.hit_share,
            }
        )
        each.append(walked.users.assign(placement=name))
    return pd.DataFrame(rows), pd.concat(each, ignore_index=True)


def _user_categories(instance: Instance) -> list[str]:
    if (
        instance.meta.get("generator") == "machine"
        and "user_category" not in instance.meta["trace"]
    ):
        raise InputError(f"replay: in {instance.name} missing experts add up; evaluate says it all")
    trace = instance.meta.get("trace")
    categories = trace.get("user_category") if isinstance(trace, dict) else None
    if not isinstance(categories, list) or len(categories) != instance.users:
        raise InputError(f"replay: {instance.name} was not made from a trace")
    if not categories:
        raise InputError(f"replay: {instance.name} has no users")
    return [str(name) for name in categories]


def _nodes(instance: Instance, placement: Placement, table: FloatArray) -> IntArray:
    """Who serves each item to each user, as the position in `NODES`; [U, I]."""
    cached = placement.cached(instance)
    node = np.full(table.shape, 3, dtype=np.int64)
    reach = instance.server_latency_s[:, :, 0]
    home = np.argmin(reach, axis=1) if instance.servers else np.zeros(len(table), dtype=np.int64)
    # Whoever is as fast as the table says serves; the nearer one where several are.
    for n in range(instance.servers):
        serves = cached[n] & (reach[:, n, None] <= table)
        node[serves] = np.minimum(node[serves], np.where(home == n, 1, 2)[np.nonzero(serves)[0]])
    local = instance.local & (instance.local_latency_s[:, :1] <= table)
    node[local] = 0
    return node


def _percentile(value: FloatArray, weight: FloatArray, percent: int) -> float:
    """Smallest value that at least so many percent of the weight do not exceed."""
    order = np.argsort(value, kind="stable")
    total = np.cumsum(weight[order])
    at = int(np.searchsorted(total, (percent / 100 - 1e-12) * total[-1]))
    return float(value[order[min(at, len(order) - 1)]])
