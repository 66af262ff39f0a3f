"""The columns of one layer that the master knows."""

from __future__ import annotations

import numpy as np

from ..problem.instance import BoolArray, FloatArray


class KnownColumns:
    """Columns of a layer, the best for each number of experts on the servers.

    Attributes
    ----------
    gain_s : list of float
    used : list of float arrays [N]
        Experts on each server.
    cached : list of bool arrays [N, E] or None
        None for a fractional placement.
    number : dict
        Of each column, by what it is and uses.
    """

    def __init__(self) -> None:
        self.gain_s: list[float] = []
        self.used: list[FloatArray] = []
        self.cached: list[BoolArray | None] = []
        self.number: dict[tuple[float, ...], int] = {}

    def add(self, gain_s: float, used: FloatArray, cached: BoolArray | None) -> bool:
        """Add a column; whether it is better than what was known."""
        # Fractional ones never take the place of a placement.
        key = (float(cached is None), *used.tolist())
        known = self.number.get(key)
        if known is None:
            self.number[key] = len(self.gain_s)
            self.gain_s.append(gain_s)
            self.used.append(used.astype(np.float64))
            self.cached.append(cached)
            return True
        if gain_s <= self.gain_s[known] * (1 + 1e-12):
            return False
        self.gain_s[known], self.cached[known] = gain_s, cached
        return True

    def number_of(self, cached: BoolArray) -> int:
        """Number of the column with as many experts on each server as a placement [N, E]."""
        return self.number[0.0, *cached.sum(axis=1).tolist()]

    def whole(self) -> list[int]:
        """Numbers of those that are not fractional."""
        return [k for k, cached in enumerate(self.cached) if cached is not None]

    def without_fractional(self) -> KnownColumns:
        """Those that are not fractional."""
        kept = KnownColumns()
        for k in self.whole():
            kept.add(self.gain_s[k], self.used[k], self.cached[k])
        return kept

    def best(self, prices: FloatArray) -> BoolArray:
        """The placement that is worth most at prices [N] of an expert on each server."""
        whole = self.whole()
        used = np.array([self.used[k] for k in whole])
        worth = np.array([self.gain_s[k] for k in whole]) - used @ prices
        return self.placement(whole[int(worth.argmax())])

    def placement(self, number: int) -> BoolArray:
        """Placement [N, E] of a column that is not fractional."""
        cached = self.cached[number]
        assert cached is not None
        return cached

    def undominated(self) -> list[int]:
        """Numbers of placements to which no other is better with no more experts anywhere."""
        whole = self.whole()
        gain = np.array([self.gain_s[k] for k in whole])
        used = np.array([self.used[k] for k in whole])
        less = (used[:, None] <= used).all(axis=2) & (gain[:, None] >= gain)
        np.fill_diagonal(less, False)
        dominated: list[bool] = np.any(less, axis=0).tolist()
        return [k for k, worse in zip(whole, dominated, strict=True) if not worse]
