"""K = 1 as facility location: every client is served by the best server that has its expert."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..problem.arrays import sums, unique_rows
from ..problem.demand import Demand, merged_demand
from ..problem.evaluate import latency_table_s
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray

#: Gains below this share of all that an expert can save are rounding errors.
NEGLIGIBLE = 1e-14


@dataclass(frozen=True, eq=False)
class Clients:
    """The demand of an instance with K = 1, summed over users to whom servers rank the same.

    A client is saved what its best server saves, of those that cache its expert::

        saving(x) = sum_c max_n value_s[n, c] * x[n, item[c]]

    With fractions it takes from its best servers first, one expert in all.

    Attributes
    ----------
    items : int
        I.
    item : int array [C]
        Expert that each client needs, ascending.
    value_s : float array [N, C]
        Saving of each client by each server in seconds, >= 0; 0 where a server is too small for the
        expert.
    """

    items: int
    item: IntArray
    value_s: FloatArray

    @classmethod
    def of(cls, instance: Instance) -> Clients:
        """Clients of an instance each of whose requests waits for one expert only."""
        demand = merged_demand(instance)
        item = _needed(instance, demand)
        reach = instance.server_latency_s[demand.user, :, instance.item_model[item]]
        alone = latency_table_s(instance)[demand.user, item]
        value = demand.rate[:, None] * np.maximum(alone[:, None] - reach, 0.0)
        value *= (instance.item_bytes <= instance.capacity_bytes[:, None]).T[item]
        rank = np.argsort(-value, axis=1, kind="stable")
        kinds, kind = unique_rows(np.column_stack([item, rank])[value.any(axis=1)])
        value = value[value.any(axis=1)]
        merged = np.array([sums(kind, column, len(kinds)) for column in value.T])
        return cls(instance.items, kinds[:, 0], merged.reshape(instance.servers, len(kinds)))

    def __len__(self) -> int:
        return len(self.item)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a placement [N, I]."""
        return len(self.value_s), self.items

    @cached_property
    def most_s(self) -> FloatArray:
        """Saving of each client where every server has everything; [C]."""
        most: FloatArray = self.value_s.max(axis=0, initial=0.0)
        return most

    @cached_property
    def order(self) -> IntArray:
        """Servers of each client, the best first; [N, C]."""
        return np.argsort(-self.value_s, axis=0, kind="stable")

    @cached_property
    def step_s(self) -> FloatArray:
        """What each server in this order saves more than the next one; [N, C]."""
        ranked = np.take_along_axis(self.value_s, self.order, axis=0)
        ranked[:-1] -= ranked[1:]
        return ranked

    @cached_property
    def _rank(self) -> IntArray:
        """Place of each server in the order; [N, C]."""
        return np.argsort(self.order, axis=0)

    @cached_property
    def _first(self) -> IntArray:
        """First client of each expert that has any."""
        return np.flatnonzero(np.diff(self.item, prepend=-1))

    def by_item(self, values: FloatArray) -> FloatArray:
        """Sum of the values [N, C] over the clients of each expert; [N, I]."""
        total = np.zeros(self.shape)
        if len(self):
            total[:, self.item[self._first]] = np.add.reduceat(values, self._first, axis=1)
        return total

    def of_item(self, cached: BoolArray) -> BoolArray:
        """Whether each server [N, I] has the expert of each client; [N, C]."""
        return np.repeat(cached, np.bincount(self.item, minlength=self.items), axis=1)

    def saving_s(self, cached: BoolArray) -> float:
        """Saving of a placement [N, I]."""
        return float(self._served_s(cached).sum())

    def lean(self, cached: BoolArray) -> BoolArray:
        """A placement [N, I] without copies that save nothing beside the others."""
        lean = cached.copy()
        least = NEGLIGIBLE * sums(self.item, self.most_s, self.items)
        for n in range(len(lean)):
            lean[n] &= self.gains_s(lean, n) > least
        return lean

    def gains_s(self, cached: BoolArray, server: int) -> FloatArray:
        """What each expert on a server adds to what the other servers cache; [I]."""
        others = cached.copy()
        others[server] = False
        more = np.maximum(self.value_s[server] - self._served_s(others), 0.0)
        return sums(self.item, more, self.items)

    def _served_s(self, cached: BoolArray) -> FloatArray:
        """Saving of each client under a placement; [C]."""
        served: FloatArray = (self.value_s * self.of_item(cached)).max(axis=0, initial=0.0)
        return served

    def relaxed_s(self, x: FloatArray) -> float:
        """Value of the linear program at fractions [N, I]; the saving where they are whole."""
        held = np.cumsum(x[self.order, self.item], axis=0)
        return float((self.step_s * np.minimum(held, 1.0)).sum())

    def expected_s(self, x: FloatArray) -> float:
        """Expected saving if every server draws its cache by itself, with these fractions."""
        missed = np.cumprod(1.0 - x[self.order, self.item], axis=0)
        return float((self.step_s * (1.0 - missed)).sum())

    def slopes(self, x: FloatArray, server: int) -> FloatArray:
        """Slope of `expected_s` along each fraction of one server; [I]."""
        others = x.copy()
        others[server] = 0.0
        missed = np.cumprod(1.0 - others[self.order, self.item], axis=0)
        missed *= self.step_s
        missed *= np.arange(len(x))[:, None] >= self._rank[server]
        return sums(self.item, missed.sum(axis=0), self.items)


def _needed(instance: Instance, demand: Demand) -> IntArray:
    """The expert that each demand waits for: the one not on its device, else the only one."""
    items = demand.sets[demand.expert_set].astype(np.int64)
    inside = items < instance.items
    held = np.zeros(items.shape, dtype=np.bool_)
    user = np.broadcast_to(demand.user[:, None], items.shape)
    held[inside] = instance.local[user[inside], items[inside]]
    # A device with all of a set is slower than some server, and the set is one expert.
    asked = ~held | np.logical_and.reduce(held | ~inside, axis=1)[:, None]
    least: IntArray = np.where(asked, items, instance.items).min(axis=1, initial=instance.items)
    return least
