"""Replay: recorded tokens walk through all layers, under placements and with caches that react."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from ..caches.arrivals import Arrivals, arrivals, category_number
from ..caches.policies import Policy
from ..caches.simulation import Walked, asked_items, home_servers, simulate
from ..instances.streams import random_stream
from ..instances.trace import Trace
from ..instances.trace_split import Part, split_trace
from ..problem.errors import InputError
from ..problem.evaluate import evaluate, latency_table_s
from ..problem.file_kind import FileKind
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.placement import Placement
from ..solver import solve

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
    hit_rate : float or None
        Of all experts that home servers were asked for, the share that they had; all tokens count
        equally. What a device serves as fast, no server is asked for; None if none is asked.
    fetched_bytes : float
        What all servers fetched, for each token.
    users : DataFrame
        One row for each user: ``name``, ``category``, ``tokens``, ``mean_s``, ``p50_s``, ``p95_s``,
        ``p99_s``, the hit shares and ``hit_rate``.
    warming_tokens : int
        Tokens that came before and were not measured.
    """

    mean_s: float
    percentile_s: dict[str, float]
    hit_share: dict[str, float]
    hit_rate: float | None
    fetched_bytes: float
    users: pd.DataFrame
    warming_tokens: int = 0


def replay(instance: Instance, placement: Placement, trace: Trace) -> Replay:
    """Walk every token of each user's category through all layers, under a placement.

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
    categories = _fitting_categories(instance, trace)
    model = instance.models[0]
    cached = placement.cached(instance)
    table = latency_table_s(instance, cached)[:, :-1]
    node = _nodes(instance, cached, table)
    asked, home = asked_items(instance), home_servers(instance)
    found = asked & cached[home] if instance.servers else asked
    first = (np.arange(model.layers) * model.experts)[None, :, None]
    served = np.zeros((instance.users, len(NODES)), dtype=np.int64)
    totals = np.zeros((2, instance.users), dtype=np.int64)
    latencies: list[FloatArray] = [np.zeros(0)] * instance.users
    for category in dict.fromkeys(categories):
        mine = trace.category == category_number(trace, category)
        items = first + trace.expert_ids[mine, : model.layers]
        for user in [u for u, name in enumerate(categories) if name == category]:
            latencies[user] = table[user][items].max(axis=2).sum(axis=1)
            served[user] = np.bincount(node[user][items].ravel(), minlength=len(NODES))
            totals[:, user] = [of[user][items].sum() for of in (asked, found)]
    walked = Walked(
        latency_s=np.concatenate(latencies),
        user=np.repeat(np.arange(instance.users), [len(part) for part in latencies]),
        served=served,
        asked=totals[0],
        hits=totals[1],
        fetched_bytes=0,
    )
    return _replay_of(instance, categories, walked)


def replay_policy(
    instance: Instance,
    policy: Policy,
    trace: Trace,
    warming: Trace | None = None,
    *,
    seed: int = 0,
    window: int = 1000,
    static_share: float = 0.5,
) -> Replay:
    """Walk every token of each user's category through all layers, with caches that react.

    See `simulate` for what the caches do, and `arrivals` for the order of the tokens.

    Parameters
    ----------
    instance : Instance
        Made by `import_trace`: its ``meta`` tells each user's category.
    policy : Policy
        The static part is what its method places on servers with `static_share` of their room.
    trace : Trace
        Of the same model; any part of it, all its layers or more.
    warming : Trace, optional
        Tokens that come before and are not measured; by default the caches begin empty. `belady`
        takes none: it begins with what is asked for first.
    seed : int
        Of the order of the tokens, and of the method.
    window : int
        Tokens of a server; see `simulate`.
    static_share : float
        In [0, 1].

    Raises
    ------
    InputError
        If the traces do not fit, or have no token of some user's category.
    """
    categories = _fitting_categories(instance, trace)
    parts = [trace]
    if warming is not None and policy.rule != "belady":
        _fitting_categories(instance, warming)
        parts = [trace, warming]
    if not 0 <= static_share <= 1:
        raise InputError(f"static share: must be between 0 and 1, got {static_share}")
    # What is measured does not depend on what comes before it.
    each = [
        arrivals(part, categories, random_stream(seed, 5, number))
        for number, part in enumerate(parts)
    ][::-1]
    parts = parts[::-1]
    begins = (0, len(parts[0].expert_ids))
    arriving = Arrivals(
        np.concatenate([a.token + begin for a, begin in zip(each, begins, strict=False)]),
        np.concatenate([a.user for a in each]),
    )
    layers = instance.models[0].layers
    static = None
    if policy.method is not None:
        room = np.floor(static_share * instance.capacity_bytes).astype(np.int64)
        smaller = instance.replace(capacity_bytes=room)
        placement = solve(smaller, policy.method, seed=seed).placement
        static = (placement or Placement.empty()).cached(instance)
    measured = len(arriving.token) - len(each[-1].token)
    walked = simulate(
        instance,
        policy,
        np.concatenate([part.expert_ids[:, :layers] for part in parts]),
        arriving,
        measured=measured,
        window=window,
        static=static,
    )
    return _replay_of(instance, categories, walked, measured)


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
    instance: Instance,
    placements: Mapping[str, Placement],
    trace: Trace,
    policies: Sequence[Policy] = (),
    warming: Trace | None = None,
    *,
    seed: int = 0,
    **options: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replay a trace, or a `part_of` it, under several placements and policies.

    Parameters
    ----------
    instance : Instance
    placements : mapping
        By name.
    trace : Trace
    policies : sequence of Policy
    warming, seed, options
        See `replay_policy`.

    Returns
    -------
    DataFrame
        A row for each placement and policy: expected and replayed latency, shares of who serves,
        hit rate, bytes fetched for each token. With policies also the seed of the order and how
        many tokens warmed the caches, and no expected latency for them.
    DataFrame
        A row for each placement or policy and user.
    """
    rows, each = [], []

    def add(name: str, walked: Replay, **more: object) -> None:
        rows.append(
            {
                "placement": name,
                "expected_s": None,
                "replayed_s": walked.mean_s,
                **{f"{key}_s": seconds for key, seconds in walked.percentile_s.items()},
                **walked.hit_share,
                "hit_rate": walked.hit_rate,
                "fetched_bytes": walked.fetched_bytes,
                **more,
            }
        )
        each.append(walked.users.assign(placement=name))

    for name, placement in placements.items():
        value = evaluate(instance, placement)
        if not value.feasible:
            raise InputError(f"{name}: the placement exceeds a capacity")
        add(name, replay(instance, placement, trace), expected_s=value.latency_s)
    for policy in policies:
        walked = replay_policy(instance, policy, trace, warming, seed=seed, **options)
        add(str(policy), walked, seed=seed, warming_tokens=walked.warming_tokens)
    table = pd.DataFrame(rows)
    if policies:
        table = table.astype({"seed": "Int64", "warming_tokens": "Int64"})
    return table, pd.concat(each, ignore_index=True)


