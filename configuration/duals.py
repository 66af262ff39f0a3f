"""Upper bounds on the saving, each as a function of prices that may be anything in a box.

Let ``x[n, i]`` say what server n caches, ``f_i`` what expert i saves (it depends on its own copies
alone), and K_n the knapsack of server n. Whatever the costs ``c[n, i]``,

    sum_i f_i(x) <= sum_i max_y (f_i(y) - sum_n c[n, i] y[n]) + sum_n max_{x in K_n} sum_i c x.

The second maximum is a knapsack (`knapsacks`), the first one expert's own problem. All three
functions are convex, so descent finds their least value.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from ..linear.rounding import gamma
from ..problem.instance import BoolArray, FloatArray, Instance
from .clients import Clients
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


class ClientPrices:
    """A price ``a[c] >= 0`` of serving each client; any number of servers.

    A client pays ``max(0, value[n, c] - a[c])`` for a copy on server n, and whatever copies there
    are, it is not saved more than a[c] and what it pays for them. The least value is that of the
    linear program of configurations: facility location with each server's row in the convex hull of
    its knapsack (Cornuejols, Fisher, Nemhauser 1977, doi:10.1287/mnsc.23.8.789; Fleischer, Goemans,
    Mirrokni, Sviridenko 2011, doi:10.1287/moor.1110.0499).
    """

    def __init__(self, clients: Clients, knapsacks: Knapsacks) -> None:
        self._clients = clients
        self._knapsacks = knapsacks
        self.upper = clients.most_s
        self.scale = clients.most_s
        self._paid_s = np.empty(clients.value_s.shape)
        self._margin = _Margin(clients)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        packed = self._knapsacks.best(self.costs(prices))
        worth = float(packed.value.sum())
        bound = float(prices.sum()) + worth + self._margin(worth)
        buys = self._clients.of_item(packed.chosen) & (self._paid_s > 0)
        return Value(bound, 1.0 - buys.sum(axis=0), packed.chosen)

    def costs(self, prices: FloatArray) -> FloatArray:
        """What the clients pay for each copy [N, I]."""
        paid = np.subtract(self._clients.value_s, prices, out=self._paid_s)
        return self._clients.by_item(np.maximum(paid, 0.0, out=paid))


class PairPrices:
    """A cost ``c[n, i] >= 0`` for each pair, one expert's problem by the table of server sets.

    The least value is at most that of `ClientPrices` and of `BytePrices`: both the knapsacks and
    the experts' problems are whole (Lagrangian decomposition: Guignard, Kim 1987,
    doi:10.1007/BF02592954).
    """

    def __init__(
        self, clients: Clients, knapsacks: Knapsacks, sets: ServerSets, scale: FloatArray
    ) -> None:
        self._knapsacks = knapsacks
        self._sets = sets
        self._rows = np.arange(clients.items)
        self.upper = np.full(clients.shape, np.inf)
        self.scale = scale
        self._margin = _Margin(clients)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        packed = self._knapsacks.best(prices)
        net = self._sets.net_s(prices)
        best = net.argmax(axis=1)
        wanted = self._sets.holds[best].T
        worth, cost = float(packed.value.sum()), float((prices * wanted).sum())
        bound = worth + float(net[self._rows, best].sum()) + self._margin(worth + cost)
        return Value(bound, packed.chosen - wanted, packed.chosen)


class ExpertSets(Protocol):
    """Sets of servers that each expert may be cached on."""

    def best(self, prices: FloatArray, sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the best set of each expert saves at most, and its members.

        Parameters
        ----------
        prices : float array [N]
            Of a byte on each server, to be taken off.
        sizes : float array [I]
            Bytes of each expert.

        Returns
        -------
        float array [I], float array [I, N]
            Convex in the prices, the members times the size a subgradient less than 0.
        """


class BytePrices:
    """A price ``p[n] >= 0`` on each server's bytes: ``c[n, i] = p[n] bytes[i]``.

    The knapsacks are continuous. Few prices, so the least value is soon found; it is the start of
    `PairPrices`, and near its least value where servers hold many experts.
    """

    def __init__(self, instance: Instance, clients: Clients, sets: ExpertSets) -> None:
        self._size = instance.item_bytes.astype(np.float64)
        self._room = instance.capacity_bytes.astype(np.float64)
        self._sets = sets
        self.upper = np.full(len(clients.value_s), np.inf)
        # Servers with the least room have the highest prices.
        self.scale = 1.0 / np.maximum(self._room, 1.0) ** 2
        self._margin = _Margin(clients)

    def __call__(self, prices: FloatArray) -> Value:
        """Bound, subgradient and answers."""
        best, holds = self._sets.best(prices, self._size)
        used = self._size @ holds
        worth, cost = float(prices @ self._room), float(prices @ used)
        bound = worth + float(best.sum()) + self._margin(worth + cost)
        return Value(bound, self._room - used, holds.T > 0.5)


class _Margin:
    """Room for the rounding of the sums in a bound."""

    def __init__(self, clients: Clients) -> None:
        # No number goes through more additions than there are values and pairs.
        self._share = gamma(2 * (clients.value_s.size + math.prod(clients.shape)) + 100)
        self._most_s = float(clients.most_s.sum())

    def __call__(self, prices_s: float) -> float:
        """Room where the prices that enter sum to so much."""
        return self._share * (self._most_s + prices_s)
