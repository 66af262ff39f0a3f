"""The bound of method `decomposition`: the Lagrangian dual of the capacities."""

from __future__ import annotations

import time
from typing import Any

from ..heuristics.successive import in_turn
from ..method import Limits, Outcome
from ..problem.evaluate import latency_empty_s
from ..problem.instance import Instance
from ..problem.layers import split_layers
from ..problem.solution import StoppedBy
from ..problem.terms import coverage_terms
from .column_generation import ColumnGeneration
from .dual import Dual
from .master import RestrictedMaster
from .parameters import DEFAULTS, Parameters
from .pool import LayerPool


def dual_bound(
    instance: Instance,
    *,
    limits: Limits,
    parameters: Parameters = DEFAULTS,
) -> Outcome:
    """Bound the latency by `ColumnGeneration`, starting from the columns of `successive`.

    Where a layer is too large for its tree, by `Splitting` before that.

    Every certified round is a bound of its own; the best one counts.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Time, and threads: the number of processes.
    parameters : Parameters
    """
    began = time.perf_counter()
    deadline = limits.deadline()
    empty, converged = latency_empty_s(instance), False
    log = []
    layers = split_layers(instance, coverage_terms(instance))
    with LayerPool(layers, limits, parameters) as pool:
        dual = Dual(RestrictedMaster(instance, layers), pool)
        for bound_s in dual.split(deadline):
            limits.watch.tell(bound_saving_s=bound_s)
            log.append(_entry(began, empty, bound_s, {"split": len(layers)}))
        if not deadline.passed():
            part = deadline.part(parameters.start_share)
            dual.master.add_placement(in_turn(instance, range(instance.servers), part).cached)
        dual.relax()
        generation = ColumnGeneration(dual)
        for done in generation.rounds(deadline):
            limits.watch.tell(bound_saving_s=done.bound_s)
            log.append(_entry(began, empty, done.bound_s, done.pricing))
        converged = generation.converged
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    meta: dict[str, Any] = {"pricing": dual.pricing, "log": log}
    if pool.error is not None:
        stopped_by, meta["error"] = StoppedBy.ERROR, pool.error
    return Outcome(
        None,
        StoppedBy.PROOF if converged else stopped_by,
        meta=meta,
        bound_saving_s=dual.bound_s,
    )


def _entry(began: float, empty_s: float, bound_s: float, pricing: dict[str, int]) -> dict[str, Any]:
    """What the log has of a round."""
    return {
        "seconds": time.perf_counter() - began,
        "bound_latency_s": max(0.0, empty_s - bound_s),
        "pricing": pricing,
    }
