"""Bound `lp`: the linear relaxation of the coverage model."""

from __future__ import annotations

import dataclasses
import time

from pyomo.common.gc_manager import PauseGC

from ..linear.highs import run_highs
from ..method import Limits
from ..problem.instance import Instance
from ..problem.solution import Status, StoppedBy
from .bound import Bound
from .compiled import compiled
from .coverage import coverage_model


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
