"""Method `decomposition`: columns of the layer decomposition, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..heuristics.ascent import ascend
from ..heuristics.successive import guarantee, in_turn
from ..method import Deadline, Limits, Method, Outcome
from ..problem.demand import merged_demand
from ..problem.evaluate import latency_empty_s
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement
from ..problem.solution import StoppedBy, closes, latency_gap
from .dual_bound import dual_bound
from .rounds import Decomposition

#: Shares of the time left: for the bound; for one restricted master problem, and for a climb; for
#: the enumeration of placements; for a dive.
_BOUND_SHARE, _MASTER_SHARE, _ENUMERATION_SHARE, _DIVE_SHARE = 0.7, 0.03, 0.8, 0.5

#: Nodes of a restricted master problem.
_MASTER_NODES = 200

#: The first loss of a layer that is allowed, as a share of the gap. It grows as long as the bound
#: follows, but for rounding.
_LOSS, _GROWTH, _CLEAR = 1 / 16, 1.5, 1e-3

#: Shares of the layers that dives fix at least; within a dive, only the first one.
_DIVES = (1 / 3, 1 / 2, 2 / 3)

#: Room for the rounding of sums, as a share of the saving.
_ROUNDING = 1e-12


def price_and_round(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
) -> Outcome:
    """Bound by layer decomposition, and choose among the layers' placements that it meets.

    After every round of the bound the restricted master problem is solved as an integer program
    over all placements of layers known so far, and the result improved by best responses of single
    servers. Once the bound is done, all placements that lose little against it are enumerated,
    until the best of them is proved or time is over (`Decomposition.within`). Where layers are too
    large for that, parts of the layers are solved on their own with the capacity that the others
    leave (`_Rounding.dive`). Never worse than the start, by default `successive`.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Threads are processes. A gap counts against the method's own bound.
    seed : int
        Not used.
    start : Placement, optional
    """
    return _run(instance, limits, start, dives=_DIVES)


def _run(
    instance: Instance,
    limits: Limits,
    start: Placement | None,
    *,
    dives: Sequence[float],
) -> Outcome:
    deadline = limits.deadline()
    meta: dict[str, Any] = {}
    if start is None:
        first = in_turn(instance, range(instance.servers), deadline)
        best, meta = first.cached, {"server_share": first.share}
    else:
        best = start.cached(instance)
    with Decomposition(instance, limits.threads) as decomposition:
        rounding = _Rounding(instance, decomposition, best, limits, deadline)
        for done in decomposition.rounds(deadline.part(_BOUND_SHARE)):
            limits.watch.tell(bound_saving_s=done.bound_s)
            rounding.round_up()
            if rounding.closed():
                break
        if not rounding.closed() and decomposition.layers and not deadline.passed():
            rounding.enumerate()
            for least in dives:
                if not rounding.closed() and not deadline.passed():
                    rounding.dive(least)
                    rounding.round_up()
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    if rounding.closed():
        stopped_by = StoppedBy.GAP if limits.gap > 0 else StoppedBy.FINISHED
    return Outcome(
        Placement.of(instance, rounding.best),
        stopped_by,
        meta=meta | {"columns": len(decomposition.master), "pricing": decomposition.pricing},
        bound_saving_s=rounding.bound_s,
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
        self._empty_s = latency_empty_s(instance)
        self._instance, self._decomposition = instance, decomposition
        self._demand = merged_demand(instance)
        self._limits, self._deadline = limits, deadline
        self._within_s = np.inf
        decomposition.add(best)
        limits.watch.tell(saving_s=self.saving_s)

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
        gap = latency_gap(self._empty_s - self.saving_s, max(0.0, self._empty_s - self.bound_s))
        within = self._limits.gap > 0 and gap is not None and gap <= self._limits.gap
        limitless = float(self._decomposition.terms.weight_s.sum())
        return within or closes(self.saving_s, self.bound_s, limitless)

    def round_up(self) -> None:
        """Put known columns together and climb from there."""
        limit = self._deadline.part(_MASTER_SHARE).limits(nodes=_MASTER_NODES)
        best = self._decomposition.master.rounded(limit, self.best)
        if np.array_equal(best, self.best):
            return
        self._climb(best)

    def _climb(self, placement: BoolArray) -> None:
        """Improve a placement by best responses and take it up."""
        order, until = range(self._instance.servers), self._deadline.part(_MASTER_SHARE)
        _, best = ascend(self._instance, self._demand, placement, order, until)
        self._take(best)

    def _take(self, placement: BoolArray) -> None:
        self._decomposition.add(placement)
        if self._decomposition.terms.saving_s(placement) > self.saving_s:
            self.best = placement
            self._limits.watch.tell(saving_s=self.saving_s)

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

    def dive(self, least: float) -> None:
        """Fix the layers on which the master has agreed, and solve the others on their own.

        There, placements of layers fit the capacity that is left (diving: Sadykov, Vanderbeck,
        Pessoa, Tahiri, Uchoa 2019, doi:10.1287/ijoc.2018.0822).

        Parameters
        ----------
        least : float
            Share of the layers to fix, at least.
        """
        instance = self._instance
        fixed, free = self._decomposition.master.settled(least)
        if not free or len(free) == len(self._decomposition.layers):
            return
        own = np.zeros(instance.items, dtype=np.bool_)
        for number in free:
            own[self._decomposition.layers[number].own] = True
        rest = instance.replace(
            requests=instance.requests.part(np.flatnonzero(own[instance.request_items[:, 0]])),
            capacity_bytes=instance.capacity_bytes - fixed @ instance.item_bytes,
        )
        limits = self._deadline.part(_DIVE_SHARE).limits(threads=self._limits.threads)
        found = _run(rest, limits, None, dives=_DIVES[:1]).placement
        assert found is not None
        self._climb(fixed | found.cached(rest))


METHOD = Method(
    "decomposition", "columns of the layer decomposition, with its bound (any K)", price_and_round,
    guarantee=guarantee, bound=dual_bound,
)  # fmt: skip
