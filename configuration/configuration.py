"""Method `configuration`: 1 - 1/e for K = 1, whatever the sizes and servers, and its own bound."""

from __future__ import annotations

from collections.abc import Iterator

from ..guarantees import Guarantee, coverage_share
from ..heuristics.greedy import greedy, only_for_one_expert
from ..heuristics.successive import successive
from ..method import Deadline, Limits, Method, Outcome
from ..problem.errors import UnsupportedError
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..problem.terms import coverage_terms
from ..structure import Structure
from .search import Search


def configuration(
    instance: Instance, *, limits: Limits, seed: int, start: Placement | None = None
) -> Outcome:
    """Bound the saving by prices, and round the servers' mean answers server by server.

    See the map in `expertcache.configuration`. The placement is never below `greedy`, `successive`
    or the start, and no change of a single server improves it.

    Parameters
    ----------
    instance : Instance
        With K = 1 (after local experts, each request needs at most one).
    limits : Limits
        Time.
    seed : int
        Not used.
    start : Placement, optional
        Takes the place of `greedy` and `successive`.

    Returns
    -------
    Outcome
        Its ``meta`` has the ``rounds`` of descent.
    """
    deadline = limits.deadline()
    search = Search(instance, coverage_terms(instance), deadline)
    for placement in [start] if start is not None else _starts(instance, deadline):
        search.take(placement.cached(instance))
    search.descend(threads=limits.threads)
    converged = search.proved or not deadline.passed()
    return Outcome(
        Placement.of(instance, search.cached),
        StoppedBy.FINISHED if converged else StoppedBy.TIME,
        meta=search.meta,
        bound_saving_s=search.bound_s,
    )


def bound(instance: Instance, *, limits: Limits) -> Outcome:
    """The bound of `configuration` alone."""
    if reason := only_for_one_expert(instance):
        raise UnsupportedError(f"configuration: {reason}")
    found = configuration(instance, limits=limits, seed=0)
    done = found.stopped_by is StoppedBy.FINISHED
    stopped_by = StoppedBy.PROOF if done else found.stopped_by
    return Outcome(None, stopped_by, meta=found.meta, bound_saving_s=found.bound_saving_s)


def _starts(instance: Instance, deadline: Deadline) -> Iterator[Placement]:
    for method in (greedy, successive):
        placement = method(instance, limits=deadline.limits(), seed=0).placement
        assert placement is not None
        yield placement


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """``1 - (1 - 1/g)^g`` of the optimum with g servers for a request at most, over 1 - 1/e.

    Rounding keeps that share of the linear program's value at the mean of the servers' answers, and
    that value approaches the bound as the descent goes on. So after finitely many rounds the saving
    is at least that share of the bound; this is looked up, and holds at any tolerance.
    """
    reached = solution.certified_ratio or 0.0
    g = structure.largest_set
    promised = coverage_share(g)
    if reached >= promised:
        because = f"K = 1: rounded configurations, at most {g} servers for a request"
        return Guarantee(promised, because)
    return Guarantee(max(0.0, reached), "stopped before its ratio was reached: its own bound")


METHOD = Method(
    "configuration", "whole knapsacks and experts tied by prices, rounded (K = 1)", configuration,
    only_for_one_expert, guarantee=guarantee, bound=bound,
)  # fmt: skip
