"""Method `exact`: the layer decomposition, and the direct model where that leaves a gap."""

from __future__ import annotations

import dataclasses

from ..configuration.configuration import guarantee as rounded_guarantee
from ..configuration.proof import prove
from ..guarantees import Guarantee
from ..method import Limits, Method, Outcome
from ..problem.errors import InputError, UnsupportedError
from ..problem.evaluate import evaluate, limitless_saving_s
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy, closes
from ..structure import Structure
from .parameters import DEFAULTS, Parameters
from .price_and_round import guarantee as decomposition_guarantee
from .price_and_round import price_and_round


def exact(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    decomposition_share: float = 0.8,
    parameters: Parameters = DEFAULTS,
) -> Outcome:
    """Prove the optimum.

    With K = 1 by the prices of `configuration`. With K >= 2 `decomposition` first: where layers
    have few experts (8, say) it proves the optimum for many of them. Where it leaves a gap, `milp`
    goes on from its placement.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Nodes count for HiGHS only.
    seed : int
    start : Placement, optional
    decomposition_share : float
        Share of the time limit that the decomposition may take, 0 to 1.
    parameters : Parameters
        Of the decomposition.
    """
    if not 0 <= decomposition_share <= 1:
        raise InputError(
            f"exact: option decomposition_share: must be 0 to 1, got {decomposition_share}"
        )
    if instance.top_k == 1:
        return prove(instance, limits=limits, seed=seed, start=start)
    deadline = limits.deadline()
    part = dataclasses.replace(limits, time_s=deadline.part(decomposition_share).remaining_s())
    first = price_and_round(instance, limits=part, seed=seed, start=start, parameters=parameters)
    assert first.placement is not None
    assert first.bound_saving_s is not None
    saving = evaluate(instance, first.placement).saving_s
    proved = closes(saving, first.bound_saving_s, limitless_saving_s(instance))
    ended = first.stopped_by in (StoppedBy.GAP, StoppedBy.ERROR)
    if proved or ended or deadline.passed():
        return first
    # Pyomo takes longer to import than the decomposition of a small instance.
    from ..formulations.milp import milp

    rest = dataclasses.replace(limits, time_s=deadline.remaining_s())
    try:
        second = milp(instance, limits=rest, seed=seed, start=first.placement)
    except UnsupportedError:
        # Too large to be written down.
        return first
    placement, bound = second.placement, first.bound_saving_s
    if placement is None or evaluate(instance, placement).saving_s < saving:
        placement = first.placement
    if second.bound_saving_s is not None:
        bound = min(bound, second.bound_saving_s)
    meta = {**first.meta, **second.meta}
    return Outcome(placement, second.stopped_by, meta=meta, bound_saving_s=bound)


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """Where nothing is proved: that of `configuration` with K = 1, else that of `decomposition`."""
    if structure.instance.top_k == 1:
        return rounded_guarantee(structure, solution)
    return decomposition_guarantee(structure, solution)


METHOD = Method(
    "exact", "proves the optimum: decomposition, then milp", exact, uses_seed=True,
    guarantee=guarantee,
)  # fmt: skip
