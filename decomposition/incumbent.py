"""The incumbent: the best placement so far, and its gap to the best bound."""

from __future__ import annotations

import numpy as np

from ..heuristics.ascent import ascend
from ..method import Deadline, Limits
from ..problem.demand import merged_demand
from ..problem.evaluate import latency_empty_s
from ..problem.instance import BoolArray, Instance
from ..problem.placement import within_capacities
from ..problem.solution import closes, latency_gap
from ..problem.terms import Terms
from .dual import Dual

#: Room for the rounding of sums, as a share of the saving.
_ROUNDING = 1e-12


class Incumbent:
    """The best placement so far.

    Parameters
    ----------
    instance : Instance
    terms : Terms
        Its saving.
    cached : bool array [N, I]
        The first placement.
    dual : Dual
        Whose master gets to know every placement.
    limits : Limits
        Whose gap is wanted between the latency and its bound, and whose watch is told.

    Attributes
    ----------
    best : bool array [N, I]
    saving_s : float
        Its saving.
    """

    def __init__(
        self, instance: Instance, terms: Terms, cached: BoolArray, dual: Dual, limits: Limits
    ) -> None:
        self.best, self.saving_s = cached, terms.saving_s(cached)
        self._instance, self._terms, self._dual, self._limits = instance, terms, dual, limits
        self._empty_s = latency_empty_s(instance)
        self._demand = merged_demand(instance)
        self._enumerated_s = np.inf
        dual.master.add_placement(cached)
        limits.watch.tell(self.saving_s)

    @property
    def bound_s(self) -> float:
        """No placement saves more."""
        return min(self._dual.bound_s, self._enumerated_s)

    @property
    def gap_s(self) -> float:
        """What the best placement loses against the dual bound."""
        return self._dual.best.bound_s * (1 + _ROUNDING) - self.saving_s

    @property
    def proved_loss_s(self) -> float:
        """What any placement loses against the dual bound, after enumeration."""
        return self._dual.best.bound_s - self._enumerated_s

    def closed(self) -> bool:
        """Whether the gap is as small as wanted, or nothing but tolerance."""
        gap = latency_gap(self._empty_s - self.saving_s, max(0.0, self._empty_s - self.bound_s))
        within = self._limits.gap > 0 and gap is not None and gap <= self._limits.gap
        limitless = float(self._terms.weight_s.sum())
        return within or closes(self.saving_s, self.bound_s, limitless)

    def bounded_by(self, bound_s: float) -> None:
        """Take note that no placement saves more."""
        self._enumerated_s = min(self._enumerated_s, bound_s * (1 + _ROUNDING))

    def ascend(self, cached: BoolArray, deadline: Deadline) -> None:
        """Improve a placement by best responses of single servers and take it up.

        It may exceed capacities: those servers come first.
        """
        used = (cached @ self._instance.item_bytes) / np.maximum(self._instance.capacity_bytes, 1)
        order = np.argsort(-np.maximum(used, 1.0), kind="stable").tolist()
        thorough = not self._dual.pool.large
        _, found = ascend(self._instance, self._demand, cached, order, deadline, thorough=thorough)
        self.take(within_capacities(self._instance, found))

    def take(self, cached: BoolArray) -> None:
        """Make a placement known to the master, and keep it if it is the best."""
        self._dual.master.add_placement(cached)
        saving = self._terms.saving_s(cached)
        if saving > self.saving_s:
            self.best, self.saving_s = cached, saving
            self._limits.watch.tell(saving)
