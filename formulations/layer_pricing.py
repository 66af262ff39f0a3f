"""Certified pricing: the most that one layer can be worth at given prices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from ..coverage_lp import CoverageLp, priced_lp
from ..highs import HighsResult, run_highs
from ..instances.arrays import sums
from ..instances.instance import BoolArray, FloatArray
from ..instances.layers import Layer
from ..instances.solution import StoppedBy
from ..method import Deadline, Limits
from .good_placements import Beyond, Good, good_placements, small_enough

#: Largest layer, in rows, for which the integer program is tried.
EXACT_ROWS = 20_000

#: From so many rows on the relaxation is solved by a first-order method: on layers of a recorded
#: trace (32 experts, K = 4, 100,000 rows) 3 to 5 times faster than simplex.
FIRST_ORDER_ROWS = 20_000
_FIRST_ORDER = {"solver": "pdlp", "pdlp_iteration_limit": 50_000}

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
    gain_s : float
        Gain of the placement, or of the fractional one.
    used : float array [N]
        Its experts on each server.
    cached : bool array [N, E] or None
        None for a fractional one.
    """

    bound_s: float
    pricing: Pricing
    gain_s: float
    used: FloatArray
    cached: BoolArray | None


def may_be_exact(layer: Layer) -> bool:
    """Whether a layer is small enough for `good_placements` or an integer program."""
    return small_enough(layer) or int(layer.terms.sizes().sum()) <= EXACT_ROWS


class LayerPricing:
    """One layer's models.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._rows = int(layer.terms.sizes().sum())
        self._simplex = self._rows < FIRST_ORDER_ROWS
        self._duals: tuple[FloatArray, FloatArray] | None = None
        self._duals_at = np.full(layer.servers, np.nan)

    @cached_property
    def _model(self) -> CoverageLp:
        return priced_lp(self.layer.terms, self.layer.most, shared=self._simplex)

    def _relax(self, prices: FloatArray, limits: Limits) -> HighsResult:
        """Solve the relaxation and keep its duals for `good_placements`."""
        options = {"presolve": "off"} if self._simplex else _FIRST_ORDER
        linear = self._model.at_prices(prices)
        relaxed = run_highs(linear, limits=limits, relax=True, options=options)
        if relaxed.row_dual is not None:
            terms, capacity = self.layer.terms, relaxed.row_dual[-self.layer.servers :]
            sets = len(terms.server_sets)
            multipliers = self._model.multipliers(relaxed.row_dual, sets, terms.items)
            self._duals, self._duals_at = (multipliers, np.maximum(-capacity, 0.0)), prices
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
        if not np.array_equal(prices, self._duals_at):
            self._relax(prices, Limits(deadline.remaining_s()))
        if self._duals is None:
            return None
        return good_placements(self.layer, prices, *self._duals, least_s, deadline, beyond)

    def price(
        self, prices: FloatArray, best: BoolArray, *, lp: Limits, integer: Limits | None
    ) -> Priced:
        """Bound what the layer can be worth.

        The linear relaxation first; its bound is computed from the duals by weak duality, so it
        holds wherever the solver stops. Where it leaves something open, `good_placements`, or the
        integer program where the layer is too large for that.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        best : bool array [N, E]
            The best placement known at these prices.
        lp, integer : Limits
            Of the relaxation, and of the exact search; None for no such search.
        """
        total = float(self.layer.terms.weight_s.sum())
        relaxed = self._relax(prices, lp)
        bound = min(-relaxed.bound, total)
        gain, used = self.layer.gain_s(best), best.sum(axis=1).astype(np.float64)
        value = gain - float(prices @ used)
        if bound - value <= _MARGIN * total:
            return Priced(bound, Pricing.EXACT, gain, used, best)
        if integer is None or not may_be_exact(self.layer):
            if relaxed.values is None or relaxed.stopped_by is not StoppedBy.PROOF:
                return Priced(bound, Pricing.STOPPED, gain, used, best)
            x = relaxed.values[: len(self._model.server)].clip(0.0, 1.0)
            used = sums(self._model.server, x, self.layer.servers)
            return Priced(bound, Pricing.LP, bound + float(prices @ used), used, None)
        if small_enough(self.layer) and self._duals is not None:
            until = integer.deadline()
            good = good_placements(self.layer, prices, *self._duals, value, until, best_only=True)
            if good is not None:
                if len(good.value_s) and good.value_s.max() > value:
                    best = good.cached(int(good.value_s.argmax()))
                    value = float(good.value_s.max())
                # Room for the rounding of sums.
                bound = min(bound, value + _ROUNDING * (total + float(prices.sum()) * best.size))
                used = best.sum(axis=1).astype(np.float64)
                return Priced(bound, Pricing.EXACT, self.layer.gain_s(best), used, best)
        if self._rows > EXACT_ROWS:
            return Priced(bound, Pricing.STOPPED, gain, used, best)
        linear = self._model.at_prices(prices)
        solved = run_highs(linear, limits=integer, start=self._model.start(best), options=_INTEGER)
        # What may hide in the tolerances grows with the prices, too.
        margin = _MARGIN * (total + float(prices.sum()) * best.shape[1])
        bound = min(bound, -solved.bound + margin)
        if solved.values is not None:
            nothing = np.zeros_like(best)
            found = self._model.placed(solved.values, nothing)
            if self.layer.gain_s(found) - float(prices @ found.sum(axis=1)) > value:
                best = found
        proved = solved.stopped_by is StoppedBy.PROOF
        pricing = Pricing.EXACT if proved else Pricing.STOPPED
        used = best.sum(axis=1).astype(np.float64)
        return Priced(bound, pricing, self.layer.gain_s(best), used, best)
