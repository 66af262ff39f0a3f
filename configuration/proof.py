"""The optimum for K = 1, proved: what method `exact` does there."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

from ..heuristics.greedy import Gains, greedy_pass
from ..method import Limits, Outcome
from ..problem.evaluate import latency_empty_s
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import StoppedBy, latency_gap
from ..problem.terms import coverage_terms
from .search import Search

#: Rounds of descent, sets of servers for each expert, and nodes of HiGHS in the first attempt, and
#: how they grow.
_ROUNDS, _SETS, _NODES, _GROWTH = 40, 4, 5, 4

#: An instance of so few terms is given to HiGHS at once: its root takes less than the prices.
_FEW_TERMS = 500

#: And where all open sets are too many, one of so many is tried without waiting for better prices.
_SOME_TERMS = 5000

#: Sets that HiGHS is given at most where there is a time limit: with twice as many it was seen to
#: round for minutes without a look at the clock.
_MOST_SETS = 4000

#: Where all open sets are at most so many times those of an attempt, they are tried at once.
_NEARLY = 8


def prove(
    instance: Instance, *, limits: Limits, seed: int, start: Placement | None = None
) -> Outcome:
    """Prove the optimum of an instance with K = 1.

    `greedy` and best responses give a placement, prices a bound, and HiGHS chooses among what the
    gap between them leaves open. Each attempt has more rounds of descent, more choices and more
    nodes than the last one; when the prices are as good as they get, HiGHS has all the time left.
    With few terms it tries without prices first, with one node.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Nodes count for each run of HiGHS.
    seed : int
        HiGHS' random seed.
    start : Placement, optional

    Returns
    -------
    Outcome
        Never below `greedy` or the start.
    """
    deadline = limits.deadline()
    empty_s = latency_empty_s(instance)
    terms = coverage_terms(instance)
    search = Search(instance, terms, deadline)
    if start is not None:
        search.take(start.cached(instance))
    empty = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    gains = Gains(terms, instance.servers)
    sizes = len({model.expert_bytes for model in instance.models})
    for per_byte in (False, True)[: min(sizes, 2)]:
        search.take(greedy_pass(instance, gains.copy(), empty, per_byte, deadline)[0])
    if len(terms) <= _FEW_TERMS and not (search.proved or deadline.passed()):
        once = 1 if limits.nodes is None else min(1, limits.nodes)
        search.close_pairs(dataclasses.replace(limits, nodes=once), seed)
    most_sets = sys.maxsize if np.isinf(limits.time_s) else _MOST_SETS
    rounds, sets, nodes = _ROUNDS, _SETS * instance.items, _NODES
    stopped_by, converged = StoppedBy.FINISHED, False
    while not (search.proved or _near(search, empty_s, limits.gap) or deadline.passed()):
        if not converged:
            converged = search.descend(rounds, limits.threads)
        most = limits.nodes
        if not converged:
            most = nodes if most is None else min(nodes, most)
        if not search.proved and not deadline.passed():
            part = dataclasses.replace(limits, nodes=most)
            sets = min(sets, most_sets)
            whole = search.open_sets() <= sets
            stopped_by = search.close(part, seed, sets)
            nearly = min(_NEARLY * sets, most_sets)
            if not (whole or search.proved) and search.open_sets() <= nearly:
                # A better placement left few.
                whole = True
                stopped_by = search.close(part, seed, nearly)
            over = search.proved or deadline.passed()
            pairs = not over and (converged or len(terms) <= _SOME_TERMS)
            # Too many sets, or one that is open was not kept.
            if pairs and (search.open_sets() > most_sets or (whole and search.others_open())):
                stopped_by = search.close_pairs(part, seed)
            last = whole or sets == most_sets or stopped_by is not StoppedBy.PROOF
            if converged and last:
                break
        rounds, sets, nodes = _GROWTH * rounds, _GROWTH * sets, _GROWTH * nodes
    if search.proved:
        stopped_by = StoppedBy.PROOF
    elif _near(search, empty_s, limits.gap):
        stopped_by = StoppedBy.GAP
    elif deadline.passed():
        stopped_by = StoppedBy.TIME
    elif stopped_by is StoppedBy.PROOF:
        # Of a part.
        stopped_by = StoppedBy.FINISHED
    placement = Placement.of(instance, search.cached)
    return Outcome(placement, stopped_by, meta=search.meta, bound_saving_s=search.bound_s)


def _near(search: Search, empty_s: float, gap: float) -> bool:
    """Whether the latency is as near to its bound as is asked for."""
    reached = latency_gap(empty_s - search.saving_s, max(0.0, empty_s - search.bound_s))
    return gap > 0 and reached is not None and reached <= gap
