"""Upper bounds on the saving, each as a function of prices that may be anything in a box.

Let ``x[n, i]`` say what server n caches, ``f_i`` what expert i saves (it depends on its own copies
alone), and K_n the knapsack of server n. Whatever the costs ``c[n, i]``,

    sum_i f_i(x) <= sum_i max_y (f_i(y) - sum_n c[n, i] y[n]) + sum_n max_{x in K_n} sum_i c x.

The second maximum is a knapsack (`knapsacks`), the first one expert's own problem. All three
functions are convex, so descent finds their least value.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..linear.rounding import gamma
from ..problem.instance import BoolArray, FloatArray, Instance
from .covering import Covering
from .knapsacks import Knapsacks
from .server_sets import ServerSets


class Value(NamedTuple):
    """A dual function at a point.

    Attributes
    ----------
    bound_s : float
        No placement saves more.
    gradient : float array
        A subgradient.
    cached : bool array [N, I]
        The servers' best answers; they keep the capacities, except in `BytePrices`.
    """

    bound_s: float
    gradient: FloatArray
    cached: BoolArray


class Dual(Protocol):
    """A bound as a function of prices ``0 <= price <= upper``, to be moved in units of `scale`."""

    upper: FloatArray
    scale: FloatArray

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""


class TermPrices:
    """A price ``0 <= u[t] <= w[t]`` on serving each term; any number of servers.

    ``c[n, i]`` is the sum of the prices of the terms of expert i that server n can serve, and one
    expert's problem is at most ``sum_t (w[t] - u[t])``. The least value is that of the linear
    program of configurations: the covering relaxation with each server's row in the convex hull of
    its knapsack (Fleischer, Goemans, Mirrokni, Sviridenko 2011, doi:10.1287/moor.1110.0499).
    """

    def __init__(self, covering: Covering, knapsacks: Knapsacks) -> None:
        self._covering = covering
        self._knapsacks = knapsacks
        self.upper = covering.weight_s
        self.scale = covering.weight_s
        self._margin = _Margin(covering)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        packed = self._knapsacks.best(self._covering.by_pair(prices))
        worth = float(packed.value.sum())
        bound = float((self.upper - prices).sum()) + worth + self._margin(worth)
        copies = self._covering.copies(packed.chosen.astype(np.float64))
        return Value(bound, copies - 1.0, packed.chosen)


class PairPrices:
    """A cost ``c[n, i] >= 0`` for each pair, one expert's problem by the table of server sets.

    The least value is at most that of `TermPrices` and of `BytePrices`: both the knapsacks and the
    experts' problems are whole (Lagrangian decomposition: Guignard, Kim 1987,
    doi:10.1007/BF02592954).
    """

    def __init__(
        self, covering: Covering, knapsacks: Knapsacks, sets: ServerSets, scale: FloatArray
    ) -> None:
        self._knapsacks = knapsacks
        self._sets = sets
        self._rows = np.arange(covering.items)
        self.upper = np.full(covering.shape, np.inf)
        self.scale = scale
        self._margin = _Margin(covering)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        packed = self._knapsacks.best(prices)
        net = self._sets.net_s(prices)
        best = net.argmax(axis=1)
        wanted = self._sets.holds[best].T
        worth, cost = float(packed.value.sum()), float((prices * wanted).sum())
        bound = worth + float(net[self._rows, best].sum()) + self._margin(worth + cost)
        return Value(bound, packed.chosen - wanted, packed.chosen)


class BytePrices:
    """A price ``p[n] >= 0`` on each server's bytes: ``c[n, i] = p[n] bytes[i]``.

    The knapsacks are continuous. Few prices, so the least value is soon found; it is the start of
    `PairPrices`.
    """

    def __init__(self, instance: Instance, covering: Covering, sets: ServerSets) -> None:
        self._size = instance.item_bytes.astype(np.float64)
        self._room = instance.capacity_bytes.astype(np.float64)
        self._sets = sets
        self._rows = np.arange(covering.items)
        self.upper = np.full(covering.servers, np.inf)
        # Servers with the least room have the highest prices.
        self.scale = 1.0 / np.maximum(self._room, 1.0) ** 2
        self._margin = _Margin(covering)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        net = self._sets.saving_s - self._size[:, None] * (self._sets.holds @ prices)
        best = net.argmax(axis=1)
        holds = self._sets.holds[best]
        used = self._size @ holds
        worth, cost = float(prices @ self._room), float(prices @ used)
        bound = worth + float(net[self._rows, best].sum()) + self._margin(worth + cost)
        return Value(bound, self._room - used, holds.T > 0.5)


class _Margin:
    """Room for the rounding of the sums in a bound."""

    def __init__(self, covering: Covering) -> None:
        # No number goes through more additions than there are terms and pairs.
        self._share = gamma(2 * (len(covering.item) + covering.servers * covering.items) + 100)
        self._weight_s = float(covering.weight_s.sum())

    def __call__(self, prices_s: float) -> float:
        """Room where the prices that enter sum to so much."""
        return self._share * (self._weight_s + prices_s)
