"""Certified pricing: the most that one layer can be worth at given prices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from ..coverage_lp import CoverageLp, priced_lp
from ..highs import run_highs
from ..instances.arrays import sums
from ..instances.instance import BoolArray, FloatArray
from ..instances.layers import Layer
from ..instances.solution import StoppedBy
from ..method import Limits
from .count_profile import CountProfile

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

#: Most placements of one layer that are handed over as near-optimal.
_MOST_COLUMNS = 1500


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
    """Whether a layer is small enough for its integer program."""
    return int(layer.terms.sizes().sum()) <= EXACT_ROWS


class LayerPricing:
    """One layer's models.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        rows = int(layer.terms.sizes().sum())
        self._simplex = rows < FIRST_ORDER_ROWS

    @cached_property
    def _profile(self) -> CountProfile | None:
        return CountProfile(self.layer) if CountProfile.possible(self.layer) else None

    def _values(self, profile: CountProfile, prices: FloatArray) -> FloatArray:
        """Gain minus price by the counts of experts."""
        counts = np.indices(profile.gain_s.shape)
        values: FloatArray = profile.gain_s - np.tensordot(prices, counts, axes=1)
        return values

    def near_optimal(self, prices: FloatArray, least_s: float) -> list[BoolArray] | None:
        """Best placement for every counts whose gain minus price may be at least `least_s`.

        None if the layer is too large for that, or there are too many.
        """
        if self._profile is None:
            return None
        chosen = np.argwhere(self._values(self._profile, prices) >= least_s)
        if len(chosen) > _MOST_COLUMNS:
            return None
        return [self._profile.placement(counts) for counts in chosen.tolist()]

    @cached_property
    def _model(self) -> CoverageLp:
        return priced_lp(self.layer.terms, self.layer.servers, shared=self._simplex)

    def price(
        self, prices: FloatArray, best: BoolArray, *, lp: Limits, integer: Limits | None
    ) -> Priced:
        """Bound what the layer can be worth.

        Small layers are looked up in their `CountProfile`. Otherwise the linear relaxation first;
        its bound is computed from the duals by weak duality, so it
        holds wherever the solver stops. The integer program only where the relaxation leaves
        something open.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        best : bool array [N, E]
            The best placement known at these prices.
        lp, integer : Limits
            Of the relaxation, and of the integer program; None for no integer program.
        """
        total = float(self.layer.terms.weight_s.sum())
        if self._profile is not None:
            values = self._values(self._profile, prices)
            counts = np.unravel_index(int(values.argmax()), values.shape)
            best = self._profile.placement([int(count) for count in counts])
            used = best.sum(axis=1).astype(np.float64)
            bound = float(values.max()) + _ROUNDING * total
            return Priced(bound, Pricing.EXACT, self.layer.gain_s(best), used, best)
        linear = self._model.at_prices(prices)
        options = {"presolve": "off"} if self._simplex else _FIRST_ORDER
        relaxed = run_highs(linear, limits=lp, relax=True, options=options)
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
        solved = run_highs(linear, limits=integer, start=self._model.start(best), options=_INTEGER)
        bound = min(bound, -solved.bound + _MARGIN * total)
        if solved.values is not None:
            nothing = np.zeros_like(best)
            found = self._model.placed(solved.values, nothing)
            if self.layer.gain_s(found) - float(prices @ found.sum(axis=1)) > value:
                best = found
        proved = solved.stopped_by is StoppedBy.PROOF
        pricing = Pricing.EXACT if proved else Pricing.STOPPED
        used = best.sum(axis=1).astype(np.float64)
        return Priced(bound, pricing, self.layer.gain_s(best), used, best)
