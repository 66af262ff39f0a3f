"""Column generation: the master proposes prices, pricing hands back columns and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import FloatArray
from .dual import Dual
from .incumbent import Incumbent
from .pricing import Pricing, may_be_exact

#: Prices that differ by less, as a share of the largest, are the same.
_SAME_PRICES = 1e-9

#: Share of the gap to a placement that the bound must be able to close, after a split.
_WORTHWHILE = 0.2


class Phase(Enum):
    """How closely layers are priced."""

    #: By their relaxations, no further than the gap needs.
    SLACK = 0
    #: By their relaxations, to the end.
    TIGHT = 1
    #: Exactly, where they are small enough for that.
    EXACT = 2


class Round(NamedTuple):
    """A certified round.

    Attributes
    ----------
    bound_s : float
        No placement's saving is larger; the best so far.
    pricing : dict
        How many layers were priced in which way.
    """

    bound_s: float
    pricing: dict[str, int]


class ColumnGeneration:
    """Looks for the prices with the smallest bound.

    The restricted master problem proposes prices (Dantzig, Wolfe 1960, doi:10.1287/opre.8.1.101),
    stabilised by smoothing (Wentges 1997, doi:10.1016/S0969-6016(97)00001-4). Layers are priced by
    their relaxations, no further than the gap needs, until these have little more to give, then
    exactly.

    Parameters
    ----------
    dual : Dual
        With its master and its layers.
    incumbent : Incumbent, optional
        The best placement so far: after a split rounds end where the master is far closer to the
        bound.

    Attributes
    ----------
    converged : bool
        Whether more rounds would not make the bound better.
    """

    def __init__(self, dual: Dual, incumbent: Incumbent | None = None) -> None:
        self._incumbent = incumbent
        self.dual, self.master, self.parameters = dual, dual.master, dual.pool.parameters
        self.converged = not dual.pool.layers
        self.phase = Phase.SLACK
        self._gap_s = dual.bound_s
        #: The last bound and the last value of the master; rounds since one of them moved; rounds
        #: of exact pricing that time ended.
        self._last, self._idle, self._stopped = (np.inf, 0.0), 0, 0

    def rounds(self, deadline: Deadline) -> Iterator[Round]:
        """Improve the bound, round by round, until it is as good as it gets or time is over.

        After a split also until it is good enough for the incumbent, but for one round at least, if
        any: without new columns the same ones would be put together again.
        """
        if self.converged:
            return
        # What a unit of room saves in the best placement known.
        density = self.master.prices()[1] / max(float(self.master.room.sum()), 1e-300)
        first = [np.full_like(self.master.room, k * density) for k in self.parameters.first_prices]
        if np.isfinite(self._last[0]):
            # It goes on, with what the master has learnt since.
            first = [self._near_best(self.master.prices()[0], self.parameters.split_smoothing)]
        elif self.dual.best.layers:
            first = [self.dual.best.prices]
        ahead = iter(first)
        prices = next(ahead)
        while not self.converged and not deadline.passed():
            exactly = self.phase is Phase.EXACT
            added = self.dual.certify(prices, self._slack_s(), deadline, exactly=exactly)
            proposed, value = self.master.prices()
            self._observe(value)
            same = np.abs(proposed - prices).max() <= _SAME_PRICES * max(prices.max(), density)
            following = self._advance(prices, proposed, added > 0, bool(same))
            yield Round(self.dual.bound_s, self.dual.pricing)
            if self._gives_up() or self._is_enough():
                return
            prices = next(ahead, following)

    def _slack_s(self) -> float:
        """By how much a layer's relaxation may exceed its value."""
        if self.phase is not Phase.SLACK:
            return 0.0
        return self.parameters.relaxation_slack * self._gap_s / len(self.dual.pool.layers)

    def _observe(self, value: float) -> None:
        """Keep account of how far bound and master are apart, and whether they still move."""
        bound = self.dual.best.bound_s
        step = max(self._last[0] - bound, value - self._last[1])
        moved = step > self.parameters.converged_gap * self.dual.bound_s
        self._idle = 0 if moved else self._idle + 1
        self._last, self._gap_s = (bound, value), self.dual.bound_s - value

    def _advance(
        self, prices: FloatArray, proposed: FloatArray, added: bool, same: bool
    ) -> FloatArray:
        """The next prices; and the next phase, or the end, where this one has little to give."""
        stuck = same and not added
        if stuck and self.phase is Phase.SLACK:
            self.phase = Phase.TIGHT
            return prices
        close = self._gap_s <= self.parameters.exact_gap * self.dual.bound_s
        # Relaxations of large layers are nearly as good as exact pricing.
        close = close and not self.dual.pool.large
        if close or stuck or self._idle >= self.parameters.patience:
            return self._end_phase(prices, proposed, stuck)
        if self.phase is Phase.EXACT:
            return proposed
        parameters = self.parameters
        if self.dual.pool.large:
            # Relaxations far from the best prices take long: nearer to the master by and by.
            less = parameters.smoothing ** (1 + self._idle)
            return self._near_best(proposed, parameters.split_smoothing if added else less)
        # Without new columns the master knows better than the best prices so far.
        return self._near_best(proposed, parameters.smoothing) if added else proposed

    def _near_best(self, proposed: FloatArray, kept: float) -> FloatArray:
        """Prices between the master's and the best so far, of which a share is kept."""
        return (1 - kept) * proposed + kept * self.dual.best.prices

    def _end_phase(self, prices: FloatArray, proposed: FloatArray, stuck: bool) -> FloatArray:
        """Price exactly from now on, or see whether that is the end; the next prices."""
        if self.phase is not Phase.EXACT and self._begin_exact():
            self._idle = 0
            return self.master.prices()[0]
        if self._gap_s <= self.parameters.converged_gap * self.dual.bound_s:
            self.converged = True
        elif stuck:
            # Nothing is left but rounding, or layers that need more time.
            self.converged = not self.dual.stopped
            return prices
        return proposed

    def _begin_exact(self) -> bool:
        """Drop the relaxations' columns; whether exact pricing can change anything."""
        self.phase = Phase.EXACT
        changes = False
        for number, priced in enumerate(self.dual.best.layers):
            if may_be_exact(self.dual.pool.layers[number], self.parameters):
                self.master.drop_fractional(number)
                changes = changes or priced.pricing is not Pricing.EXACT
        return changes

    def _is_enough(self) -> bool:
        """Whether it is the incumbent that leaves most of the gap, after a split."""
        if self._incumbent is None or not self.dual.pool.large:
            return False
        return self._gap_s < _WORTHWHILE * self._incumbent.gap_s

    def _gives_up(self) -> bool:
        """Whether further rounds promise nothing."""
        self._stopped += self.phase is Phase.EXACT and self.dual.stopped
        idle, stopped = self.parameters.patience, self.parameters.stopped_rounds
        return self._idle >= idle or self._stopped >= stopped
