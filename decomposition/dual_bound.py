"""The bound of method `decomposition`: the Lagrangian dual of the capacities."""

from __future__ import annotations

import time

from ..heuristics.successive import successive
from ..method import Limits, Outcome
from ..problem.evaluate import latency_empty_s
from ..problem.instance import Instance
from ..problem.solution import StoppedBy
from .rounds import Decomposition


def dual_bound(instance: Instance, *, limits: Limits) -> Outcome:
    """Bound the latency by `Decomposition`, starting from the columns of `successive`.

    Every certified round is a bound of its own; the best one counts.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Time, and threads: the number of processes.
    """
    began = time.perf_counter()
    deadline = limits.deadline()
    first = successive(instance, limits=deadline.limits(), seed=0).placement
    assert first is not None
    empty = latency_empty_s(instance)
    log = []
    with Decomposition(instance, limits.threads) as decomposition:
        decomposition.add(first.cached(instance))
        for done in decomposition.rounds(deadline):
            limits.watch.tell(bound_saving_s=done.bound_s)
            log.append(
                {
                    "seconds": time.perf_counter() - began,
                    "bound_latency_s": max(0.0, empty - done.bound_s),
                    "pricing": done.pricing,
                }
            )
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    return Outcome(
        None,
        StoppedBy.PROOF if decomposition.converged else stopped_by,
        meta={"pricing": decomposition.pricing, "log": log},
        bound_saving_s=decomposition.bound_s,
    )
