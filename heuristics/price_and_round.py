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
from ..instances.solution import StoppedBy, closes, latency_gap
from ..method import Deadline, Limits, Method, Outcome
from .ascent import climb, in_turn
from .successive import guarantee

#: Shares of the time left: for the bound; for one restricted master problem, and for a climb; for
#: the enumeration of placements; for columns at other prices.
_BOUND_SHARE, _MASTER_SHARE, _ENUMERATION_SHARE, _DIVERSE_SHARE = 0.7, 0.03, 0.8, 0.3

#: Nodes of a restricted master problem.
_MASTER_NODES = 20_000

#: The first loss of a layer that is allowed, as a share of the gap. It grows as long as the bound
#: follows, but for rounding.
_LOSS, _GROWTH, _CLEAR = 1 / 16, 1.5, 1e-3

#: Searches at other prices where that does not close it.
_DIVERSE = 30

#: Room for the rounding of sums, as a share of the saving.
_ROUNDING = 1e-12


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
    servers. Once the bound is done, all placements that lose little against it are enumerated,
    until the best of them is proved or time is over (`Decomposition.within`). Where layers are too
    large for that, placements that are good at other prices join in. Never worse than the start, by
    default `successive`.

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
    meta: dict[str, Any] = {}
    if start is None:
        first = in_turn(instance, range(instance.servers), deadline)
        best, meta = first.cached, dict(first.share)
    else:
        best = start.cached
    with Decomposition(instance, limits.threads) as decomposition:
        rounding = _Rounding(instance, decomposition, best, limits, deadline)
        for done in decomposition.rounds(deadline.part(_BOUND_SHARE)):
            if progress:
                show(done, rounding.empty_s)
            rounding.round_up()
            if rounding.closed():
                break
        if not rounding.closed() and decomposition.layers and not deadline.passed():
            rounding.enumerate()
            if not rounding.closed() and not deadline.passed():
                rounding.diversify(np.random.default_rng(seed))
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    if rounding.closed():
        stopped_by = StoppedBy.GAP if limits.gap > 0 else StoppedBy.FINISHED
    return Outcome(
        Placement(rounding.best),
        stopped_by,
        latency_bound(rounding.empty_s, rounding.bound_s),
        meta | {"columns": len(decomposition.master), "pricing": decomposition.pricing},
    )


class _Rounding:
    """The best placement so far, and how it gets better."""

    def __init__(
        self,
        instance: Instance,
        decomposition: Decomposition,
        best: BoolArray,
        limits: Limits,
        deadline: Deadline,
    ) -> None:
        self.best = best
        self.empty_s = latency_empty_s(instance)
        self._instance, self._decomposition = instance, decomposition
        self._demand = merged_demand(instance)
        self._limits, self._deadline = limits, deadline
        self._within_s = np.inf
        decomposition.add(best)

    @property
    def saving_s(self) -> float:
        """Saving of the best placement."""
        return self._decomposition.terms.saving_s(self.best)

    @property
    def bound_s(self) -> float:
        """No placement saves more."""
        return min(self._decomposition.bound_s, self._within_s)

    def closed(self) -> bool:
        """Whether the gap is as small as wanted, or nothing but tolerance."""
        latency, bound = self.empty_s - self.saving_s, latency_bound(self.empty_s, self.bound_s)
        gap = latency_gap(latency, bound)
        within = gap is not None and gap <= self._limits.gap
        return within or closes(latency, bound, self.empty_s)

    def round_up(self, share: float = _MASTER_SHARE) -> None:
        """Put known columns together and climb from there."""
        limit = Limits(self._deadline.part(share).remaining_s(), nodes=_MASTER_NODES)
        best = self._decomposition.master.rounded(limit, self.best)
        if np.array_equal(best, self.best):
            return
        order, until = range(self._instance.servers), self._deadline.part(_MASTER_SHARE)
        _, best = climb(self._instance, self._demand, best, order, until)
        self._take(best)

    def _take(self, placement: BoolArray) -> None:
        self._decomposition.add(placement)
        if self._decomposition.terms.saving_s(placement) > self.saving_s:
            self.best = placement

    def enumerate(self) -> None:
        """Look at all placements in which no layer loses much against the bound, then at more."""
        loss, until = _LOSS * self._gap_s(), self._deadline.part(_ENUMERATION_SHARE)
        while not until.passed():
            within = self._decomposition.within(loss, self._gap_s(), until)
            if within is None:
                return
            self._within_s = min(self._within_s, within.bound_s * (1 + _ROUNDING))
            if within.cached is not None:
                self._take(within.cached)
            known = self._decomposition.dual_s - self._within_s
            if self.closed() or known < loss * (1 - _CLEAR):
                return
            # With half of the gap all is looked at.
            most = 0.5 * self._gap_s() * (1 + _CLEAR)
            if loss >= most:
                return
            loss = min(_GROWTH * loss, most)

    def _gap_s(self) -> float:
        """What the best placement loses against the bound of the prices."""
        return self._decomposition.dual_s * (1 + _ROUNDING) - self.saving_s

    def diversify(self, rng: np.random.Generator) -> None:
        """Put columns that are good at other prices together."""
        until = self._deadline.part(_DIVERSE_SHARE)
        self._decomposition.diversify(rng, _DIVERSE, until)
        self.round_up(1.0)


METHOD = Method(
    "decomposition", "columns of the layer decomposition, with its bound (any K)", price_and_round,
    uses_seed=True, guarantee=guarantee,
)  # fmt: skip
