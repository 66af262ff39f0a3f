"""One layer on the way of `primal_dual`: where it is, where it has been, and its best place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from ..problem.instance import FloatArray
from ..problem.layers import Layer
from .layer_split import LayerBound, LayerPoint, LayerSplit

_T = TypeVar("_T")


class Stepped(NamedTuple):
    """What a step of a layer says.

    Attributes
    ----------
    used : float array [N]
        How many experts each server would hold.
    up, down : float
        The squared lengths of the way up, in who holds what, and down, in all else.
    coupling : float
        What both have in common.
    """

    used: FloatArray
    up: float
    down: float
    coupling: float


class Looked(NamedTuple):
    """What a place of a layer is worth.

    Attributes
    ----------
    used : float array [N]
        How many experts each server holds.
    worth_s : float
        Bound on gain minus price of every placement of the layer.
    gain_s : float
        What its fractional placement gains.
    """

    used: FloatArray
    worth_s: float
    gain_s: float


class LayerPath:
    """One layer's places.

    Parameters
    ----------
    layer : Layer
    weight : float array [N]
        Of one of its experts on each server.
    limit_unit : float array [N]
        Of the steps of its limits.
    """

    def __init__(self, layer: Layer, weight: FloatArray, limit_unit: FloatArray) -> None:
        self._split = LayerSplit(layer)
        self._weight, self._limit_unit = weight, limit_unit
        self._here = self._next = self._begin = self._best = self._split.start()
        self._looked: tuple[LayerPoint, ...] = ()
        self._share = self._split.side.share(self._here.held)
        self._sums: list[FloatArray] = []
        self._size = 0.0

    def step(self, prices: FloatArray, up: float, down: float) -> Stepped:
        """Look where a step leads, at some prices of room.

        Parameters
        ----------
        prices : float array [N]
        up, down : float
            Its size in who holds what, and in all else.
        """
        old, unit = self._here, self._limit_unit
        self._next = new = self._split.step(old, self._weight * prices, unit, up, down)
        return Stepped(
            new.used, *self._split.squared(old, new, unit), self._split.coupling(old, new)
        )

    def take(self, size: float) -> None:
        """Take the step that was looked at; the mean of the places is by these sizes."""
        self._here = self._next
        parts = (self._here.held, self._here.split, self._here.limit_s)
        if self._sums:
            for total, part in zip(self._sums, parts, strict=True):
                total += size * part
        else:
            self._sums = [size * part for part in parts]
        self._size += size

    def look(self, here: FloatArray, mean: FloatArray) -> tuple[Looked, Looked]:
        """Look at the place and at the mean since the last start, each at its prices."""
        point = self._split.point(*(total / self._size for total in self._sums))
        self._looked = self._here, point
        return self._look(self._here, here), self._look(point, mean)

    def _look(self, point: LayerPoint, prices: FloatArray) -> Looked:
        worth_s = self._split.bound(point).worth_s(self._weight * prices)
        return Looked(point.used, worth_s, self._split.gain_s(point))

    def keep(self, best: int | None, end: int) -> None:
        """Keep one of the two that were looked at as the best, and the shares of one."""
        if best is not None:
            self._best = self._looked[best]
        self._share = self._split.side.share(self._looked[end].held)

    def restart(self, end: int) -> tuple[float, float]:
        """Begin anew in one of the two; the squared lengths of the way since the last start."""
        new = self._looked[end]
        lengths = self._split.squared(self._begin, new, self._limit_unit)
        self._here = self._begin = new
        self._sums, self._size = [], 0.0
        return lengths

    def learnt(self) -> tuple[LayerBound, FloatArray]:
        """The best place's bound, and the shares [N, E] that were kept."""
        return self._split.bound(self._best), self._share


class Paths:
    """The paths of all layers, in one process.

    Parameters
    ----------
    layers : sequence of Layer
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self._paths: list[LayerPath] = []

    def begin(self, weight: FloatArray, limit_unit: FloatArray) -> None:
        """Begin every path; weights of an expert and units of the limits' steps, [N, L]."""
        columns = zip(self.layers, weight.T, limit_unit.T, strict=True)
        self._paths = [LayerPath(*each) for each in columns]

    def each(self, job: Callable[..., _T], *arguments: Any) -> list[_T]:
        """Run a method of `LayerPath` on every layer; what it says, in the order of the layers."""
        return [job(path, *arguments) for path in self._paths]
