"""K = 1: what any placement says about the best one, by the best response of each server to it."""

from __future__ import annotations

from ..problem.demand import merged_demand
from ..problem.evaluate import evaluate, latency_table_s
from ..problem.instance import Instance
from ..problem.placement import Placement
from .best_response import best_response

#: Room for the rounding of the bound's sum, whose parts are not negative.
_ROUNDING = 1e-12


def saving_bound_s(instance: Instance, placement: Placement) -> float:
    """Bound the saving of every placement from a given one, with K = 1.

    The saving f is monotone and submodular then, so for the given placement S and any other one O,
    ``f(O) <= f(S and O) <= f(S) + sum_n f(O_n | S)``, and no O_n adds more to S than server n's
    best response to all of S, its own cache included (Nemhauser, Wolsey, Fisher 1978,
    doi:10.1007/BF01588971).

    Parameters
    ----------
    instance : Instance
        Each term of whose saving needs one expert.
    placement : Placement

    Returns
    -------
    float
        In seconds.
    """
    demand = merged_demand(instance)
    table = latency_table_s(instance, placement.cached(instance))
    bound = evaluate(instance, placement).saving_s
    for n in range(instance.servers):
        bound += best_response(instance, demand, n, table).upper_s
    return bound * (1 + _ROUNDING)
