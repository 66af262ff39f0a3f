"""All numbers of experts on all servers, and the most that a layer can gain with each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product

import numpy as np

from ..heuristics.layer_search import gain_tables
from ..instances.instance import BoolArray, FloatArray, IntArray
from ..instances.layers import Layer

#: Most placements to look at, a few seconds; a matrix costs no less than some thousands of them.
_PLACEMENTS, _LEAST_MATRIX = 3e8, 2**11

#: Most experts for which the gains of all their sets are kept in tables.
_TABLE_EXPERTS = 14


class CountProfile:
    """The exact profile of a small layer over the counts of experts on all its servers.

    The gain of a placement is a sum over server sets G of ``F_G(union of what G's servers hold)``,
    with one table for each G. So all placements are looked at, two servers at a time as a matrix;
    how many experts a request needs does not matter.

    Parameters
    ----------
    layer : Layer
        For which `possible` holds.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._tables = gain_tables(layer.terms)
        # Sets of experts that each server may hold, as bits, in the order of their counts; a
        # second server that holds nothing where there is only one.
        self._sets = [_subsets(np.flatnonzero(row)) for row in layer.terms.useful()]
        self._sets += [np.zeros(1, dtype=np.int64)] * (2 - len(self._sets))
        order = np.argsort([len(sets) for sets in self._sets], kind="stable").tolist()
        # The two largest servers make the matrices.
        self._order, self._outer, self._inner = order, order[:-2], order[-2:]

    @staticmethod
    def possible(layer: Layer) -> bool:
        """Whether the layer is small enough."""
        pairs = np.sort(layer.terms.useful().sum(axis=1)).tolist()
        work = 2.0 ** sum(pairs[:-2]) * max(2.0 ** sum(pairs[-2:]), _LEAST_MATRIX)
        return layer.experts <= _TABLE_EXPERTS and work <= _PLACEMENTS

    @cached_property
    def gain_s(self) -> FloatArray:
        """Largest gain with exactly ``k[n]`` experts on each server n, in seconds; one axis each.

        ``-inf`` where a server cannot hold so many experts that pay.
        """
        counts = [np.bitwise_count(sets) for sets in self._sets]
        gain = np.full([int(counts[n][-1]) + 1 for n in self._order], -np.inf)
        starts = [np.searchsorted(counts[n], range(int(counts[n][-1]) + 1)) for n in self._inner]
        for held, matrix in self._matrices(self._sets):
            rows = np.maximum.reduceat(matrix, starts[0], axis=0)
            best = np.maximum.reduceat(rows, starts[1], axis=1)
            cell = gain[tuple(mask.bit_count() for mask in held)]
            np.maximum(cell, best, out=cell)
        gain = np.moveaxis(gain, range(len(self._order)), self._order)
        return gain[:, 0] if self._layer.servers == 1 else gain

    def placement(self, counts: Sequence[int]) -> BoolArray:
        """A placement [N, E] that gains the most with these counts."""
        wanted = [*counts, *[0] * (len(self._sets) - len(counts))]
        sets = [s[np.bitwise_count(s) == k] for s, k in zip(self._sets, wanted, strict=True)]
        best, masks = -np.inf, [0] * len(sets)
        for held, matrix in self._matrices(sets):
            if matrix.max() > best:
                best = float(matrix.max())
                row, column = np.unravel_index(int(matrix.argmax()), matrix.shape)
                chosen = [*held, int(sets[self._inner[0]][row]), int(sets[self._inner[1]][column])]
                for n, mask in zip(self._order, chosen, strict=True):
                    masks[n] = mask
        bits = np.arange(self._layer.experts)
        placed: BoolArray = (np.array(masks[: self._layer.servers])[:, None] >> bits) & 1 == 1
        return placed

    def _matrices(self, sets: list[IntArray]) -> Iterator[tuple[tuple[int, ...], FloatArray]]:
        """Gains over the sets of the two inner servers, for each choice of the outer ones."""
        server_sets = self._layer.terms.server_sets
        member = np.zeros((len(server_sets), len(self._sets)), dtype=np.bool_)
        member[:, : self._layer.servers] = server_sets
        a, b = self._inner
        every = np.arange(1 << self._layer.experts)
        union = sets[a][:, None] | sets[b]
        # Server sets by which of the inner servers they hold.
        kinds = [
            [
                (g, np.flatnonzero(member[g, self._outer]).tolist())
                for g in np.flatnonzero((member[:, a] == has_a) & (member[:, b] == has_b)).tolist()
            ]
            for has_a, has_b in ((False, False), (True, False), (False, True), (True, True))
        ]
        for held in product(*(sets[n].tolist() for n in self._outer)):
            value = [
                np.zeros(1),
                np.zeros(len(sets[a])),
                np.zeros(len(sets[b])),
                np.zeros(len(every)),
            ]
            for kind, own in enumerate(([0], sets[a], sets[b], every)):
                for g, outer in kinds[kind]:
                    base = 0
                    for position in outer:
                        base |= held[position]
                    value[kind] += self._tables[g][base | np.asarray(own)]
            yield held, value[3][union] + (value[1] + value[0])[:, None] + value[2]


def _subsets(experts: IntArray) -> IntArray:
    """All subsets as bits, by their count."""
    subsets = np.zeros(1, dtype=np.int64)
    for expert in experts.tolist():
        subsets = np.concatenate([subsets, subsets | (1 << expert)])
    return subsets[np.argsort(np.bitwise_count(subsets), kind="stable")]
