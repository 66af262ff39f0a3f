"""Certified pricing: the most that one layer can be worth at given prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np

from ..linear.coverage_program import priced_program
from ..linear.highs import run_highs
from ..method import Deadline
from ..problem.instance import BoolArray, FloatArray
from ..problem.layers import Layer
from ..problem.solution import StoppedBy
from ..splitting.layer_path import LayerPath
from ..splitting.layer_split import LayerBound
from .layer_search import LayerSearch, Valued
from .layer_tree import Columns, Threshold, enumerate_columns, small_enough
from .parameters import Parameters
from .relaxation import Duals, LayerRelaxation, Relaxed

_T = TypeVar("_T")

#: HiGHS' options for a layer's integer program. Measured on dense layers of 8 experts: 4 times
#: faster than its defaults. The search already found the best placement nearly always, and strong
#: branching takes most of the time.
_INTEGER = {"presolve": "off", "mip_heuristic_effort": 0.0, "mip_pscost_minreliable": 0}

#: Share of a layer's weight and prices that may hide in the tolerances of the integer program,
#: whose costs `run_highs` scales so that they are 1e-10.
_MARGIN = 1e-8

#: And in the rounding of what the tree sums up: some thousand roundings of 1e-16 at most.
_ROUNDING = 1e-12


#: Shares of experts on a server from which on they are cached there, for the first columns.
_LEVELS = (0.5, 0.3, 0.7, 0.1, 0.9)


class Pricing(StrEnum):
    """How a layer's bound was found.

    The optimum, the linear relaxation, a split of the terms' weights, or whatever time allowed.
    """

    EXACT = "exact"
    LP = "lp"
    SPLIT = "split"
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


def may_be_exact(layer: Layer, parameters: Parameters) -> bool:
    """Whether a layer is small enough for `enumerate_columns` or an integer program."""
    return small_enough(layer, parameters) or _rows(layer) <= parameters.program_rows


class LayerPricing:
    """One layer's models.

    Parameters
    ----------
    layer : Layer
    parameters : Parameters
    """

    def __init__(self, layer: Layer, parameters: Parameters) -> None:
        self.layer, self.parameters = layer, parameters
        self._search = LayerSearch(layer, parameters)
        self._relaxed: tuple[FloatArray, float, Relaxed] | None = None
        self._path: LayerPath | None = None
        self._split: tuple[LayerBound, FloatArray] | None = None

    @cached_property
    def _relaxation(self) -> LayerRelaxation:
        return LayerRelaxation(self.layer)

    def set_out(self, weight: FloatArray, limit_unit: FloatArray) -> None:
        """Begin the layer's part of a `Splitting`, see `LayerPath`."""
        self._path = LayerPath(self.layer, weight, limit_unit)

    def on_path(self, job: Callable[..., _T], *arguments: Any) -> _T:
        """Run a method of `LayerPath`."""
        return job(self._path, *arguments)

    def learn(self, prices: FloatArray, deadline: Deadline, most_s: float) -> list[BoolArray]:
        """Take the path's split in place of the relaxation, until `relax`.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        deadline : Deadline
        most_s : float
            From the call on.

        Returns
        -------
        list of bool arrays [N, E]
            Placements whose experts have at least some share, as they are and improved.
        """
        until = deadline.within(most_s)
        assert self._path is not None
        split, share = self._path.learnt()
        # The places of the path need more memory than all else.
        self._path = None
        # Most shares are 0 or 1, so most levels say the same.
        rounded = (self._whole(share, least) for least in _LEVELS)
        starts = list({start.tobytes(): start for start in rounded}.values())
        self._split = split, share
        return starts + [found.cached for found in self._search.reached(prices, starts, until)]

    def relax(self) -> bool:
        """Price by the relaxation instead of a split, where it is small enough; whether it is."""
        if self._split is None or self._split[0].value_s.size > self.parameters.relaxed_numbers:
            return False
        self._split = None
        return True

    def columns(
        self, prices: FloatArray, threshold: Threshold, deadline: Deadline
    ) -> Columns | None:
        """Enumerate the columns that reach a threshold, see `enumerate_columns`.

        None if the layer is too large for that, there are too many, or time is over.
        """
        if not small_enough(self.layer, self.parameters):
            return None
        duals = self._relax(prices, 0.0, deadline).duals
        return enumerate_columns(self.layer, prices, duals, threshold, deadline, self.parameters)

    def price(
        self,
        prices: FloatArray,
        known: BoolArray,
        slack_s: float,
        deadline: Deadline,
        exact_until: Deadline | None = None,
        exact_s: float = np.inf,
    ) -> Priced:
        """Bound what the layer can be worth.

        The linear relaxation first. Where it leaves something open, branch and bound over experts,
        or the integer program where the layer is too large for that.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        known : bool array [N, E]
            The best placement known at these prices.
        slack_s : float
            By how much the relaxation's bound may be too large.
        deadline : Deadline
            Of the relaxation.
        exact_until : Deadline, optional
            Of what is exact; by default there is none of it.
        exact_s : float
            From the call on.
        """
        if exact_until is not None:
            exact_until = exact_until.within(exact_s)
        total = float(self.layer.terms.weight_s.sum())
        if deadline.passed():
            return Priced(total * (1 + _ROUNDING), Pricing.STOPPED, known)
        margin = _MARGIN * total
        relaxed = self._relax(prices, slack_s, deadline)
        starts = [known, self._whole(relaxed.share, 0.5)]
        valued = [Valued.of(self.layer, prices, cached) for cached in starts]
        best = max(valued, key=attrgetter("worth_s"))
        if relaxed.bound_s - best.worth_s > max(margin, slack_s):
            best = self._search.search(prices, [best.cached, starts[1]], deadline)
        if relaxed.bound_s - best.worth_s <= margin:
            return Priced(relaxed.bound_s, Pricing.EXACT, best.cached)
        if exact_until is not None and may_be_exact(self.layer, self.parameters):
            return self._exactly(prices, best, relaxed, exact_until)
        if self._split is not None:
            return Priced(relaxed.bound_s, Pricing.SPLIT, best.cached)
        if not relaxed.solved:
            return Priced(relaxed.bound_s, Pricing.STOPPED, best.cached)
        used = relaxed.share.sum(axis=1)
        fractional = relaxed.value_s + float(prices @ used), used
        return Priced(relaxed.bound_s, Pricing.LP, best.cached, fractional)

    def _relax(self, prices: FloatArray, slack_s: float, deadline: Deadline) -> Relaxed:
        """Solve the relaxation, unless that is what was done last, or take the split."""
        if self._split is not None:
            split, share = self._split
            duals = Duals(split.value_s, split.limit_s)
            return Relaxed(split.worth_s(prices), 0.0, share, duals, True)
        if self._relaxed is not None:
            last, slack, known = self._relaxed
            if known.solved and slack <= slack_s and np.array_equal(prices, last):
                return known
        relaxed = self._relaxation.solve(prices, slack_s, deadline)
        self._relaxed = prices, slack_s, relaxed
        return relaxed

    def _whole(self, share: FloatArray, least: float) -> BoolArray:
        """Experts with more than some share, the largest first where not all fit."""
        rank = np.argsort(np.argsort(-share, axis=1, kind="stable"), axis=1)
        rounded: BoolArray = (share > least) & (rank < self.layer.most[:, None])
        return rounded

    def _exactly(
        self, prices: FloatArray, best: Valued, relaxed: Relaxed, deadline: Deadline
    ) -> Priced:
        """Find the optimum by branch and bound over experts, else by the integer program."""
        # What may hide in tolerances grows with the prices, too.
        size = float(self.layer.terms.weight_s.sum()) + float(prices.sum()) * self.layer.experts
        if small_enough(self.layer, self.parameters):
            columns = enumerate_columns(
                self.layer, prices, relaxed.duals, Threshold(best.worth_s), deadline,
                self.parameters, best_only=True,
            )  # fmt: skip
            if columns is not None:
                if len(columns.worth_s) and columns.worth_s.max() > best.worth_s:
                    first = int(columns.worth_s.argmax())
                    best = Valued(columns.cached(first), float(columns.worth_s[first]))
                bound = min(relaxed.bound_s, best.worth_s + _ROUNDING * size)
                return Priced(bound, Pricing.EXACT, best.cached)
        if _rows(self.layer) > self.parameters.program_rows:
            return Priced(relaxed.bound_s, Pricing.STOPPED, best.cached)
        model = priced_program(self.layer.terms, self.layer.most, prices)
        limits, start = deadline.limits(), model.start(best.cached)
        solved = run_highs(model.linear, limits=limits, start=start, options=_INTEGER)
        bound = min(relaxed.bound_s, -solved.bound + _MARGIN * size)
        if solved.values is not None:
            found = model.placed(solved.values, np.zeros_like(best.cached))
            valued = best, Valued.of(self.layer, prices, found)
            best = max(valued, key=attrgetter("worth_s"))
        proved = solved.stopped_by is StoppedBy.PROOF
        return Priced(bound, Pricing.EXACT if proved else Pricing.STOPPED, best.cached)


def _rows(layer: Layer) -> int:
    """Rows of a layer's integer program."""
    return int(layer.terms.sizes().sum())
