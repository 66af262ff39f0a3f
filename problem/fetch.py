"""What servers may fetch when a placement takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .instance import BoolArray, Instance, IntArray
from .placement import Placement


@dataclass(frozen=True, eq=False)
class FetchLimit:
    """At most so many bytes for each server, of experts that it does not hold already.

    What a server drops costs nothing, and what it holds already may stay.

    Attributes
    ----------
    held : bool array [N, I]
        What the servers hold.
    max_bytes : int
    """

    held: BoolArray
    max_bytes: int

    @classmethod
    def after(cls, instance: Instance, start: Placement, max_bytes: int) -> FetchLimit:
        """Limit for servers that hold a placement."""
        return cls(start.cached(instance), max_bytes)

    def fetched_bytes(self, instance: Instance, cached: BoolArray) -> IntArray:
        """Bytes that each server fetches for a placement [N, I]; [N]."""
        fetched: IntArray = (cached & ~self.held) @ instance.item_bytes
        return fetched

    def allows(self, instance: Instance, cached: BoolArray) -> bool:
        """Whether no server fetches too much."""
        return bool((self.fetched_bytes(instance, cached) <= self.max_bytes).all())

    def within(self, instance: Instance, cached: BoolArray) -> BoolArray:
        """Drop the last fetched experts of servers that fetch too much; for results of solvers."""
        cached = cached.copy()
        while (over := np.flatnonzero(self.fetched_bytes(instance, cached) > self.max_bytes)).size:
            n = over[0]
            cached[n, np.flatnonzero(cached[n] & ~self.held[n])[-1]] = False
        return cached
