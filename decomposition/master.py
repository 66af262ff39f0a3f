"""The restricted master problem: one known column for each layer, within the capacities."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..linear.capacity_row import capacity_row
from ..linear.highs import LinearModel, run_highs
from ..method import Limits
from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.layers import Layer
from .known_columns import KnownColumns

#: A layer of whose columns one has this share but for rounding is settled.
_SURE = 1e-6


#: A capacity of which this share is left in the master's optimum does not bind.
_SPARE = 1e-6


class RoundedDown(NamedTuple):
    """The master's basic optimum without its fractional layers.

    Attributes
    ----------
    cached : bool array [N, I]
        The columns of the other layers.
    least_saving_s : float
        What it saves at least: the optimum's value less that of the most valuable layers, as many
        as capacities bind.
    binding : int
        Capacities that bind: no more layers are fractional.
    fractional : int
        Layers that are.
    layers : int
    """

    cached: BoolArray
    least_saving_s: float
    binding: int
    fractional: int
    layers: int

    def told(self) -> dict[str, Any]:
        """All of it but the placement."""
        return {name: value for name, value in self._asdict().items() if name != "cached"}


class _Choices(NamedTuple):
    """Columns to choose from: gain [J], layer [J], use [J, N], number within the layer [J]."""

    gain: FloatArray
    layer: IntArray
    used: FloatArray
    number: IntArray


class RestrictedMaster:
    """Columns of all layers and the capacities that tie them together.

    A column is a placement of one layer; for the prices alone, it may be fractional. Prices are in
    seconds for a unit of weight, see `expertcache.linear.capacity_row`.

    Parameters
    ----------
    instance : Instance
    layers : sequence of Layer

    Attributes
    ----------
    weight : float array [N, L]
        Of an expert of each layer on each server.
    room : float array [N]
    """

    def __init__(self, instance: Instance, layers: Sequence[Layer]) -> None:
        self.instance, self.layers = instance, layers
        N, L = instance.servers, len(layers)
        #: Pairs [N, E] of each layer that can pay: no others are ever cached.
        self._useful = [layer.terms.useful() for layer in layers]
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
        self._columns = [KnownColumns() for _ in layers]
        self.add_placement(np.zeros((N, instance.items), dtype=np.bool_))

    def within(self, capacity_bytes: IntArray) -> RestrictedMaster:
        """The same columns within other capacities; both know what either learns."""
        other = RestrictedMaster(self.instance.replace(capacity_bytes=capacity_bytes), self.layers)
        other._columns = self._columns
        return other

    def __len__(self) -> int:
        return sum(len(columns.gain_s) for columns in self._columns)

    def add_placement(self, cached: BoolArray) -> None:
        """Add each layer's part of a placement [N, I]."""
        for number, layer in enumerate(self.layers):
            self.add(number, cached[:, layer.own])

    def add(self, layer: int, cached: BoolArray) -> bool:
        """Add a placement [N, E] of a layer; whether it is better than what was known."""
        cached = cached & self._useful[layer]
        gain = self.layers[layer].gain_s(cached)
        return self._columns[layer].add(gain, cached.sum(axis=1), cached)

    def add_fractional(self, layer: int, gain_s: float, used: FloatArray) -> bool:
        """Add a fractional placement: for the prices only."""
        return self._columns[layer].add(gain_s, used, None)

    def drop_fractional(self, layer: int) -> None:
        """Forget a layer's fractional placements."""
        self._columns[layer] = self._columns[layer].without_fractional()

    def best(self, layer: int, prices: FloatArray) -> BoolArray:
        """The known placement [N, E] of a layer that is worth most at prices [N]."""
        return self._columns[layer].best(self.weight[:, layer] * prices)

    def prices(self) -> tuple[FloatArray, float]:
        """Prices [N] that are best for the known columns, and the dual value there, in seconds.

        The value is what the Lagrangian dual cannot fall below, whatever columns are added.
        """
        gain, layer, used = self._flat()
        values, dual = self._optimum(gain, layer, used)
        return np.maximum(-dual[len(self.layers) :], 0.0), float(gain @ values)

    def settled(self, least: float) -> tuple[BoolArray, list[int]]:
        """Fix the layers on whose columns the master has agreed, and some more.

        The layers with the largest shares of one column in the master's optimum, as far as they fit
        together: those with a share of one, and the next ones until `least` is reached.

        Parameters
        ----------
        least : float
            Share of the layers to fix.

        Returns
        -------
        cached : bool array [N, I]
            Their columns.
        layers : list of int
            The others.
        """
        for number in range(len(self.layers)):
            self.drop_fractional(number)
        gain, layer_of, used = self._flat()
        values, _ = self._optimum(gain, layer_of, used)
        first = np.searchsorted(layer_of, np.arange(len(self.layers)))
        best = [int(part.argmax()) for part in np.split(values, first[1:])]
        share = values[first + best]
        left, free = self.instance.capacity_bytes.copy(), []
        parts: dict[int, BoolArray] = {}
        for rank, number in enumerate(np.argsort(-share, kind="stable").tolist()):
            own = self._columns[number].placement(best[number])
            model = self.instance.models[self.layers[number].model]
            size = own.sum(axis=1) * model.expert_bytes
            wanted = share[number] >= 1 - _SURE or rank < least * len(self.layers)
            if wanted and (size <= left).all():
                left -= size
                parts[number] = own
            else:
                free.append(number)
        return self.placement(parts), sorted(free)

    def rounded_down(self) -> RoundedDown | None:
        """Leave the fractional layers of a basic optimum empty, after fractional columns are gone.

        A basic optimum has no more positive shares and slacks than rows. Each layer has one of them
        at least and each capacity that does not bind has one, so no more layers have two than
        capacities bind.

        Returns
        -------
        RoundedDown or None
            None without layers, and where capacities that are not exact as rows let in too much.
        """
        for number in range(len(self.layers)):
            self.drop_fractional(number)
        L = len(self.layers)
        if L == 0:
            return None
        gain, layer, used = self._flat()
        values = self._optimum(gain, layer, used)[0].clip(0.0, 1.0)
        load = (self.weight[:, layer] * used.T) @ values
        binding = int((load > self.room * (1 - _SPARE)).sum())
        # The first column of each layer is the empty one.
        first = np.searchsorted(layer, np.arange(L))
        values[first] += np.maximum(1.0 - sums(layer, values, L), 0.0)
        worth = sums(layer, values * gain, L)
        parts = {}
        for number, share in enumerate(np.split(values, first[1:])):
            if share.max() >= 1 - _SURE:
                parts[number] = self._columns[number].placement(int(share.argmax()))
        cached = self.placement(parts)
        if (cached @ self.instance.item_bytes > self.instance.capacity_bytes).any():
            return None
        least = float(np.sort(worth)[: max(0, L - binding)].sum())
        # Whatever the tolerances of the solver are.
        kept = sum(self.layers[number].gain_s(part) for number, part in parts.items())
        return RoundedDown(cached, min(least, kept), binding, L - len(parts), L)

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
        # The start's own columns, too, though others may dominate them.
        first = [
            known.number_of(start[:, layer.own] & useful)
            for layer, known, useful in zip(self.layers, self._columns, self._useful, strict=True)
        ]
        choices = self._choices(first)
        model = self._linear(choices.gain, choices.layer, choices.used, integer=True)
        begin = np.array(first)[choices.layer] == choices.number
        values = run_highs(model, limits=limits, start=dict(enumerate(begin.tolist()))).values
        placement = start if values is None else self._chosen(choices, values)
        fits = placement @ self.instance.item_bytes <= self.instance.capacity_bytes
        return placement if fits.all() else start

    def nearly_rounded(self, limits: Limits, start: BoolArray, penalty: float) -> BoolArray:
        """Choose a column for each layer; capacities may be missed, at a price.

        Of few columns few combinations fit, and fewer are good. What is missing on a server costs
        more than its price, what is left brings less; best responses clear or fill it afterwards.

        Parameters
        ----------
        limits : Limits
        start : bool array [N, I]
            What is handed back where nothing is found.
        penalty : float
            How much more or less, as a share of the price.

        Returns
        -------
        bool array [N, I]
        """
        prices, _ = self.prices()
        choices = self._choices([0] * len(self.layers))
        J, N = len(choices.gain), len(self.room)
        hard = self._linear(choices.gain, choices.layer, choices.used, integer=True)
        rows = len(hard.row_upper)
        slack = sp.vstack([sp.csc_array((rows - N, N)), sp.eye_array(N)])
        model = dataclasses.replace(
            hard,
            cost=np.concatenate([hard.cost, (1 + penalty) * prices, (penalty - 1) * prices]),
            matrix=sp.csc_array(sp.hstack([hard.matrix, -slack, slack])),
            row_lower=np.append(hard.row_lower[:-N], self.room),
            lower=np.zeros(J + 2 * N),
            upper=np.concatenate([hard.upper, np.full(N, np.inf), self.room]),
            integer=np.append(hard.integer, np.zeros(2 * N, dtype=np.bool_)),
        )
        values = run_highs(model, limits=limits).values
        return start if values is None else self._chosen(choices, values[:J])

    def _choices(self, first: Sequence[int]) -> _Choices:
        """The columns that no other one of their layer dominates, and one of each layer."""
        numbers = [
            list(dict.fromkeys([one, *known.undominated()]))
            for one, known in zip(first, self._columns, strict=True)
        ]
        layer = np.repeat(np.arange(len(numbers)), [len(own) for own in numbers])
        number = np.concatenate(numbers)
        pairs = list(zip(layer.tolist(), number.tolist(), strict=True))
        gain = np.array([self._columns[n].gain_s[k] for n, k in pairs])
        used = np.array([self._columns[n].used[k] for n, k in pairs])
        return _Choices(gain, layer, used, number)

    def _chosen(self, choices: _Choices, values: FloatArray) -> BoolArray:
        """Placement of the columns that are taken."""
        taken = np.flatnonzero(values > 0.5)
        pairs = zip(choices.layer[taken].tolist(), choices.number[taken].tolist(), strict=True)
        return self.placement({n: self._columns[n].placement(k) for n, k in pairs})

    def placement(self, parts: Mapping[int, BoolArray]) -> BoolArray:
        """Placement [N, I] of what some layers, by their numbers, cache [N, E]."""
        cached = np.zeros((self.instance.servers, self.instance.items), dtype=np.bool_)
        for number, part in parts.items():
            cached[:, self.layers[number].own] = part
        return cached

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
