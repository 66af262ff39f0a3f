"""Bound `lp`: the linear relaxation of the coverage model."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from pyomo.common.gc_manager import PauseGC

from ..highs import run_highs
from ..instances.instance import Instance
from ..instances.solution import Status, StoppedBy
from ..method import Limits
from .compiled import compiled
from .coverage import coverage_model


@dataclass(frozen=True)
class Bound:
    """A lower bound on the latency of every placement.

    Attributes
    ----------
    method : str
    bound_latency_s : float
        In seconds.
    status : Status
        OPTIMAL if the bounding problem itself was solved, FEASIBLE for a valid but weaker bound
        from where it stopped.
    stopped_by : StoppedBy
    seconds : float
        Wall time.
    """

    method: str
    bound_latency_s: float
    status: Status
    stopped_by: StoppedBy
    seconds: float


def lp_bound(instance: Instance, *, limits: Limits, progress: bool = False) -> Bound:
    """Bound the latency by the linear relaxation of the coverage model.

    The value is computed from the row duals by weak duality, so it is valid at any tolerance and
    wherever HiGHS stops.
    """
    began = time.perf_counter()
    deadline = limits.deadline()
    with PauseGC():
        linear, _ = compiled(coverage_model(instance))
    left = deadline.remaining_s()
    result = run_highs(
        linear, limits=dataclasses.replace(limits, time_s=left), relax=True, progress=progress
    )
    solved = result.stopped_by is StoppedBy.PROOF
    return Bound(
        method="lp",
        bound_latency_s=max(result.bound, 0.0),
        status=Status.OPTIMAL if solved else Status.FEASIBLE,
        stopped_by=result.stopped_by,
        seconds=time.perf_counter() - began,
    )
