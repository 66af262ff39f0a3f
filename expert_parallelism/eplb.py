"""Baseline: DeepSeek's expert-parallelism load balancer, which looks at loads only."""

from __future__ import annotations

import numpy as np

from ..method import Limits, Method, Outcome
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from .balance import expert_loads, told
from .slots import placement_of_layers, slots_of_rank, unsupported


def eplb(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    slots: int | None = None,
    nodes: int = 1,
    groups: int = 1,
) -> Outcome:
    """Copy the experts of the highest load, and spread the copies evenly over the ranks.

    Every layer by itself: groups of experts are spread over the nodes by load; on each node the
    slots that are left go one by one to the expert whose copies have the highest load each; then
    the copies, in falling load, each go to the rank with the least load that has a slot left. No
    co-activation, no latencies.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Not used.
    seed : int
        Not used.
    slots : int, optional
        See `slots_of_rank`.
    nodes : int
        Among which the ranks are spread evenly, in their order.
    groups : int
        Of neighbouring experts that stay on one node. Where the nodes cannot have equally many,
        nodes and groups are ignored.

    References
    ----------
    DeepSeek-AI, EPLB, https://github.com/deepseek-ai/EPLB (eplb.py at 5791971). There, two copies
    may meet on one rank; here a copy goes to a rank that does not hold the expert yet.
    """
    own = slots_of_rank(instance, slots)
    cached = balanced(instance, own, nodes, groups)
    return Outcome(placement_of_layers(instance, cached), meta=told(instance, cached, own))


def balanced(instance: Instance, slots: int, nodes: int = 1, groups: int = 1) -> BoolArray:
    """Place as `eplb`; [N, L, E]."""
    model, N = instance.models[0], instance.servers
    for name, count, of in (("nodes", nodes, N), ("groups", groups, model.experts)):
        if not 1 <= count <= of or of % count:
            raise InputError(f"option {name}: must divide {of}, got {count}")
    if groups % nodes or slots * (N // nodes) < model.experts // nodes:
        nodes = groups = 1
    cached = np.zeros((N, model.layers, model.experts), dtype=np.bool_)
    ranks = N // nodes
    for layer, load in enumerate(expert_loads(instance)):
        members = np.arange(model.experts).reshape(groups, -1)
        packs = _spread(load[members].sum(axis=1), np.arange(groups), nodes, groups // nodes)
        for node in range(nodes):
            experts = members[packs[node]].ravel()
            copies = _copies(load[experts], slots * ranks, ranks)
            share, expert = load[experts] / copies, np.repeat(np.arange(len(experts)), copies)
            held = _spread(share[expert], expert, ranks, slots)
            for rank in range(ranks):
                cached[node * ranks + rank, layer, experts[held[rank]]] = True
    return cached


def _copies(load: FloatArray, slots: int, most: int) -> IntArray:
    """Copies of each expert, one slot after the other to the highest load of a copy."""
    copies = np.ones(len(load), dtype=np.int64)
    for _ in range(slots - len(load)):
        copies[np.argmax(np.where(copies < most, load / copies, -1.0))] += 1
    return copies


def _spread(weight: FloatArray, item: IntArray, packs: int, size: int) -> list[list[int]]:
    """Objects in falling weight to the lightest of the packs that have room; their items.

    No pack gets two objects of the same item: where only such have room, another object moves over.
    """
    held: list[dict[int, float]] = [{} for _ in range(packs)]
    for k in np.argsort(-weight, kind="stable").tolist():
        it, own = int(item[k]), float(weight[k])
        lightest = sorted(range(packs), key=lambda p: sum(held[p].values()))
        room = [p for p in lightest if len(held[p]) < size]
        free = next((p for p in room if it not in held[p]), None)
        if free is None:
            free = next(p for p in lightest if it not in held[p])
            moved = min(held[free].keys() - held[room[0]].keys(), key=lambda i: held[free][i])
            held[room[0]][moved] = held[free].pop(moved)
        held[free][it] = own
    return [sorted(pack) for pack in held]


METHOD = Method(
    "eplb", "baseline: DeepSeek's balancer for expert parallelism", eplb, unsupported=unsupported
)
