"""Method `decomposition`: columns of the layer decomposition, put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..formulations.decomposition import Decomposition
from ..formulations.decomposition_bound import latency_bound, show
from ..instances.demand import merged_demand
from ..instances.evaluate import latency_empty_s
from ..instances.instance import BoolArray, Instance
from ..instances.placement import Placement
from ..instances.solution import StoppedBy, latency_gap
from ..method import Limits, Method, Outcome
from .ascent import climb, in_turn
from .successive import guarantee

#: Shares of the time limit: until the bound must be done, and of one restricted master problem.
_BOUND_SHARE, _MASTER_SHARE = 0.7, 0.1

#: Nodes of a restricted master problem.
_MASTER_NODES = 20_000

#: Searches at other prices once the bound is done.
_DIVERSE = 30


def price_and_round(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    progress: bool = False,
) -> Outcome:
    """Bound by layer decomposition, and choose among the layers' placements that it meets.

    After every round of the bound the restricted master problem is solved as an integer program
    over all placements of layers known so far, and the result improved by best responses of single
    servers. Once the bound is done, placements that are good at other prices join in. Never worse
    than the start, by default `successive`.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Threads are processes. A gap counts against the method's own bound.
    seed : int
    start : Placement, optional
    progress : bool
        Show each round on stderr if that is a terminal.
    """
    deadline = limits.deadline()
    demand = merged_demand(instance)
    order = tuple(range(instance.servers))
    meta: dict[str, Any] = {}
    if start is None:
        first = in_turn(instance, order, deadline)
        best, meta = first.cached, dict(first.share)
    else:
        best = start.cached
    decomposition = Decomposition(instance, limits.threads)
    decomposition.add(best)
    empty = latency_empty_s(instance)

    def improved(cached: BoolArray) -> BoolArray:
        """Best placement from the known columns and a climb from there."""
        limit = Limits(deadline.part(_MASTER_SHARE).remaining_s(), nodes=_MASTER_NODES)
        cached = decomposition.master.rounded(limit, cached)
        cached = climb(instance, demand, cached, order, deadline)[1]
        decomposition.add(cached)
        return cached

    def closed() -> bool:
        latency = empty - decomposition.terms.saving_s(best)
        gap = latency_gap(latency, latency_bound(empty, decomposition.bound_s))
        return gap is not None and gap <= limits.gap

    rounds = 0
    for done in decomposition.rounds(deadline.part(_BOUND_SHARE)):
        rounds += 1
        if progress:
            show(done, empty)
        best = improved(best)
        if closed():
            break
    if decomposition.layers and not closed() and not deadline.passed():
        decomposition.diversify(np.random.default_rng(seed), _DIVERSE, deadline)
        best = improved(best)
    reached = limits.gap > 0 and closed()
    finished = decomposition.converged and not deadline.passed()
    return Outcome(
        Placement(best),
        StoppedBy.GAP if reached else StoppedBy.FINISHED if finished else StoppedBy.TIME,
        latency_bound(empty, decomposition.bound_s),
        meta
        | {"rounds": rounds, "columns": len(decomposition.master)}
        | {"pricing": decomposition.pricing},
    )


METHOD = Method(
    "decomposition", "columns of the layer decomposition, with its bound (any K)", price_and_round,
    uses_seed=True, guarantee=guarantee,
)  # fmt: skip
