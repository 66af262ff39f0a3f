"""Certified pricing: the most that one layer can be worth at given prices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ..linear.coverage_program import priced_program
from ..linear.highs import run_highs
from ..method import Deadline, Limits
from ..problem.instance import BoolArray, FloatArray
from ..problem.layers import Layer
from ..problem.solution import StoppedBy
from .layer_search import LayerSearch
from .layer_tree import Beyond, Good, good_placements, small_enough
from .relaxation import LayerRelaxation, Relaxed

#: Largest layer, in rows, for which the integer program is tried.
EXACT_ROWS = 20_000

#: Measured on dense layers of 8 experts: 4 times faster than HiGHS' defaults. The search above
#: already found the best placement nearly always, and strong branching takes most of the time.
_INTEGER = {"presolve": "off", "mip_heuristic_effort": 0.0, "mip_pscost_minreliable": 0}

#: Share of a layer's weight that may hide in the tolerances of the integer program.
_MARGIN = 1e-8

#: And in the rounding of sums.
_ROUNDING = 1e-12


class Pricing(StrEnum):
    """How a layer's bound was found: the optimum, the relaxation, or whatever time allowed."""

    EXACT = "exact"
    LP = "lp"
    STOPPED = "stopped"


@dataclass(frozen=True, eq=False)
class Priced:
    """What is known of a layer at some prices.

    Attributes
    ----------
    bound_s : float
        No placement's gain minus its price is larger, in seconds.
    pricing : Pricing
    cached : bool array [N, E]
        The best placement known.
    fractional : (float, float array [N]) or None
        Gain of a better fractional one, and its experts on each server.
    """

    bound_s: float
    pricing: Pricing
    cached: BoolArray
    fractional: tuple[float, FloatArray] | None = None


def may_be_exact(layer: Layer) -> bool:
    """Whether a layer is small enough for `good_placements` or an integer program."""
    return small_enough(layer) or _rows(layer) <= EXACT_ROWS


class LayerPricing:
    """One layer's models.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._search = LayerSearch(layer)
        self._relaxation = LayerRelaxation(layer)
        self._relaxed: tuple[FloatArray, float, Relaxed] | None = None

    def _relax(self, prices: FloatArray, slack_s: float, deadline: Deadline) -> Relaxed:
        """Solve the relaxation, unless that is what was done last."""
        if self._relaxed is not None:
            last, slack, known = self._relaxed
            if known.solved and slack <= slack_s and np.array_equal(prices, last):
                return known
        relaxed = self._relaxation.solve(prices, slack_s, deadline)
        self._relaxed = prices, slack_s, relaxed
        return relaxed

    def good(
        self,
        prices: FloatArray,
        least_s: float,
        deadline: Deadline,
        beyond: Beyond | None = None,
    ) -> Good | None:
        """Placements whose gain minus price is at least `least_s`, the best for each counts.

        None if the layer is too large for that, there are too many, or time is over.
        """
        if not small_enough(self.layer):
            return None
        duals = self._relax(prices, 0.0, deadline).duals
        return good_placements(self.layer, prices, *duals, least_s, deadline, beyond)

    def price(
        self,
        prices: FloatArray,
        best: BoolArray,
        slack_s: float,
        deadline: Deadline,
        integer: Deadline | None,
    ) -> Priced:
        """Bound what the layer can be worth.

        The linear relaxation first. Where it leaves something open, `good_placements`, or the
        integer program where the layer is too large for that.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        best : bool array [N, E]
            The best placement known at these prices.
        slack_s : float
            By how much the relaxation's bound may be too large.
        deadline, integer : Deadline
            Of the relaxation, and of the exact search; None for no such search.
        """
        total = float(self.layer.terms.weight_s.sum())
        relaxed = self._relax(prices, slack_s, deadline)
        bound = relaxed.bound_s
        rounded = self._rounded(relaxed.share)
        best = max(best, rounded, key=lambda cached: self._worth(prices, cached))
        if bound - self._worth(prices, best) <= _MARGIN * total:
            return Priced(bound, Pricing.EXACT, best)
        if bound - self._worth(prices, best) > slack_s:
            best = self._search.search(prices, [best, rounded])[0]
        value = self._worth(prices, best)
        if bound - value <= _MARGIN * total:
            return Priced(bound, Pricing.EXACT, best)
        if integer is None or not may_be_exact(self.layer):
            if not relaxed.solved:
                return Priced(bound, Pricing.STOPPED, best)
            used = relaxed.share.sum(axis=1)
            return Priced(bound, Pricing.LP, best, (relaxed.value_s + float(prices @ used), used))
        # Room for the rounding of sums; what may hide in tolerances grows with the prices, too.
        size = total + float(prices.sum()) * best.shape[1]
        if small_enough(self.layer):
            good = good_placements(
                self.layer, prices, *relaxed.duals, value, integer, best_only=True
            )
            if good is not None:
                if len(good.value_s) and good.value_s.max() > value:
                    best = good.cached(int(good.value_s.argmax()))
                    value = float(good.value_s.max())
                return Priced(min(bound, value + _ROUNDING * size), Pricing.EXACT, best)
        if _rows(self.layer) > EXACT_ROWS:
            return Priced(bound, Pricing.STOPPED, best)
        model = priced_program(self.layer.terms, self.layer.most, prices)
        limits = Limits(integer.remaining_s())
        solved = run_highs(model.linear, limits=limits, start=model.start(best), options=_INTEGER)
        bound = min(bound, -solved.bound + _MARGIN * size)
        if solved.values is not None:
            found = model.placed(solved.values, np.zeros_like(best))
            best = max(best, found, key=lambda cached: self._worth(prices, cached))
        proved = solved.stopped_by is StoppedBy.PROOF
        return Priced(bound, Pricing.EXACT if proved else Pricing.STOPPED, best)

    def _rounded(self, share: FloatArray) -> BoolArray:
        """More than halves of experts, the largest first where not all fit."""
        rank = np.argsort(np.argsort(-share, axis=1, kind="stable"), axis=1)
        rounded: BoolArray = (share > 0.5) & (rank < self.layer.most[:, None])
        return rounded

    def _worth(self, prices: FloatArray, cached: BoolArray) -> float:
        """Gain minus price."""
        return self.layer.gain_s(cached) - float(prices @ cached.sum(axis=1))


def _rows(layer: Layer) -> int:
    """Rows of a layer's integer program."""
    return int(layer.terms.sizes().sum())
