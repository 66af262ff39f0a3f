"""Method `lp`: the linear relaxation of the coverage model, a bound and no placement."""

from __future__ import annotations

import dataclasses

from pyomo.common.gc_manager import PauseGC

from ..linear.highs import run_highs
from ..method import Limits, Method, Outcome
from ..problem.evaluate import limitless_saving_s
from ..problem.instance import Instance
from ..problem.solution import StoppedBy
from .compiled import compiled
from .coverage import coverage_model


def lp_bound(instance: Instance, *, limits: Limits, seed: int = 0) -> Outcome:
    """Bound the latency by the linear relaxation of the coverage model.

    The value is computed from the row duals by weak duality, so it is valid at any tolerance and
    wherever HiGHS stops.

    Parameters
    ----------
    instance : Instance
    limits : Limits
    seed : int
        Not used.
    """
    deadline = limits.deadline()
    try:
        with PauseGC():
            linear, _ = compiled(coverage_model(instance, time_s=deadline.remaining_s()))
    except TimeoutError:
        return Outcome(None, StoppedBy.TIME, bound_saving_s=limitless_saving_s(instance))
    # Without the constant that would take the saving's last digits.
    linear = dataclasses.replace(linear, offset=0.0)
    result = run_highs(linear, limits=deadline.limits(threads=limits.threads), relax=True)
    return Outcome(None, result.stopped_by, bound_saving_s=-result.bound)


METHOD = Method("lp", "bound by the linear relaxation, no placement", lp_bound, bound=lp_bound)
