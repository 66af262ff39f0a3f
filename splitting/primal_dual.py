"""Prices of room and splits of weights together, by a primal-dual method of first order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from ..method import Deadline
from ..problem.instance import FloatArray
from .layer_path import LayerPath, Looked, Paths, Stepped

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


class Splitting:
    """Looks for the prices and splits with the smallest bound.

    The bound is convex in the prices and splits: the largest value of a function that is linear in
    who holds what. The method takes steps in that, upwards, and in prices and splits, downwards
    (Chambolle, Pock 2011, doi:10.1007/s10851-010-0251-1), with the adaptive steps, averages and
    restarts of PDLP (Applegate et al. 2021, arXiv:2106.04756). All it needs beside sums are
    projections onto a simplex for each expert and each term.

    Parameters
    ----------
    paths : Paths
        Of the layers.
    weight : float array [N, L]
        Of an expert of each layer on each server.
    room : float array [N]

    Attributes
    ----------
    bound_s : float
        No placement saves more.
    prices : float array [N]
        Of a unit of room, those of the bound.
    worth_s : tuple of float
        What each layer is worth there at most.
    value_s : float
        What a fractional placement within the capacities saves: the bound cannot fall below it.
        The paths know the shares of the last look, of the place with the smaller gap.
    iterations : int
    """

    def __init__(self, paths: Paths, weight: FloatArray, room: FloatArray) -> None:
        self._paths, self._weight, self._room = paths, weight, room
        experts = np.array([layer.experts for layer in paths.layers])
        most = weight @ experts
        self.worth_s = tuple(float(layer.terms.weight_s.sum()) for layer in paths.layers)
        total_s = sum(self.worth_s)
        # Servers without room, or without anything to cache, have no use for a price.
        most = np.where(most > 0, most, 1.0)
        reached = np.where(room > 0, np.minimum(room, most), most)
        first = _FIRST_PRICE * total_s / len(room) / reached
        #: Units of the steps of prices, and of those of the layers' limits.
        least = _LEAST_UNIT * total_s
        self._unit = np.maximum(_PRICE_STEP * first / most, least)
        paths.begin(weight, np.maximum(_PRICE_STEP * first[:, None] * weight / experts, least))
        self._here = self.prices = np.where(most > room, first, 0.0)
        self._used = np.zeros_like(self._here)
        self.bound_s, self.value_s = total_s * (1 + _ROUNDING), 0.0
        self._step, self.iterations = _STEP, 0

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
                places = self._here, mean.prices
                looked = list(zip(*self._paths.each(LayerPath.look, *places), strict=True))
                gaps, best = [], None
                for number, (prices, layers) in enumerate(zip(places, looked, strict=True)):
                    gap_s, better = self._look(prices, layers)
                    gaps.append(gap_s)
                    best = number if better else best
                end = int(np.argmin(gaps))
                self._paths.each(LayerPath.keep, best, end)
            yield self.bound_s
            gap_s = gaps[end]
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
                lengths = self._paths.each(LayerPath.restart, end)
                up, down = (sum(parts) for parts in zip(*lengths, strict=True))
                weight = _weighted(weight, up, down + self._squared(begin, places[end]))
                self._here = begin = places[end]
                self._used = self._room_used(looked[end])
                mean, first, last = _Mean(), gap_s, np.inf

    def _iterate(self, weight: float) -> float:
        """Take a step that is short enough; its size."""
        here = self._here
        while True:
            size = self._step
            up, down = size * weight, size / weight
            done = self._paths.each(LayerPath.step, here, up, down)
            now = self._room_used(done)
            spare = self._room - (2 * now - self._used)
            prices = np.maximum(here - down * self._unit * spare, 0.0)
            above = sum(step.up for step in done)
            below = sum(step.down for step in done) + self._squared(here, prices)
            coupling = sum(step.coupling for step in done)
            coupling -= float((prices - here) @ (now - self._used))
            squared = above / weight + below * weight
            longest = squared / (2 * abs(coupling)) if coupling else np.inf
            self.iterations += 1
            k = self.iterations + 1.0
            self._step = min((1 - k**-0.3) * longest, (1 + k**-0.6) * size, _LONGEST)
            if not size > longest:
                self._paths.each(LayerPath.take, size)
                self._here, self._used = prices, now
                return size

    def _look(self, prices: FloatArray, layers: Sequence[Looked]) -> tuple[float, bool]:
        """The gap of a place, and whether its bound is the best."""
        worth = np.array([layer.worth_s for layer in layers])
        bound = float(prices @ self._room + worth.sum()) * (1 + _ROUNDING)
        used = self._room_used(layers)
        over = used > self._room
        fits = float((self._room[over] / used[over]).min(initial=1.0))
        value = float(np.array([layer.gain_s for layer in layers]).sum()) * fits
        better = bound < self.bound_s
        if better:
            self.bound_s, self.prices, self.worth_s = bound, prices, tuple(worth.tolist())
        self.value_s = max(self.value_s, value)
        return bound - value, better

    def _squared(self, old: FloatArray, new: FloatArray) -> float:
        """The squared length of a change of the prices."""
        return float((np.square(new - old) / self._unit).sum())

    def _room_used(self, layers: Sequence[Stepped] | Sequence[Looked]) -> FloatArray:
        """The room that is used on each server."""
        used: FloatArray = (self._weight.T * np.array([layer.used for layer in layers])).sum(axis=0)
        return used


class _Mean:
    """The mean of some prices, by the sizes of their steps."""

    def __init__(self) -> None:
        self.count, self._size = 0, 0.0
        self._sum: FloatArray | float = 0.0

    def add(self, size: float, prices: FloatArray) -> None:
        self._sum = self._sum + size * prices
        self.count, self._size = self.count + 1, self._size + size

    @property
    def prices(self) -> FloatArray:
        return np.asarray(self._sum / self._size)


def _weighted(weight: float, up: float, down: float) -> float:
    """The weight with which both kinds of steps went as far since the last start."""
    if min(up, down) <= 0:
        return weight
    wanted = np.sqrt(weight * np.sqrt(up / down))
    return float(np.clip(wanted, 1 / _WEIGHT, _WEIGHT))
