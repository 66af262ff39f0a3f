"""Prices of room and splits of weights together, by a primal-dual method of first order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ..method import Deadline
from ..problem.instance import FloatArray
from ..problem.layers import Layer
from .layer_split import LayerPoint, LayerSplit

#: Iterations between two looks at how far it is.
_LOOK = 20

#: Looks before a bound that no longer falls can end it.
_PATIENCE = 20

#: Begin anew where the gap has fallen to the first share of what it was, or to the second and no
#: longer falls, or after the third share of all iterations.
_FALLEN, _STALLED, _LONG = 0.2, 0.8, 0.36

#: How far the weight of the steps down against those up may go from 1.
_WEIGHT = 4.0

#: The first prices, as a share of those at which all room costs what all terms weigh; and how much
#: further prices move in a step than splits do.
_FIRST_PRICE, _PRICE_STEP = 0.3, 10.0

#: Of the first step, and of any: where nothing moves they would grow without end.
_STEP, _LONGEST = 0.1, 1e3

#: The least unit of a step of a price, as a share of what all terms weigh.
_LEAST_UNIT = 1e-12

#: Room for the rounding of the bound's sum, whose parts are not negative.
_ROUNDING = 1e-12


class Place(NamedTuple):
    """Where the method is.

    Attributes
    ----------
    prices : float array [N]
        Of a unit of room.
    points : tuple of LayerPoint
        Of each layer.
    """

    prices: FloatArray
    points: tuple[LayerPoint, ...]


class _Mean:
    """The mean of some places, by the sizes of their steps."""

    def __init__(self) -> None:
        self.count, self._size = 0, 0.0
        self._sums: list[FloatArray] = []

    def add(self, step: float, place: Place) -> None:
        parts = [place.prices]
        parts += [part for p in place.points for part in (p.held, p.split, p.limit_s)]
        if self.count:
            for total, part in zip(self._sums, parts, strict=True):
                total += step * part
        else:
            self._sums = [step * part for part in parts]
        self.count, self._size = self.count + 1, self._size + step

    def place(self, layers: Sequence[LayerSplit]) -> Place:
        prices, *parts = (total / self._size for total in self._sums)
        threes = (parts[k : k + 3] for k in range(0, len(parts), 3))
        points = (layer.point(*each) for layer, each in zip(layers, threes, strict=True))
        return Place(prices, tuple(points))


class Splitting:
    """Looks for the prices and splits with the smallest bound.

    The bound is convex in the prices and splits: the largest value of a function that is linear in
    who holds what. The method takes steps in that, upwards, and in prices and splits, downwards
    (Chambolle, Pock 2011, doi:10.1007/s10851-010-0251-1), with the adaptive steps, averages and
    restarts of PDLP (Applegate et al. 2021, arXiv:2106.04756). All it needs beside sums are
    projections onto a simplex for each expert and each term.

    Parameters
    ----------
    layers : sequence of Layer
    weight : float array [N, L]
        Of an expert of each layer on each server.
    room : float array [N]

    Attributes
    ----------
    bound_s : float
        No placement saves more.
    best : Place
        Of the bound.
    worth_s : tuple of float
        What each layer is worth there at most.
    value_s : float
        What a fractional placement within the capacities saves: the bound cannot fall below it.
    shares : list of float arrays [N, E]
        Who holds what, layer by layer, where the gap between bound and value was smallest.
    iterations : int
    """

    def __init__(self, layers: Sequence[Layer], weight: FloatArray, room: FloatArray) -> None:
        self.layers = [LayerSplit(layer) for layer in layers]
        self._weight, self._room = weight, room
        experts = np.array([layer.experts for layer in layers])
        most = weight @ experts
        total_s = sum(layer.total_s for layer in self.layers)
        # Servers without room, or without anything to cache, have no use for a price.
        most = np.where(most > 0, most, 1.0)
        reached = np.where(room > 0, np.minimum(room, most), most)
        first = _FIRST_PRICE * total_s / len(room) / reached
        #: Units of the steps of prices, and of those of the layers' limits.
        least = _LEAST_UNIT * total_s
        self._unit = np.maximum(_PRICE_STEP * first / most, least)
        self._limit_unit = np.maximum(_PRICE_STEP * first[:, None] * weight / experts, least)
        self._here = Place(
            np.where(most > room, first, 0.0), tuple(layer.start() for layer in self.layers)
        )
        self.bound_s, self.best, self.value_s = total_s * (1 + _ROUNDING), self._here, 0.0
        self.worth_s = tuple(layer.total_s for layer in self.layers)
        self._step, self.iterations = _STEP, 0
        self.shares: list[FloatArray] = []

    def rounds(self, deadline: Deadline, gap: float) -> Iterator[float]:
        """Improve the bound until it is as good as it gets or time is over.

        Parameters
        ----------
        deadline : Deadline
        gap : float
            Between bound and value, as a share of the bound, at which to end.

        Yields
        ------
        float
            The bound so far.
        """
        begin, weight, mean = self._here, 1.0, _Mean()
        first = last = np.inf
        bounds: list[float] = []
        while not deadline.passed():
            # The matrices are small: threads of the linear algebra would wait for each other.
            with threadpool_limits(1, "blas"):
                for _ in range(_LOOK):
                    mean.add(self._iterate(weight), self._here)
                    if deadline.passed():
                        break
            looks = [(self._look(place), place) for place in (self._here, mean.place(self.layers))]
            gap_s, end = min(looks, key=itemgetter(0))
            self.shares = [
                layer.side.share(point.held)
                for layer, point in zip(self.layers, end.points, strict=True)
            ]
            yield self.bound_s
            bounds.append(self.bound_s)
            # Done, or no better for half of the time.
            before = bounds[len(bounds) // 2] if len(bounds) >= _PATIENCE else np.inf
            if self.bound_s - self.value_s <= gap * self.bound_s:
                return
            if before - self.bound_s <= gap * self.bound_s:
                return
            first = gap_s if np.isinf(first) else first
            fallen = gap_s <= _FALLEN * first or last < gap_s <= _STALLED * first
            last = gap_s
            if fallen or mean.count >= _LONG * self.iterations:
                weight = self._weighted(weight, begin, end)
                self._here = begin = end
                mean, first, last = _Mean(), gap_s, np.inf

    def _iterate(self, weight: float) -> float:
        """Take a step that is short enough; its size."""
        here = self._here
        used = self._used(here.points)
        while True:
            size = self._step
            up, down = size * weight, size / weight
            done = [self._stepped(number, here, up, down) for number in range(len(self.layers))]
            points = tuple(new for new, _ in done)
            now = self._used(points)
            spare = self._room - (2 * now - used)
            prices = np.maximum(here.prices - down * self._unit * spare, 0.0)
            there = Place(prices, points)
            above, below = self._squared(here, there)
            squared = above / weight + below * weight
            coupling = sum(part for _, part in done) - float((prices - here.prices) @ (now - used))
            longest = squared / (2 * abs(coupling)) if coupling else np.inf
            self.iterations += 1
            k = self.iterations + 1.0
            self._step = min((1 - k**-0.3) * longest, (1 + k**-0.6) * size, _LONGEST)
            if not size > longest:
                self._here = there
                return size

    def _stepped(
        self, number: int, here: Place, up: float, down: float
    ) -> tuple[LayerPoint, float]:
        """A layer's step, and what its two parts have in common."""
        layer, point, unit = self.layers[number], here.points[number], self._limit_unit[:, number]
        new = layer.step(point, self._weight[:, number] * here.prices, unit, up, down)
        return new, layer.coupling(point, new)

    def _squared(self, old: Place, new: Place) -> tuple[float, float]:
        """The squared lengths of the way up, in who holds what, and down, in all else."""
        parts = [
            layer.squared(old.points[number], new.points[number], self._limit_unit[:, number])
            for number, layer in enumerate(self.layers)
        ]
        prices = float((np.square(new.prices - old.prices) / self._unit).sum())
        return sum(up for up, _ in parts), sum(down for _, down in parts) + prices

    def _look(self, place: Place) -> float:
        """Keep the place if its bound is the best; its gap."""

        def both(number: int) -> tuple[float, float]:
            layer, point = self.layers[number], place.points[number]
            prices = self._weight[:, number] * place.prices
            return layer.bound(point).worth_s(prices), layer.gain_s(point)

        worth, gain = np.array([both(number) for number in range(len(self.layers))]).T
        bound = float(place.prices @ self._room + worth.sum()) * (1 + _ROUNDING)
        used = self._used(place.points)
        over = used > self._room
        fits = float((self._room[over] / used[over]).min(initial=1.0))
        value = float(gain.sum()) * fits
        if bound < self.bound_s:
            self.bound_s, self.best, self.worth_s = bound, place, tuple(worth.tolist())
        self.value_s = max(self.value_s, value)
        return bound - value

    def _used(self, points: Sequence[LayerPoint]) -> FloatArray:
        """The room that is used on each server."""
        used: FloatArray = (self._weight.T * np.array([p.used for p in points])).sum(axis=0)
        return used

    def _weighted(self, weight: float, old: Place, new: Place) -> float:
        """The weight with which both kinds of steps went as far since the last start."""
        up, down = self._squared(old, new)
        if min(up, down) <= 0:
            return weight
        wanted = np.sqrt(weight * np.sqrt(up / down))
        return float(np.clip(wanted, 1 / _WEIGHT, _WEIGHT))
