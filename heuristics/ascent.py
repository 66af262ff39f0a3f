"""Block-coordinate ascent: servers are solved again, given all others, until none improves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..guarantees import Guarantee, best_of, curved
from ..method import Deadline, Limits, Method, Outcome
from ..problem.demand import Demand, merged_demand
from ..problem.errors import InputError
from ..problem.evaluate import latency_table_s
from ..problem.instance import BoolArray, FloatArray, Instance
from ..problem.placement import Placement
from ..problem.solution import ROUNDING, Solution, StoppedBy
from ..responses.best_response import Memory, best_response, take_in
from ..responses.subset_profile import MAX_EXPERTS
from ..structure import Structure
from .successive import guarantee as in_turn_guarantee
from .successive import in_turn

#: Improvements below this share of the latency are rounding errors.
_NEGLIGIBLE = 1e-12


def ascent(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    orders: int = 4,
) -> Outcome:
    """Ascend from a start, or from `successive` in several orders, and keep the best.

    Each step replaces what one server caches by its best response to all others, so the saving
    never falls; at the end no change of a single server helps (where profiles are exact).

    Parameters
    ----------
    instance : Instance
    limits : Limits
    seed : int
        For the random orders.
    start : Placement, optional
        Where every ascent begins.
    orders : int
        How many server orders to try: as given, reversed, then random ones.
    """
    if not 1 <= orders <= 1000:
        raise InputError(f"ascent: option orders: must be 1 to 1000, got {orders}")
    deadline = limits.deadline()
    demand = merged_demand(instance)
    nothing = total_latency_s(demand, latency_table_s(instance))
    best, best_latency = start, np.inf
    if start is not None:
        best_latency = total_latency_s(demand, latency_table_s(instance, start.cached(instance)))
    share = None
    for order in server_orders(instance.servers, orders, np.random.default_rng(seed)):
        if best is not None and deadline.passed():
            return Outcome(best, StoppedBy.TIME, meta={"server_share": share})
        if start is None:
            first = in_turn(instance, order, deadline)
            cached = first.cached
            # Each order's share holds for the best placement.
            share = first.share if share is None else share
            reached = total_latency_s(demand, latency_table_s(instance, cached))
            limits.watch.tell(nothing - reached)
        else:
            cached = start.cached(instance)
        latency, cached = ascend(instance, demand, cached, order, deadline)
        if latency < best_latency or best is None:
            best, best_latency = Placement.of(instance, cached), latency
            limits.watch.tell(nothing - latency)
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    return Outcome(best, stopped_by, meta={"server_share": share})


def server_orders(servers: int, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Distinct server orders: as given, reversed, then random ones, at most `count`."""
    orders = [tuple(range(servers)), tuple(range(servers))[::-1]]
    # More random orders than asked for, because some repeat where there are few servers.
    orders += [tuple(rng.permutation(servers).tolist()) for _ in range(min(4 * count, 1000))]
    return list(dict.fromkeys(orders))[:count]


def ascend(
    instance: Instance,
    demand: Demand,
    cached: BoolArray,
    order: Sequence[int],
    deadline: Deadline,
    *,
    thorough: bool = True,
) -> tuple[float, BoolArray]:
    """Best responses in turn until a whole round improves nothing; latency and placement.

    A server that holds more than fits is cleared by its first response, however much that costs.
    Large layers are solved without their minimum cuts first, three times as fast.

    Parameters
    ----------
    instance : Instance
    demand : Demand
    cached : bool array [N, I]
    order : sequence of int
        Of the servers.
    deadline : Deadline
    thorough : bool
        Whether minimum cuts follow.
    """
    cached = cached.copy()
    large = any(model.experts > MAX_EXPERTS for model in instance.models)
    if large:
        latency = _ascend(instance, demand, cached, order, deadline, lambda: True)
    if thorough or not large:
        latency = _ascend(instance, demand, cached, order, deadline, deadline.passed)
    return latency, cached


def _ascend(
    instance: Instance,
    demand: Demand,
    cached: BoolArray,
    order: Sequence[int],
    deadline: Deadline,
    rough: Callable[[], bool],
) -> float:
    """Ascend in place, without minimum cuts where it is `rough`; the latency."""
    over = cached @ instance.item_bytes > instance.capacity_bytes
    latency = total_latency_s(demand, latency_table_s(instance, cached))
    least = _NEGLIGIBLE * latency
    known = [Memory() for _ in range(instance.servers)]
    unchanged = 0
    while unchanged < len(order):
        for n in order:
            if unchanged >= len(order) or deadline.passed():
                return latency
            others = cached.copy()
            others[n] = False
            table = latency_table_s(instance, others)
            response = best_response(
                instance, demand, n, table, passed=rough, memory=known[n], others=others
            )
            take_in(instance, table, n, response.cached)
            reached = total_latency_s(demand, table)
            unchanged += 1
            if over[n] or reached < latency - least:
                latency, unchanged, over[n] = reached, 1, False
                cached[n] = response.cached
    return latency


def total_latency_s(demand: Demand, table: FloatArray) -> float:
    """Latency of all demand under a latency table [U, I + 1]."""
    slowest = np.zeros(len(demand.rate))
    for column in demand.sets[demand.expert_set].T:
        np.maximum(slowest, table[demand.user, column], out=slowest)
    return float(demand.rate @ slowest)


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """That of `successive`, and with K = 1 that of any placement which no single server improves.

    Best responses are exact with K = 1. What they leave for rounding must be nothing beside the
    saving.
    """
    known = in_turn_guarantee(structure, solution)
    left_s = structure.servers * _NEGLIGIBLE * solution.latency_empty_s
    done = solution.stopped_by is StoppedBy.FINISHED
    if structure.single and done and left_s <= ROUNDING * (solution.saving_s or 0.0):
        return best_of(known, curved(structure, "no single server improves it"))
    return known


METHOD = Method(
    "ascent", "servers solved again until none improves (any K)", ascent, uses_seed=True,
    guarantee=guarantee,
)  # fmt: skip
