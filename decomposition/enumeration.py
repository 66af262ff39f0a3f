"""Enumeration: all placements that lose little against a certified bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import BoolArray
from .dual import Dual
from .join import best_columns
from .layer_tree import Columns, Threshold
from .loss_tables import loss_limits
from .multiple_choice import MultipleChoice
from .pricing import LayerPricing, Pricing
from .residues import Residues


class Enumerated(NamedTuple):
    """What an enumeration found.

    Attributes
    ----------
    cached : bool array [N, I] or None
        The best placement it met; None if none loses so little.
    bound_s : float
        No placement saves more, in seconds.
    """

    cached: BoolArray | None
    bound_s: float


class Enumeration:
    """Reduced-cost enumeration at the dual's best prices.

    There a placement loses, against the bound, what each layer's column is worth less than the
    bound of its layer, and the price of unused room. So a placement that loses little has no column
    that loses more (Baldacci, Christofides, Mingozzi 2008, doi:10.1007/s10107-007-0178-5, for
    routes).

    Parameters
    ----------
    dual : Dual
        As it is now; with its layers, none of them too large for its tree.
    """

    def __init__(self, dual: Dual) -> None:
        self._bound_s, self._prices, priced = dual.best
        self._priced, self._master, self._pool = priced, dual.master, dual.pool
        self._parameters, self._weight = dual.pool.parameters, dual.master.weight

    def obstacle(self) -> str | None:
        """Say why nothing can be enumerated, if that is so."""
        if len(self._priced) < len(self._pool.layers):
            return "no round was certified"
        if any(priced.pricing is Pricing.STOPPED for priced in self._priced):
            return "a layer's bound was stopped by a limit"
        if (self._weight != np.floor(self._weight)).any():
            return "the weights in the capacities are not whole numbers"
        return None

    def within(self, loss_s: float, most_s: float, deadline: Deadline) -> Enumerated | None:
        """Look at all placements in which no layer loses more than `loss_s` against the bound.

        Parameters
        ----------
        loss_s : float
            Of a single layer's column.
        most_s : float
            Of a whole placement.
        deadline : Deadline

        Returns
        -------
        Enumerated or None
            None if there is an `obstacle`, or columns were too many, or time was over.
        """
        found = None if self.obstacle() else self._columns(loss_s, deadline)
        if found is None:
            return None
        joined = best_columns(self._problem(found), most_s, deadline, self._parameters)
        known, most_s = min(joined.least_loss, loss_s), min(joined.loss, most_s)
        if known == loss_s < most_s <= 2 * loss_s:
            # No two layers lose more than half each: if one does, the others' columns are known.
            more = self._in_one_layer(found, most_s, deadline)
            if more is not None:
                last = best_columns(self._problem(more), most_s, deadline, self._parameters)
                known = last.least_loss
                if last.columns is not None:
                    found, joined = more, last
        cached = None
        if joined.columns is not None:
            chosen = zip(found, joined.columns, strict=True)
            parts = {n: columns.cached(k) for n, (columns, k) in enumerate(chosen)}
            cached = self._master.placement(parts)
        return Enumerated(cached, self._bound_s - known)

    def _columns(
        self, loss_s: float, deadline: Deadline, limits: list[Residues] | None = None
    ) -> list[Columns] | None:
        """Columns of each layer that lose at most so much, and at most their limits."""
        tasks = {}
        for number, priced in enumerate(self._priced):
            weight, more = self._weight[:, number].astype(np.int64), None
            if limits is not None:
                value, modulus, _ = limits[number]
                more = Residues(np.maximum(loss_s - value, 0.0), modulus, weight)
            threshold = Threshold(priced.bound_s - loss_s, more)
            tasks[number] = weight * self._prices, threshold, deadline
        found = self._pool.run(LayerPricing.columns, tasks)
        columns = [one for one in found if one is not None]
        return columns if len(columns) == len(found) else None

    def _in_one_layer(
        self, found: list[Columns], most_s: float, deadline: Deadline
    ) -> list[Columns] | None:
        """The columns given and all that lose more but fit with those of the other layers."""
        limits = loss_limits(self._problem(found), most_s, deadline, self._parameters)
        more = None if limits is None else self._columns(most_s, deadline, limits)
        if more is None:
            return None
        return [Columns.merged(parts) for parts in zip(found, more, strict=True)]

    def _problem(self, found: list[Columns]) -> MultipleChoice:
        """What columns take and lose."""
        weight = self._weight.astype(np.int64)
        return MultipleChoice(
            [columns.counts * weight[:, n] for n, columns in enumerate(found)],
            [
                np.maximum(priced.bound_s - columns.worth_s, 0.0)
                for priced, columns in zip(self._priced, found, strict=True)
            ],
            np.floor(self._master.room).astype(np.int64),
            self._prices,
        )
