"""The restricted master problem: one known placement for each layer, within the capacities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from ..linear.capacity_row import capacity_row
from ..linear.highs import LinearModel, run_highs
from ..method import Limits
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.layers import Layer

#: A layer whose placement has this share but for rounding is settled.
_SURE = 1e-6


@dataclass(eq=False)
class _Columns:
    """Known placements of one layer, the best for each number of experts on the servers."""

    gain_s: list[float] = field(default_factory=list)
    used: list[FloatArray] = field(default_factory=list)
    cached: list[BoolArray | None] = field(default_factory=list)
    where: dict[tuple[float, ...], int] = field(default_factory=dict)


class PriceMaster:
    """Columns of all layers and the capacities that tie them together.

    Prices are in seconds for a unit of weight, see `capacity_row`.

    Parameters
    ----------
    instance : Instance
    layers : sequence of Layer
    """

    def __init__(self, instance: Instance, layers: list[Layer]) -> None:
        self.instance, self.layers = instance, layers
        N, L = instance.servers, len(layers)
        #: Pairs [N, E] of each layer that can pay: no others are ever cached.
        self._useful = [layer.terms.useful() for layer in layers]
        #: Weight [N, L] of an expert of each layer on each server, and the room [N].
        self.weight, self.room = np.zeros((N, L)), np.ones(N)
        size = np.array([instance.models[layer.model].expert_bytes for layer in layers], np.int64)
        count = np.array([useful.sum(axis=1) for useful in self._useful]).reshape(L, N).T
        for n, capacity in enumerate(instance.capacity_bytes.tolist()):
            sizes = np.unique(size[count[n] > 0])
            counts = tuple(int(count[n, size == one].sum()) for one in sizes.tolist())
            row = capacity_row(tuple(sizes.tolist()), counts, capacity)
            if math.isfinite(row.room):
                self.room[n] = row.room
                for one, weight in zip(sizes, row.weight, strict=True):
                    self.weight[n, size == one] = weight
        self._columns = [_Columns() for _ in layers]
        for number, layer in enumerate(layers):
            self.add(number, np.zeros((layer.servers, layer.experts), dtype=np.bool_))

    def add(self, layer: int, cached: BoolArray) -> bool:
        """Add a placement [N, E] of a layer; whether it is better than what was known."""
        cached = cached & self._useful[layer]
        return self._add(layer, self.layers[layer].gain_s(cached), cached.sum(axis=1), cached)

    def add_fractional(self, layer: int, gain_s: float, used: FloatArray) -> bool:
        """Add a fractional placement: for the prices only."""
        return self._add(layer, gain_s, used, None)

    def _add(self, layer: int, gain: float, used: FloatArray, cached: BoolArray | None) -> bool:
        columns = self._columns[layer]
        # Fractional ones never take the place of a placement.
        key = (float(cached is None), *used.tolist())
        known = columns.where.get(key)
        if known is None:
            columns.where[key] = len(columns.gain_s)
            columns.gain_s.append(gain)
            columns.used.append(used.astype(np.float64))
            columns.cached.append(cached)
            return True
        if gain <= columns.gain_s[known] * (1 + 1e-12):
            return False
        columns.gain_s[known], columns.cached[known] = gain, cached
        return True

    def drop_fractional(self, layer: int) -> None:
        """Forget a layer's fractional placements."""
        old, new = self._columns[layer], _Columns()
        for key, k in old.where.items():
            if old.cached[k] is not None:
                new.where[key] = len(new.gain_s)
                new.gain_s.append(old.gain_s[k])
                new.used.append(old.used[k])
                new.cached.append(old.cached[k])
        self._columns[layer] = new

    def __len__(self) -> int:
        return sum(len(columns.gain_s) for columns in self._columns)

    def best(self, layer: int, prices: FloatArray, count: int) -> list[BoolArray]:
        """The placements of a layer that are worth most at prices [N]."""
        columns = self._columns[layer]
        kept = [k for k, cached in enumerate(columns.cached) if cached is not None]
        used = np.array([columns.used[k] for k in kept])
        value = np.array([columns.gain_s[k] for k in kept]) - used @ (
            self.weight[:, layer] * prices
        )
        best = np.argsort(-value, kind="stable")[:count]
        return [columns.cached[kept[k]] for k in best.tolist()]

    def prices(self) -> tuple[FloatArray, float]:
        """Prices [N] that are best for the known columns, and the dual value there, in seconds.

        The value is what the Lagrangian dual cannot fall below, whatever columns are added.
        """
        gain, layer, used = self._flat()
        values, dual = self._optimum(gain, layer, used)
        return np.maximum(-dual[len(self.layers) :], 0.0), float(gain @ values)

    def settled(self, least: float) -> tuple[BoolArray, list[int]]:
        """Fix the layers on whose placements the master has agreed, and some more.

        The layers with the largest shares of one placement in the master's optimum, as far as
        they fit together: those with a share of one, and the next ones until `least` is reached.

        Parameters
        ----------
        least : float
            Share of the layers to fix.

        Returns
        -------
        cached : bool array [N, I]
            Their placements.
        layers : list of int
            The others.
        """
        for number in range(len(self.layers)):
            self.drop_fractional(number)
        gain, layer_of, used = self._flat()
        values, _ = self._optimum(gain, layer_of, used)
        cached = np.zeros((self.instance.servers, self.instance.items), dtype=np.bool_)
        first = np.searchsorted(layer_of, np.arange(len(self.layers)))
        best = [int(part.argmax()) for part in np.split(values, first[1:])]
        share = values[first + best]
        left, free = self.instance.capacity_bytes.copy(), []
        for rank, number in enumerate(np.argsort(-share, kind="stable").tolist()):
            layer, own = self.layers[number], self._columns[number].cached[best[number]]
            assert own is not None
            size = own.sum(axis=1) * self.instance.models[layer.model].expert_bytes
            wanted = share[number] >= 1 - _SURE or rank < least * len(self.layers)
            if wanted and (size <= left).all():
                left -= size
                cached[:, layer.own] = own
            else:
                free.append(number)
        return cached, sorted(free)

    def rounded(self, limits: Limits, start: BoolArray) -> BoolArray:
        """Choose a column for each layer within the capacities, at least as good as the start.

        Parameters
        ----------
        limits : Limits
        start : bool array [N, I]
            A feasible placement whose layers are known.

        Returns
        -------
        bool array [N, I]
        """
        chosen: list[list[int]] = []
        first: list[int] = []
        for number, (layer, columns) in enumerate(zip(self.layers, self._columns, strict=True)):
            own = start[:, layer.own] & self._useful[number]
            first.append(columns.where[0.0, *own.sum(axis=1).tolist()])
            chosen.append(list(dict.fromkeys([first[-1], *_undominated(columns)])))
        placement = np.zeros(start.shape, dtype=np.bool_)
        picked = self._by_branching(chosen, first, limits)
        for layer, columns, k in zip(self.layers, self._columns, picked, strict=True):
            if k is not None:
                placement[:, layer.own] = columns.cached[k]
        fits = placement @ self.instance.item_bytes <= self.instance.capacity_bytes
        return placement if fits.all() else start

    def _flat(self) -> tuple[FloatArray, IntArray, FloatArray]:
        """Gain, layer and use of all columns."""
        gain = np.concatenate([columns.gain_s for columns in self._columns])
        layer = np.repeat(np.arange(len(self.layers)), [len(c.gain_s) for c in self._columns])
        return gain, layer, np.concatenate([np.array(c.used) for c in self._columns])

    def _optimum(
        self, gain: FloatArray, layer: IntArray, used: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Shares of the columns and duals of the rows."""
        linear = self._linear(gain, layer, used, integer=False)
        result = run_highs(linear, limits=Limits(), relax=True)
        assert result.values is not None
        assert result.row_dual is not None
        return result.values, result.row_dual

    def _by_branching(
        self, chosen: list[list[int]], first: list[int], limits: Limits
    ) -> Sequence[int | None]:
        """Columns by branch and bound, beginning with the first ones."""
        layer_of = np.repeat(np.arange(len(chosen)), [len(kept) for kept in chosen])
        flat = [k for kept in chosen for k in kept]
        gain = np.array([self._columns[n].gain_s[k] for n, k in zip(layer_of, flat, strict=True)])
        used = np.array([self._columns[n].used[k] for n, k in zip(layer_of, flat, strict=True)])
        begin = [float(k == first[n]) for n, k in zip(layer_of, flat, strict=True)]
        result = run_highs(
            self._linear(gain, layer_of, used, integer=True),
            limits=limits,
            start=dict(enumerate(begin)),
        )
        if result.values is None:
            return first
        picked: list[int | None] = [None] * len(chosen)
        for n, k, value in zip(layer_of.tolist(), flat, result.values, strict=True):
            if value > 0.5:
                picked[n] = k
        return picked

    def _linear(
        self, gain: FloatArray, layer: IntArray, used: FloatArray, *, integer: bool
    ) -> LinearModel:
        """At most one column of each layer, within the capacities."""
        L, J, N = len(self.layers), len(gain), len(self.room)
        one = sp.csc_array((np.ones(J), (layer, np.arange(J))), shape=(L, J))
        load = sp.csc_array(self.weight[:, layer] * used.T)
        return LinearModel(
            cost=-gain,
            offset=0.0,
            matrix=sp.csc_array(sp.vstack([one, load])),
            row_lower=np.full(L + N, -np.inf),
            row_upper=np.append(np.ones(L), self.room),
            lower=np.zeros(J),
            upper=np.ones(J),
            integer=np.full(J, integer),
        )


def _undominated(columns: _Columns) -> list[int]:
    """Placements to which no other is better with no more experts anywhere."""
    kept = [k for k, cached in enumerate(columns.cached) if cached is not None]
    gain = np.array([columns.gain_s[k] for k in kept])
    used = np.array([columns.used[k] for k in kept])
    less = (used[:, None] <= used).all(axis=2) & (gain[:, None] >= gain)
    np.fill_diagonal(less, False)
    dominated: list[bool] = np.any(less, axis=0).tolist()
    return [k for k, worse in zip(kept, dominated, strict=True) if not worse]