def _replay_of(
    instance: Instance, categories: Sequence[str], walked: Walked, warming_tokens: int = 0
) -> Replay:
    """Sum up; all users count equally in latencies and shares."""
    tokens = np.bincount(walked.user, minlength=instance.users)
    by_user = np.split(
        walked.latency_s[np.argsort(walked.user, kind="stable")], np.cumsum(tokens)[:-1]
    )
    weight = 1 / (tokens[walked.user] * instance.users)
    share = walked.served / walked.served.sum(axis=1, keepdims=True)
    users = pd.DataFrame(
        {
            "name": instance.user_names[user],
            "category": category,
            "tokens": len(token),
            "mean_s": token.mean(),
            **{f"p{p}_s": _percentile(token, np.ones(len(token)), p) for p in PERCENTILES},
            **dict(zip(NODES, share[user], strict=True)),
            "hit_rate": _ratio(walked.hits[user], walked.asked[user]),
        }
        for user, (category, token) in enumerate(zip(categories, by_user, strict=True))
    )
    return Replay(
        mean_s=float(weight @ walked.latency_s),
        percentile_s={f"p{p}": _percentile(walked.latency_s, weight, p) for p in PERCENTILES},
        hit_share={name: float(users[name].mean()) for name in NODES},
        hit_rate=_ratio(walked.hits.sum(), walked.asked.sum()),
        fetched_bytes=walked.fetched_bytes / len(walked.user),
        users=users,
        warming_tokens=warming_tokens,
    )


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _fitting_categories(instance: Instance, trace: Trace) -> list[str]:
    """Category of each user, after checks that the trace fits."""
    categories = _user_categories(instance)
    model = instance.models[0]
    _, layers, top_k = trace.expert_ids.shape
    if len(instance.models) != 1 or layers < model.layers or top_k != model.top_k:
        raise InputError(f"replay: the trace does not fit {model.name} of {instance.name}")
    if trace.expert_ids.max(initial=0) >= model.experts:
        raise InputError(f"replay: the trace has more experts than {model.name}")
    return categories


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


def _nodes(instance: Instance, cached: BoolArray, table: FloatArray) -> IntArray:
    """Who serves each item to each user, as the position in `NODES`; [U, I]."""
    node = np.full(table.shape, 3, dtype=np.int64)
    reach = instance.server_latency_s[:, :, 0]
    home = home_servers(instance)
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
