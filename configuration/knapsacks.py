"""Exact knapsacks of all servers at once, where experts have few distinct sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..problem.instance import BoolArray, FloatArray, Instance, IntArray

#: Gaps below this share of all values are rounding errors.
_ROUNDING = 1e-13


class Packed(NamedTuple):
    """Best caches for given values.

    Attributes
    ----------
    chosen : bool array [N, I]
    value : float array [N]
    price : float array [N]
        Value of one more byte in the continuous knapsack.
    relaxed : float array [N]
        Value of the continuous knapsack, at least `value`.
    """

    chosen: BoolArray
    value: FloatArray
    price: FloatArray
    relaxed: FloatArray


class Knapsacks:
    """The knapsacks of an instance.

    Experts of one size are taken best first, so a cache is a count for each size, and the value of
    a count is concave. The continuous knapsack gives a price of a byte; at this price a count has a
    loss, and no count that loses more than the continuous optimum is above a placement in hand can
    be in a better one. Few are left (the core of the knapsack), and all their combinations are
    looked at.

    Parameters
    ----------
    instance : Instance
    """

    def __init__(self, instance: Instance) -> None:
        self._size = instance.item_bytes.astype(np.float64)
        sizes, self._class = np.unique(instance.item_bytes, return_inverse=True)
        self._sizes: list[int] = sizes.tolist()
        self._capacity: list[int] = instance.capacity_bytes.tolist()

    def best(self, values: FloatArray, servers: Sequence[int] | None = None) -> Packed:
        """Best caches for values [N, I] of the experts; those below 0 are never taken.

        Parameters
        ----------
        values : float array
            A row for each server.
        servers : sequence of int, optional
            To which servers the rows belong, by default all.
        """
        N, count = values.shape
        gain = np.maximum(values, 0.0)
        density = gain / self._size
        order = np.argsort(-density, axis=1, kind="stable")
        chosen = np.zeros((N, count), dtype=np.bool_)
        value, price, relaxed = np.zeros(N), np.zeros(N), np.zeros(N)
        rows = np.take_along_axis(gain, order, axis=1)
        used = np.cumsum(self._size[order], axis=1)
        total = np.cumsum(rows, axis=1)
        if len(self._sizes) == 1:
            return self._of_one_size(order, rows, total, servers)
        of_class = self._class[order]
        for n, server in enumerate(range(N) if servers is None else servers):
            capacity = self._capacity[server]
            fit = int(np.searchsorted(used[n], capacity, side="right"))
            relaxed[n] = total[n, fit - 1] if fit else 0.0
            if fit < count:
                price[n] = density[n, order[n, fit]]
                relaxed[n] += price[n] * (capacity - (used[n, fit - 1] if fit else 0.0))
            ranked = [order[n, of_class[n] == m] for m in range(len(self._sizes))]
            prefix = [
                np.concatenate([[0.0], np.cumsum(gain[n, items][gain[n, items] > 0])])
                for items in ranked
            ]
            counts = self._counts(prefix, capacity, float(price[n]))
            for items, sums, taken in zip(ranked, prefix, counts, strict=True):
                chosen[n, items[:taken]] = True
                value[n] += sums[taken]
        return Packed(chosen, value, price, np.maximum(relaxed, value))

    def _of_one_size(
        self, order: IntArray, rows: FloatArray, total: FloatArray, servers: Sequence[int] | None
    ) -> Packed:
        """Only counts matter: all servers at once."""
        N, count = rows.shape
        room = np.array(self._capacity, dtype=np.int64)[
            slice(None) if servers is None else list(servers)
        ]
        fit = np.minimum(room // self._sizes[0], count)
        taken = np.minimum(fit, (rows > 0).sum(axis=1))
        chosen = np.zeros((N, count), dtype=np.bool_)
        np.put_along_axis(chosen, order, np.arange(count) < taken[:, None], axis=1)
        padded = np.zeros((N, count + 1))
        padded[:, 1:] = total
        each = np.arange(N)
        value = padded[each, taken]
        next_ = np.where(fit < count, rows[each, np.minimum(fit, count - 1)], 0.0)
        price = next_ / self._sizes[0]
        return Packed(chosen, value, price, value + price * (room - fit * self._sizes[0]))

    def _counts(self, prefix: list[FloatArray], capacity: int, price: float) -> list[int]:
        """Best count of each size."""
        sizes = self._sizes
        most = [min(len(p) - 1, capacity // s) for p, s in zip(prefix, sizes, strict=True)]
        if len(sizes) == 1 or sum(k * s for k, s in zip(most, sizes, strict=True)) <= capacity:
            return most
        losses, first = [], []
        for p, size, end in zip(prefix, sizes, most, strict=True):
            net = p[: end + 1] - price * size * np.arange(end + 1)
            # Fewest among the best: what is left is filled.
            first.append(int(np.flatnonzero(net >= net.max() - 1e-12 * p[end])[0]))
            losses.append(net.max() - net)
        known = _filled(prefix, sizes, most, first, capacity)
        room = float(capacity - sum(k * s for k, s in zip(known, sizes, strict=True)))
        lost = price * room + sum(float(x[k]) for x, k in zip(losses, known, strict=True))
        if lost <= _ROUNDING * sum(float(p[-1]) for p in prefix):
            return known
        kept = [np.flatnonzero(loss <= lost) for loss in losses]
        last = int(np.argmax([len(counts) for counts in kept]))
        # All combinations of the other sizes; the last one fills the room that they leave.
        used, value, loss_of = np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1)
        picked = np.zeros((1, 0), dtype=np.int64)
        for m in (m for m in range(len(sizes)) if m != last):
            fits = used[:, None] + sizes[m] * kept[m] <= capacity
            row, column = np.nonzero(fits & (loss_of[:, None] + losses[m][kept[m]] <= lost))
            count = kept[m][column]
            picked = np.column_stack([picked[row], count])
            used, value = used[row] + sizes[m] * count, value[row] + prefix[m][count]
            loss_of = loss_of[row] + losses[m][count]
        fill = np.minimum((capacity - used) // sizes[last], most[last])
        value = value + prefix[last][fill]
        reached = sum(float(p[k]) for p, k in zip(prefix, known, strict=True))
        if value.max(initial=-np.inf) <= reached:
            return known
        top = int(value.argmax())
        others: list[int] = picked[top].tolist()
        return [*others[:last], int(fill[top]), *others[last:]]


def _filled(
    prefix: list[FloatArray], sizes: list[int], most: list[int], first: list[int], capacity: int
) -> list[int]:
    """Counts that fit, from counts that may exceed the capacity: densest next, while they fit."""
    counts = list(first)
    left = capacity - sum(k * s for k, s in zip(counts, sizes, strict=True))
    while left < 0:
        # Only ties and rounding lead here.
        m = max(range(len(sizes)), key=lambda j: counts[j] * sizes[j])
        taken = min(counts[m], -(left // sizes[m]))
        counts[m] -= taken
        left += taken * sizes[m]
    gain = [
        (p[k + 1] - p[k]) / s if k < end else 0.0
        for p, k, end, s in zip(prefix, counts, most, sizes, strict=True)
    ]
    for m in sorted(range(len(sizes)), key=lambda j: -gain[j]):
        more = min(most[m] - counts[m], left // sizes[m])
        counts[m] += more
        left -= more * sizes[m]
    return counts
