"""The problem that joins layers: one column of each, within the room of the servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..problem.arrays import least_of_each, unique_rows
from ..problem.instance import FloatArray, IntArray


class MultipleChoice(NamedTuple):
    """A multiple-choice knapsack problem with several capacities.

    The loss of a choice is that of its columns, and the price of the room that it leaves unused.

    Attributes
    ----------
    load : sequence of int arrays [J, N]
        For each layer, what its columns take of every server.
    loss : sequence of float arrays [J]
        >= 0.
    room : int array [N]
    prices : float array [N]
        Of a unit of room, >= 0.
    """

    load: Sequence[IntArray]
    loss: Sequence[FloatArray]
    room: IntArray
    prices: FloatArray

    def part(self, kept: Sequence[IntArray]) -> MultipleChoice:
        """The same with some columns of each layer only."""
        return self._replace(
            load=[load[rows] for load, rows in zip(self.load, kept, strict=True)],
            loss=[loss[rows] for loss, rows in zip(self.loss, kept, strict=True)],
        )

    def reduced(self) -> tuple[MultipleChoice, float]:
        """The same without what every choice takes, and room that no choice can use; its price."""
        least = [load.min(axis=0) for load in self.load]
        load = [load - low for load, low in zip(self.load, least, strict=True)]
        room = self.room - np.sum(least, axis=0)
        most = np.sum([part.max(axis=0) for part in load], axis=0)
        unused = float(np.maximum(room - most, 0) @ self.prices)
        return MultipleChoice(load, self.loss, np.minimum(room, most), self.prices), unused

    def layer_sizes(self, most: float) -> IntArray:
        """The largest load of any column on each server [N], halved until few cells are needed.

        Parameters
        ----------
        most : float
            Product of the sizes at most.
        """
        largest = np.max([load.max(axis=0, initial=0) for load in self.load], axis=0)
        sizes: IntArray = np.maximum(np.minimum(largest, self.room), 1)
        while np.prod(sizes.astype(np.float64)) > most and sizes.max() > 1:
            sizes = (sizes + 1) // 2
        return sizes

    def distinct(self, servers: IntArray, modulus: IntArray) -> list[tuple[IntArray, FloatArray]]:
        """For each layer, its columns' loads of some servers modulo some, with the least losses."""
        layers = []
        for load, loss in zip(self.load, self.loss, strict=True):
            rows, code = unique_rows(load[:, servers] % modulus)
            layers.append((rows, loss[least_of_each(code, loss)]))
        return layers
