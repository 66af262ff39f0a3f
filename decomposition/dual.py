"""The Lagrangian dual of the capacities: prices in, a certified bound out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import FloatArray
from ..splitting.primal_dual import Splitting
from .master import RestrictedMaster
from .pool import LayerPool, PooledPaths
from .pricing import LayerPricing, Priced, Pricing

#: Room for the rounding of the bound's sum, whose parts are not negative: far above what as many
#: additions as there are layers and servers can lose.
_ROUNDING = 1e-12


class Certificate(NamedTuple):
    """A bound with all that it is made from.

    Attributes
    ----------
    bound_s : float
        No placement saves more, in seconds.
    prices : float array [N]
        Of a unit of room.
    layers : tuple of Priced
        What each layer is worth at these prices, at most.
    """

    bound_s: float
    prices: FloatArray
    layers: tuple[Priced, ...]


class Dual:
    """The best of the bounds at all prices so far.

    With a price ``p[n] >= 0`` on the storage of server n, no placement saves more than ::

        sum_n p[n] * room[n]  +  sum_l max_x (gain_l(x) - sum_n p[n] * weight[n, l] * used[n](x))

    and the maxima are independent of each other (Lagrangian relaxation).

    Parameters
    ----------
    master : RestrictedMaster
        Takes up the columns that pricing finds.
    pool : LayerPool
        Of the same layers.
    """

    def __init__(self, master: RestrictedMaster, pool: LayerPool) -> None:
        self.master, self.pool = master, pool
        self._prices, self._slack_s = np.full(len(master.room), np.nan), np.inf
        self._priced: dict[int, Priced] = {}
        #: The last one and the best so far; the first ones say nothing.
        self.last = self.best = Certificate(np.inf, self._prices, ())
        self._total_s = sum(float(layer.terms.weight_s.sum()) for layer in pool.layers)

    @property
    def bound_s(self) -> float:
        """No placement saves more, in seconds."""
        return min(self.best.bound_s, self._total_s)

    @property
    def pricing(self) -> dict[str, int]:
        """How many layers the best bound has priced in which way."""
        return dict(Counter(priced.pricing.value for priced in self.best.layers))

    @property
    def stopped(self) -> bool:
        """Whether time ended the last pricing of a layer."""
        return any(priced.pricing is Pricing.STOPPED for priced in self._priced.values())

    def split(self, deadline: Deadline) -> Iterator[float]:
        """Bound the saving by `Splitting`, if some layer is too large for its tree.

        Layers that are keep their split; the master takes up columns that round it.

        Yields
        ------
        float
            The bound so far.
        """
        layers, parameters = self.pool.layers, self.pool.parameters
        if not self.pool.large:
            return
        splitting = Splitting(PooledPaths(self.pool), self.master.weight, self.master.room)
        until = deadline.part(parameters.split_share)
        for bound in splitting.rounds(until, parameters.split_gap):
            if bound < self.best.bound_s:
                self.best = Certificate(bound, splitting.prices, ())
            yield bound
        if not splitting.iterations:
            return
        most_s = parameters.split_share * deadline.remaining_s()
        most_s *= self.pool.processes / len(layers)
        of_layer = (self.master.weight * splitting.prices[:, None]).T
        tasks = {number: (of_layer[number], deadline, most_s) for number in self.pool.large}
        found = self.pool.run(LayerPricing.learn, tasks)
        for number, columns in zip(tasks, found, strict=True):
            for cached in columns:
                self.master.add(number, cached)
        priced = (
            Priced(worth, Pricing.SPLIT, self.master.best(number, splitting.prices))
            for number, worth in enumerate(splitting.worth_s)
        )
        self.last = Certificate(splitting.bound_s, splitting.prices, tuple(priced))
        if splitting.bound_s <= self.best.bound_s:
            self.best = self.last

    def relax(self) -> bool:
        """Price layers by relaxations instead of splits, where small enough; whether any is."""
        relaxed = any(self.pool.each(LayerPricing.relax))
        if relaxed:
            self._prices = np.full(len(self.master.room), np.nan)
        return relaxed

    def certify(
        self, prices: FloatArray, slack_s: float, deadline: Deadline, *, exactly: bool
    ) -> int:
        """Bound the saving at some prices; the master takes up the layers' best columns.

        What is known already of a layer at the same prices is not computed again.

        Parameters
        ----------
        prices : float array [N]
            Of a unit of room, in seconds, >= 0.
        slack_s : float
            By how much a layer's relaxation may exceed its value.
        deadline : Deadline
        exactly : bool
            Price layers that are small enough for it exactly.

        Returns
        -------
        int
            How many of the columns were new.
        """
        if slack_s < self._slack_s or not np.array_equal(prices, self._prices):
            self._prices, self._slack_s, self._priced = prices, slack_s, {}
        todo = [n for n in range(len(self.pool.layers)) if self._is_open(n, exactly)]
        parameters = self.pool.parameters
        share_s = parameters.layer_share * deadline.remaining_s() * self.pool.processes
        share_s /= max(1, len(todo))
        until = deadline.part(parameters.round_share) if exactly else None
        tasks = {
            number: (
                self.master.weight[:, number] * prices,
                self.master.best(number, prices),
                slack_s,
                deadline,
                until,
                share_s,
            )
            for number in todo
        }
        added = 0
        for number, priced in zip(todo, self.pool.run(LayerPricing.price, tasks), strict=True):
            self._priced[number] = priced
            added += self.master.add(number, priced.cached)
            if priced.fractional is not None:
                added += self.master.add_fractional(number, *priced.fractional)
        bound = float(prices @ self.master.room)
        bound += sum(priced.bound_s for priced in self._priced.values())
        bound *= 1 + _ROUNDING
        self.last = Certificate(bound, prices, tuple(self._priced.values()))
        if bound < self.best.bound_s:
            self.best = self.last
        return added

    def _is_open(self, number: int, exactly: bool) -> bool:
        """Whether pricing a layer (again) at the same prices would tell more."""
        known = self._priced.get(number)
        return (
            known is None
            or known.pricing is Pricing.STOPPED
            or (known.pricing in (Pricing.LP, Pricing.SPLIT) and exactly)
        )
