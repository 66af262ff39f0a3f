"""Method `exact`: the layer decomposition, and the direct model where that leaves a gap."""

from __future__ import annotations

import dataclasses

from ..configuration.proof import prove
from ..formulations.milp import milp
from ..heuristics.successive import guarantee
from ..method import Limits, Method, Outcome
from ..problem.errors import UnsupportedError
from ..problem.evaluate import evaluate, latency_empty_s
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import StoppedBy, closes
from .price_and_round import price_and_round

#: Share of the time limit that the decomposition may take.
_DECOMPOSITION_SHARE = 0.8


def exact(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    progress: bool = False,
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
    progress : bool
        Show progress on stderr if that is a terminal.
    """
    if instance.top_k == 1:
        return prove(instance, limits=limits, seed=seed, start=start)
    deadline = limits.deadline()
    part = dataclasses.replace(limits, time_s=deadline.part(_DECOMPOSITION_SHARE).remaining_s())
    first = price_and_round(instance, limits=part, seed=seed, start=start, progress=progress)
    assert first.placement is not None
    assert first.bound_latency_s is not None
    latency = evaluate(instance, first.placement).latency_s
    proved = closes(latency, first.bound_latency_s, latency_empty_s(instance))
    if proved or first.stopped_by is StoppedBy.GAP or deadline.passed():
        return first
    rest = dataclasses.replace(limits, time_s=deadline.remaining_s())
    try:
        second = milp(instance, limits=rest, seed=seed, start=first.placement)
    except UnsupportedError:
        # Too large to be written down.
        return first
    placement = second.placement
    if placement is None or evaluate(instance, placement).latency_s > latency:
        placement = first.placement
    bounds = [first.bound_latency_s, second.bound_latency_s or 0.0]
    return Outcome(placement, second.stopped_by, max(bounds), {**first.meta, **second.meta})


METHOD = Method(
    "exact", "proves the optimum: decomposition, then milp", exact, uses_seed=True,
    guarantee=guarantee,
)  # fmt: skip
