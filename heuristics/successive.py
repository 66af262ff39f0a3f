"""Successive greedy decomposition: one server after another, each solved given the earlier."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..guarantees import Guarantee, Structure, server_by_server
from ..method import Deadline, Limits, Method, Outcome
from ..problem.demand import merged_demand
from ..problem.evaluate import latency_table_s
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..responses.best_response import best_response, take_in
from ..responses.layer_knapsack import Combine, layer_by_layer


def successive(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Fill the servers in their order, each given what the earlier ones cache.

    Given the earlier servers, one server's gain separates over the layers: profiles of the layers,
    then a dynamic program over them. With up to 20 experts in a layer the profiles are exact, and
    so is each server; larger layers come with a certified shortfall.

    On one server with exact profiles the result is optimal for any K. On several servers see
    `guarantees.server_by_server`.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        When the time is over, the servers not reached stay empty.
    seed : int
        Not used.
    """
    order = range(instance.servers)
    return run_successive(instance, limits.deadline(), order, Combine(layer_by_layer))


def run_successive(
    instance: Instance, deadline: Deadline, order: Iterable[int], combine: Combine
) -> Outcome:
    """Fill the servers in a given order.

    The outcome's ``meta`` has ``server_share``: the smallest share of its best gain that any
    server is certified to have reached.
    """
    demand = merged_demand(instance)
    table = latency_table_s(instance)
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    share = combine.share
    for done, n in enumerate(order):
        if deadline.passed():
            return Outcome(
                Placement.of(instance, cached), StoppedBy.TIME, meta={"servers_done": done}
            )
        response = best_response(instance, demand, n, table, combine)
        if response.upper_s > 0:
            share = min(share, response.gain_s / response.upper_s)
        cached[n] = response.cached
        take_in(instance, table, n, response.cached)
    return Outcome(Placement.of(instance, cached), meta={"server_share": share})


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """Guarantee of servers filled in turn."""
    return server_by_server(structure, solution.meta.get("server_share"))


METHOD = Method(
    "successive",
    "one server after another, each by itself (any K)",
    successive,
    guarantee=guarantee,
)
