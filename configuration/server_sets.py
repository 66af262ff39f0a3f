"""Where servers are few: what every set of servers saves by caching one expert, as a table."""

from __future__ import annotations

import numpy as np

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from .clients import Clients

#: Gains below this share of all weight of an expert are rounding errors.
_ROUNDING = 1e-14

#: Entries of the table, experts times sets of servers.
_TABLE_ENTRIES = 2**21


class ServerSets:
    """Saving of each expert on each set of servers.

    Attributes
    ----------
    saving_s : float array [I, 2^N]
        A set is a binary number, server n its bit n.
    holds : float array [2^N, N]
        Members of each set.
    lean : bool array [I, 2^N]
        Whether a set saves less without any one of its members. Others are never needed.
    """

    def __init__(self, clients: Clients) -> None:
        N, items = clients.shape
        bit = 1 << np.arange(N)
        # Each client's best servers, one more at a time, and what they save more than the next one.
        best = np.cumsum(bit[clients.order], axis=0)
        place = (clients.item << N) + best
        weight = sums(place.ravel(), clients.step_s.ravel(), items << N).reshape(items, 1 << N)
        total = weight.sum(axis=1, keepdims=True)
        # Steps whose servers all lie in a set: sums over subsets, bit by bit.
        for n in range(N):
            halves = weight.reshape(items, -1, 2, 1 << n)
            halves[:, :, 1] += halves[:, :, 0]
        # A set misses the steps whose servers all lie outside of it.
        self.saving_s: FloatArray = total - weight[:, ::-1]
        self.holds: FloatArray = ((np.arange(1 << N)[:, None] & bit) > 0).astype(np.float64)
        self.lean: BoolArray = np.ones(weight.shape, dtype=np.bool_)
        for n in range(N):
            halves = self.saving_s.reshape(items, -1, 2, 1 << n)
            more = halves[:, :, 1] > halves[:, :, 0] + _ROUNDING * total[:, :, None]
            self.lean.reshape(items, -1, 2, 1 << n)[:, :, 1] &= more

    @staticmethod
    def fit(clients: Clients) -> bool:
        """Whether the table is small enough to be made."""
        N, items = clients.shape
        return N < 22 and items << N <= _TABLE_ENTRIES

    def net_s(self, cost: FloatArray) -> FloatArray:
        """Saving less the costs [N, I] of the copies; [I, 2^N]."""
        total = np.zeros(self.saving_s.shape)
        for n, row in enumerate(cost):
            # Sets with server n as their last member.
            np.add(total[:, : 1 << n], row[:, None], out=total[:, 1 << n : 2 << n])
        return np.subtract(self.saving_s, total, out=total)

    def numbers(self, cached: BoolArray) -> IntArray:
        """Lean set of each expert in a placement [N, I]; [I]."""
        rows = np.arange(len(self.saving_s))
        number: IntArray = (1 << np.arange(len(cached))) @ cached
        for n in range(len(cached)):
            without = number & ~(1 << n)
            total = self.saving_s[:, -1]
            same = self.saving_s[rows, without] >= self.saving_s[rows, number] - _ROUNDING * total
            number = np.where(same, without, number)
        return number

    def cached(self, chosen: IntArray) -> BoolArray:
        """Placement [N, I] from the number of each expert's set."""
        return self.holds[chosen].T > 0.5
