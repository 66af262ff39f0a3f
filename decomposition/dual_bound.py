"""The bound of method `decomposition`: the Lagrangian dual of the capacities."""

from __future__ import annotations

import sys
import time

from ..heuristics.successive import successive
from ..method import Limits, Outcome
from ..problem.evaluate import latency_empty_s
from ..problem.instance import Instance
from ..problem.layers import split_layers
from ..problem.solution import StoppedBy
from ..problem.terms import coverage_terms
from .column_generation import ColumnGeneration, Round
from .dual import Dual
from .master import RestrictedMaster
from .parameters import DEFAULTS, Parameters
from .pool import LayerPool


def dual_bound(
    instance: Instance,
    *,
    limits: Limits,
    progress: bool = False,
    parameters: Parameters = DEFAULTS,
) -> Outcome:
    """Bound the latency by `ColumnGeneration`, starting from the columns of `successive`.

    Every certified round is a bound of its own; the best one counts.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Time, and threads: the number of processes.
    progress : bool
        Show each round on stderr if that is a terminal.
    parameters : Parameters
    """
    began = time.perf_counter()
    deadline = limits.deadline()
    first = successive(instance, limits=Limits(deadline.remaining_s()), seed=0).placement
    assert first is not None
    empty = latency_empty_s(instance)
    log = []
    layers = split_layers(instance, coverage_terms(instance))
    with LayerPool(layers, limits.threads, parameters) as pool:
        dual = Dual(RestrictedMaster(instance, layers), pool)
        dual.master.add_placement(first.cached(instance))
        generation = ColumnGeneration(dual)
        for done in generation.rounds(deadline):
            if progress:
                show(done, empty)
            log.append(
                {
                    "seconds": time.perf_counter() - began,
                    "bound_latency_s": latency_bound(empty, done.bound_s),
                    "pricing": done.pricing,
                }
            )
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    return Outcome(
        None,
        StoppedBy.PROOF if generation.converged else stopped_by,
        latency_bound(empty, dual.bound_s),
        {"pricing": dual.pricing, "log": log},
    )


def latency_bound(empty_s: float, saving_s: float) -> float:
    """Lower bound on the latency from an upper bound on the saving, with room for rounding."""
    return max(0.0, empty_s - saving_s - 1e-13 * empty_s)


def show(done: Round, empty_s: float) -> None:
    """Print a round to stderr if that is a terminal."""
    if sys.stderr.isatty():
        layers = ", ".join(f"{count} {name}" for name, count in done.pricing.items())
        bound = latency_bound(empty_s, done.bound_s)
        print(f"{done.seconds:8.1f} s  bound {bound:.9g} s  layers: {layers}", file=sys.stderr)
