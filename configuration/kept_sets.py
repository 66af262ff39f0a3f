"""Where the table of server sets is too large to keep: its best entries near some prices."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import FloatArray, IntArray
from .clients import NEGLIGIBLE, Clients
from .server_sets import Losses, members, savings_of_sets, sums_of_sets

#: Most servers: the table of one expert has to fit into memory.
_MOST_SERVERS = 24

#: Entries of the tables of all experts that are looked at, one expert after the other.
_MOST_ENTRIES = 2**32

#: Sets that are kept, over all experts.
_KEPT = 2**21


class KeptSets:
    """The best sets of servers of each expert at some prices of bytes.

    The table of one expert is made, its best sets are kept, and it is thrown away. Whatever the
    prices are, a set that was not kept is worth no more than the best one of these was, and what
    the bytes of its members have become cheaper. So near the prices the value is exact, and a bound
    on it everywhere.

    Parameters
    ----------
    clients : Clients
    sizes : float array [I]
        Bytes of each expert.
    prices : float array [N]
        Of a byte on each server.
    deadline : Deadline
    threads : int

    Attributes
    ----------
    complete : bool
        Whether every expert's table was looked at before the deadline; else nothing is known.
    """

    def __init__(
        self,
        clients: Clients,
        sizes: FloatArray,
        prices: FloatArray,
        deadline: Deadline,
        threads: int,
    ) -> None:
        N, items = clients.shape
        count = max(1, min(1 << N, _KEPT // max(items, 1)))
        keep = partial(_keep, clients, sums_of_sets(prices), sizes, count, deadline)
        with ThreadPoolExecutor(threads) as pool:
            kept = [k for k in pool.map(keep, range(items)) if k is not None]
        self.complete = len(kept) == items
        self._sizes = sizes
        self._prices = prices
        self._number: IntArray = np.array([k.number for k in kept]).reshape(-1, count)
        self._saving_s: FloatArray = np.array([k.saving_s for k in kept]).reshape(-1, count)
        self._others_s: FloatArray = np.array([k.others_s for k in kept])

    @staticmethod
    def fit(clients: Clients) -> bool:
        """Whether every expert's table can be looked at."""
        N, items = clients.shape
        return N <= _MOST_SERVERS and items << N <= _MOST_ENTRIES

    @staticmethod
    def seconds(clients: Clients, threads: int) -> float:
        """How long looking at all tables takes, from the one of the expert with most clients."""
        N, items = clients.shape
        if not len(clients):
            return 0.0
        most = int(np.bincount(clients.item).argmax())
        began = time.monotonic()
        _keep(clients, np.zeros(1 << N), np.ones(items), 1, Deadline(np.inf), most)
        return items * (time.monotonic() - began) / threads

    def best(self, prices: FloatArray, sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `ExpertSets`."""
        N, rows = len(prices), np.arange(len(self._number))
        net = self._net_s(prices)
        best = net.argmax(axis=1)
        value = net[rows, best]
        holds = members(self._number[rows, best], N)
        fallen = np.maximum(self._prices - prices, 0.0)
        others = self._others_s + sizes * fallen.sum()
        holds[others > value] = fallen > 0
        return np.maximum(value, others), holds

    def losses(self) -> Losses:
        """Losses of the sets that were kept, at the prices that they were kept for."""
        net = self._net_s(self._prices)
        top = np.maximum(net.max(axis=1, initial=-np.inf), self._others_s)
        others = float((top - self._others_s).min(initial=np.inf))
        scale = float(np.abs(top).sum())
        return Losses(self._number, self._saving_s, top[:, None] - net, others, scale)

    def _net_s(self, prices: FloatArray) -> FloatArray:
        """Saving less the prices of the bytes; [I, S]."""
        half = len(prices) // 2
        low, high = sums_of_sets(prices[:half]), sums_of_sets(prices[half:])
        net: FloatArray = low[self._number & ((1 << half) - 1)] + high[self._number >> half]
        net *= -self._sizes[:, None]
        net += self._saving_s
        return net


class _Kept(NamedTuple):
    """What is kept of one expert's table: sets, their savings, what others are worth at most."""

    number: IntArray
    saving_s: FloatArray
    others_s: float


def _keep(
    clients: Clients,
    price: FloatArray,
    sizes: FloatArray,
    count: int,
    deadline: Deadline,
    item: int,
) -> _Kept | None:
    """Keep the best sets of one expert, None after the deadline; `price` of a byte by set."""
    if deadline.passed():
        return None
    number, saving = np.zeros(count, dtype=np.int64), np.full(count, -np.inf)
    first, last = np.searchsorted(clients.item, [item, item + 1])
    if first == last:
        # On no server it is worth as much as on any.
        saving[0] = 0.0
        return _Kept(number, saving, -np.inf)
    mine = np.s_[:, first:last]
    group = np.zeros(last - first, dtype=np.int64)
    table = savings_of_sets(clients.order[mine], clients.step_s[mine], group, 1)[0]
    net = table - sizes[item] * price
    others = -np.inf
    number = np.arange(len(net))
    if count < len(net):
        split = np.argpartition(net, -count - 1)
        number, others = split[-count:], float(net[split[-count - 1]])
    # The best first: the smallest of equal ones is chosen.
    number = number[np.lexsort((number, -net[number]))]
    saving = table[number]
    for bit in 1 << np.arange(len(clients.value_s)):
        same = saving <= table[number & ~bit] + NEGLIGIBLE * table[-1]
        saving[(number & bit > 0) & same] = -np.inf
    return _Kept(number, saving, others)
