"""Where servers are few: what every set of servers saves by caching one expert, as a table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from .clients import NEGLIGIBLE, Clients

#: Entries of the table, experts times sets of servers.
_TABLE_ENTRIES = 2**21


class Losses(NamedTuple):
    """What the sets of servers of each expert lose against its best one, at some costs.

    Attributes
    ----------
    number : int array [I, S]
        Sets; a set is a binary number, server n its bit n.
    saving_s : float array [I, S]
    loss_s : float array [I, S]
        Infinite for a set that is never needed.
    others_s : float
        Sets that are not listed lose no less.
    scale_s : float
        Sum of the numbers that losses are differences of.
    """

    number: IntArray
    saving_s: FloatArray
    loss_s: FloatArray
    others_s: float
    scale_s: float


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
        self.saving_s = savings_of_sets(clients.order, clients.step_s, clients.item, items)
        self.holds: FloatArray = members(np.arange(1 << N), N)
        self.lean: BoolArray = np.ones(self.saving_s.shape, dtype=np.bool_)
        least = NEGLIGIBLE * self.saving_s[:, -1, None, None]
        for n in range(N):
            halves = self.saving_s.reshape(items, -1, 2, 1 << n)
            more = halves[:, :, 1] > halves[:, :, 0] + least
            self.lean.reshape(items, -1, 2, 1 << n)[:, :, 1] &= more

    @staticmethod
    def fit(clients: Clients) -> bool:
        """Whether the table is small enough to be made."""
        N, items = clients.shape
        return N < 22 and items << N <= _TABLE_ENTRIES

    def net_s(self, cost: FloatArray) -> FloatArray:
        """Saving less the costs [N, I] of the copies; [I, 2^N]."""
        total = sums_of_sets(cost)
        return np.subtract(self.saving_s, total, out=total)

    def best(self, prices: FloatArray, sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Saving less the prices [N] of the bytes, and members, of each expert's best set."""
        net = self.saving_s - sizes[:, None] * (self.holds @ prices)
        best = net.argmax(axis=1)
        return net[np.arange(len(net)), best], self.holds[best]

    def losses(self, cost: FloatArray) -> Losses:
        """Losses of all sets at some costs [N, I] of the copies."""
        net = self.net_s(cost)
        top = net.max(axis=1, keepdims=True)
        loss = np.where(self.lean, top - net, np.inf)
        number = np.broadcast_to(np.arange(loss.shape[1]), loss.shape)
        return Losses(number, self.saving_s, loss, np.inf, float(np.abs(top).sum()))


def savings_of_sets(
    order: IntArray, step_s: FloatArray, group: IntArray, groups: int
) -> FloatArray:
    """What each set of servers saves the clients of each group; [groups, 2^N].

    Parameters
    ----------
    order, step_s : array [N, C]
        As in `Clients`.
    group : int array [C]
    groups : int
    """
    N = len(order)
    # Each client's best servers, one more at a time, and what they save more than the next one.
    place = np.cumsum(1 << order, axis=0)
    place += group << N
    weight = sums(place.ravel(), step_s.ravel(), groups << N).reshape(groups, 1 << N)
    total = weight.sum(axis=1, keepdims=True)
    # Steps whose servers all lie in a set: sums over subsets, bit by bit.
    for n in range(N):
        halves = weight.reshape(groups, -1, 2, 1 << n)
        halves[:, :, 1] += halves[:, :, 0]
    # A set misses the steps whose servers all lie outside of it.
    saving: FloatArray = total - weight[:, ::-1]
    return saving


def sums_of_sets(values: FloatArray) -> FloatArray:
    """Sum over each set of servers of values [N, ...]; [..., 2^N]."""
    total = np.zeros((*values.shape[1:], 1 << len(values)))
    for n, row in enumerate(values):
        # Sets with server n as their last member.
        np.add(total[..., : 1 << n], row[..., None], out=total[..., 1 << n : 2 << n])
    return total


def members(number: IntArray, servers: int) -> FloatArray:
    """Members of sets of servers; [..., N]."""
    return ((number[..., None] >> np.arange(servers)) & 1).astype(np.float64)
