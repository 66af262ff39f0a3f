"""Heuristic pricing: good placements of one layer where every expert on a server has a price."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple, Self

import numpy as np

from ..method import Deadline
from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.layers import Layer
from ..problem.terms import Terms
from ..responses.closure import best_set
from ..responses.subset_sums import subset_sums
from .parameters import Parameters


class Valued(NamedTuple):
    """A placement [N, E] of a layer, and what it is worth: its gain minus its price in seconds."""

    cached: BoolArray
    worth_s: float

    @classmethod
    def of(cls, layer: Layer, prices: FloatArray, cached: BoolArray) -> Self:
        """Value a placement at the prices [N] of one expert on each server."""
        return cls(cached, layer.gain_s(cached) - float(prices @ cached.sum(axis=1)))


class LayerSearch:
    """Best responses of single servers, from several starts.

    A server's best response to the others is exact: a maximum over the table of all expert sets,
    or for many experts a maximum closure (see `closure`).

    Parameters
    ----------
    layer : Layer
    parameters : Parameters
    """

    def __init__(self, layer: Layer, parameters: Parameters) -> None:
        self.layer, self.parameters = layer, parameters

    def search(self, prices: FloatArray, starts: Sequence[BoolArray], deadline: Deadline) -> Valued:
        """Find the best placement [N, E] in which no change of a single server helps.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds.
        starts : sequence of bool arrays [N, E]
            Further starts, best first: only the first where experts are many.
        deadline : Deadline
        """
        starts = starts if self._few_sets else starts[:1]
        return max(self.reached(prices, starts, deadline), key=attrgetter("worth_s"))

    def reached(
        self, prices: FloatArray, starts: Sequence[BoolArray], deadline: Deadline
    ) -> list[Valued]:
        """For each start the better of what is reached from there and from nothing; see `search`.

        With few experts all that is reached.
        """
        if self._few_sets:
            found = self._ascend_all(prices, starts, deadline)
            return [Valued.of(self.layer, prices, cached) for cached in found]
        nothing = np.zeros((self.layer.servers, self.layer.experts), dtype=np.bool_)
        found = [self._ascend(prices, start.copy(), deadline) for start in (nothing, *starts)]
        first, *others = [Valued.of(self.layer, prices, cached) for cached in found]
        better = [max(other, first, key=attrgetter("worth_s")) for other in others]
        return better or [first]

    @cached_property
    def _few_sets(self) -> bool:
        """Whether each response can look at all sets of experts."""
        N, E, parameters = self.layer.servers, self.layer.experts, self.parameters
        if parameters.table_experts < E:
            return False
        near = int(self.layer.terms.server_sets.sum())
        return 2 * (N + 2) * near << E <= parameters.table_steps

    @cached_property
    def _table(self) -> FloatArray:
        return gain_tables(self.layer.terms)

    def _ascend_all(
        self, prices: FloatArray, starts: Sequence[BoolArray], deadline: Deadline
    ) -> list[BoolArray]:
        """Ascend from all starts at once; experts of a server are bits of a number."""
        N, E = self.layer.servers, self.layer.experts
        full = (1 << E) - 1
        alone = np.where(np.eye(N, dtype=np.bool_), full, 0)
        bits = np.left_shift(1, np.arange(E))
        given = np.array([start @ bits for start in starts], dtype=np.int64).reshape(-1, N)
        held = np.concatenate([given, alone, np.zeros((1, N), np.int64), np.full((1, N), full)])
        # Each start in two orders of the servers.
        forth, back = held, held.copy()
        for held, order in ((forth, range(N)), (back, range(N)[::-1])):
            for _ in range(self.parameters.response_rounds):
                before = held.copy()
                for n in order:
                    if deadline.passed():
                        break
                    held[:, n] = self._respond(prices[n], held, n)
                if np.array_equal(held, before):
                    break
            # Servers that time has not reached may hold too many.
            held[np.bitwise_count(held) > self.layer.most] = 0
        distinct = np.unique(np.concatenate([forth, back]), axis=0)
        return list((distinct[:, :, None] & bits) > 0)

    def _respond(self, price: float, held: IntArray, server: int) -> IntArray:
        """Best sets of one server given the others, for each of several placements [B, N]."""
        sets = np.arange(1 << self.layer.experts)
        count = np.bitwise_count(sets)
        cost = np.where(count <= self.layer.most[server], price * count, np.inf)
        value = np.broadcast_to(-cost, (len(held), len(sets))).copy()
        for g in np.flatnonzero(self.layer.terms.server_sets[:, server]).tolist():
            near = self.layer.terms.server_sets[g].copy()
            near[server] = False
            others = np.bitwise_or.reduce(held[:, near], axis=1)
            value += self._table[g][others[:, None] | sets]
        # The first of equal values, so a set without useless experts among neighbours.
        best: IntArray = value.argmax(axis=1)
        return best

    def _ascend(self, prices: FloatArray, cached: BoolArray, deadline: Deadline) -> BoolArray:
        """Ascend from one start, each response by a minimum cut."""
        terms, E = self.layer.terms, self.layer.experts
        near = np.ones((len(terms.server_sets), E + 1), dtype=np.bool_)
        for _ in range(self.parameters.response_rounds):
            before = cached.copy()
            for n in range(self.layer.servers):
                if deadline.passed():
                    return cached
                own = cached[n].copy()
                cached[n] = False
                near[:, :-1] = terms.server_sets @ cached
                mine = np.flatnonzero(terms.server_sets[terms.server_set, n])
                members = terms.expert_sets[terms.expert_set[mine]]
                lacks = ~near[terms.server_set[mine, None], members]
                open_ = lacks.any(axis=1)
                experts = np.where(lacks, members, E)[open_].astype(np.int64)
                best = best_set(experts, terms.weight_s[mine[open_]], E, float(prices[n]))
                cached[n] = best if best.sum() <= self.layer.most[n] else own
            if np.array_equal(cached, before):
                break
        return cached


def gain_tables(terms: Terms) -> FloatArray:
    """Gain of each server set's terms from each set of experts, as bits; [G, 2**E]."""
    members = terms.expert_sets[terms.expert_set]
    return subset_sums(
        terms.server_set, members, terms.weight_s, len(terms.server_sets), terms.items
    )
