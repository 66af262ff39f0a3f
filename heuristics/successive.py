"""Successive greedy decomposition: one server after another, each solved given the earlier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..guarantees import Guarantee, server_by_server
from ..method import Deadline, Limits, Method, Outcome
from ..problem.demand import merged_demand
from ..problem.errors import InputError
from ..problem.evaluate import latency_table_s
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..responses.best_response import best_response, take_in
from ..structure import Structure


def successive(instance: Instance, *, limits: Limits, seed: int, epsilon: float = 0.0) -> Outcome:
    """Fill the servers in their order, each given what the earlier ones cache.

    Given the earlier servers, one server's gain separates over the layers: profiles of the layers,
    then a dynamic program over them by (max,+) convolution. With up to 20 experts in a layer the
    profiles are exact, and so is each server; larger layers come with a certified shortfall.

    On one server with exact profiles the result is optimal for any K. On several servers see
    `guarantees.server_by_server`.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        When the time is over, the servers not reached stay empty.
    seed : int
        Not used.
    epsilon : float
        With 0 < epsilon < 1 and exact profiles each server reaches (1 - epsilon) of its best, in
        time polynomial in the input and 1 / epsilon, independent of the capacity in bytes; see
        `layer_knapsack.split_capacity`.

    Returns
    -------
    Outcome
        Its ``meta`` has ``server_share``, see `InTurn`.
    """
    if not 0 <= epsilon < 1:
        raise InputError(f"option epsilon: must be in [0, 1), got {epsilon}")
    found = in_turn(instance, range(instance.servers), limits.deadline(), epsilon)
    return Outcome(
        Placement.of(instance, found.cached),
        StoppedBy.TIME if found.share is None else StoppedBy.FINISHED,
        meta={"server_share": found.share},
    )


class InTurn(NamedTuple):
    """Servers filled one after the other.

    Attributes
    ----------
    cached : bool array [N, I]
    share : float or None
        The smallest share of its best gain that any server is certified to have reached; None if
        not all servers were filled in turn.
    """

    cached: BoolArray
    share: float | None


def in_turn(
    instance: Instance, order: Sequence[int], deadline: Deadline, epsilon: float = 0.0
) -> InTurn:
    """Fill the servers in a given order, as `successive`."""
    demand = merged_demand(instance)
    table = latency_table_s(instance)
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    share = 1.0 - epsilon
    for n in order:
        if deadline.passed():
            return InTurn(cached, None)
        response = best_response(instance, demand, n, table, epsilon, deadline.passed)
        if response.upper_s > 0:
            share = min(share, response.gain_s / response.upper_s)
        cached[n] = response.cached
        take_in(instance, table, n, response.cached)
    return InTurn(cached, share)


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """Guarantee of servers filled in turn."""
    return server_by_server(structure, solution.meta.get("server_share"))


METHOD = Method(
    "successive",
    "one server after another, each by itself (any K)",
    successive,
    guarantee=guarantee,
)
