"""What is known of the best saving at several capacities of the same servers."""

from __future__ import annotations

import numpy as np

from ..problem.evaluate import evaluate, limitless_saving_s
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.placement import Placement
from ..problem.solution import closes


class Brackets:
    """The best saving at each of several capacities, between a placement and a bound.

    Everything that is found is taken up wherever it holds: a placement at all capacities that it
    fits into, a bound at all capacities that are nowhere larger.

    Parameters
    ----------
    instance : Instance
    capacity_bytes : int array [Q, N]
        Q times the capacities of all servers.

    Attributes
    ----------
    least_s, most_s : float array [Q]
        The best saving at each of them lies between these, in seconds.
    """

    def __init__(self, instance: Instance, capacity_bytes: IntArray) -> None:
        self.instance, self.capacity_bytes = instance, capacity_bytes
        self._limitless_s = limitless_saving_s(instance)
        Q = len(capacity_bytes)
        self.least_s: FloatArray = np.zeros(Q)
        self.most_s: FloatArray = np.full(Q, self._limitless_s)
        nothing = np.zeros((instance.servers, instance.items), dtype=np.bool_)
        self._cached: list[BoolArray] = [nothing] * Q

    def place(self, cached: BoolArray) -> float:
        """Take up a placement [N, I], and what is left of it without each server; its saving."""
        saving = self._take(cached)
        for n in range(self.instance.servers):
            without = cached.copy()
            without[n] = False
            self._take(without)
        return saving

    def _take(self, cached: BoolArray) -> float:
        saving = evaluate(self.instance, Placement.of(self.instance, cached)).saving_s
        fits = (cached @ self.instance.item_bytes <= self.capacity_bytes).all(axis=1)
        for q in np.flatnonzero(fits & (saving > self.least_s)).tolist():
            self.least_s[q], self._cached[q] = saving, cached
        # A bound below a placement is one by rounding only.
        self.most_s = np.maximum(self.most_s, self.least_s)
        return saving

    def bound(self, number: int, most_s: float) -> None:
        """Take up a bound on the saving at one of the capacities."""
        within = (self.capacity_bytes <= self.capacity_bytes[number]).all(axis=1)
        self.most_s[within] = np.minimum(self.most_s[within], most_s)
        self.most_s = np.maximum(self.most_s, self.least_s)

    def best(self, number: int) -> Placement:
        """The best placement known at one of the capacities."""
        return Placement.of(self.instance, self._cached[number])

    def adapted(self, number: int) -> Placement:
        """The best placement known at the first of the capacities, without servers too full now."""
        cached = self._cached[0]
        fits = cached @ self.instance.item_bytes <= self.capacity_bytes[number]
        return Placement.of(self.instance, cached & fits[:, None])

    def proved(self, number: int) -> bool:
        """Whether that is known to be the best one."""
        return closes(float(self.least_s[number]), float(self.most_s[number]), self._limitless_s)
