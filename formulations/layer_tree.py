"""All good placements of one layer at given prices, by branch and bound over its experts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..heuristics.layer_search import gain_tables
from ..instances.arrays import sums
from ..instances.instance import BoolArray, FloatArray, IntArray
from ..instances.layers import Layer
from ..method import Deadline

#: Largest layer, and most numbers in its tables (64 MB): the gain of each set of experts for each
#: server set.
_EXPERTS, _SERVERS, _NUMBERS = 16, 10, 2**23

#: Most nodes, a few seconds; placements to hand back; nodes that are made at once.
_NODES, _PLACEMENTS, _BLOCK = 2e9, 50_000, 2**19

#: Room for rounding, as a share of all that a layer can gain or cost.
_ROUNDING = 1e-13


class Good(NamedTuple):
    """Placements of a layer, the best for each number of experts on the servers.

    Attributes
    ----------
    counts : int array [J, N]
    value_s : float array [J]
        Gain minus price, in seconds.
    chosen : int array [J, E]
        The servers of each expert, as bits.
    """

    counts: IntArray
    value_s: FloatArray
    chosen: IntArray

    def joined(self, other: Good) -> Good:
        """These and others."""
        return Good(*(np.concatenate(both) for both in zip(self, other, strict=True)))

    def cached(self, number: int) -> BoolArray:
        """One of the placements; [N, E]."""
        bits = np.arange(self.counts.shape[1])[:, None]
        placed: BoolArray = (self.chosen[number] >> bits) & 1 == 1
        return placed


class Beyond(NamedTuple):
    """What the value of a placement with ``k[n]`` experts on the servers must exceed `least_s` by.

    Attributes
    ----------
    step, modulus : int array [N]
    value_s : float array [modulus[0], modulus[1], ...]
        At ``step * k % modulus``, >= 0, perhaps infinite.
    """

    step: IntArray
    modulus: IntArray
    value_s: FloatArray

    def partial(self, experts: int) -> list[FloatArray]:
        """The same by how many experts there are already, with 0 to `experts` still to come."""
        tables = [self.value_s]
        for _ in range(experts):
            table = tables[-1]
            for axis, step in enumerate(self.step.tolist()):
                table = np.minimum(table, np.roll(table, -step, axis=axis))
            tables.append(table)
        return tables


class LayerTree:
    """Branch and bound in which a node decides which servers hold the next expert.

    Let F_g(C) be what the requests of server set g gain if its servers hold the experts C together,
    T_e the servers that hold expert e, and p(T) their prices. With any multipliers
    ``mu[g, e] >= 0`` no placement's gain minus price is larger than ::

        sum_g max_C (F_g(C) - mu_g(C)) + sum_e max_T (sum_g mu[g, e] * [T meets g] - p(T))

    Where experts are decided, the maxima are over what is left; those over C are tables over the
    decided part of C, so a node costs one number for each server set. Where not all experts fit on
    a server, a price ``nu[n] >= 0`` is added to p, and ``nu * room`` to the bound. With the linear
    relaxation's duals the bound is that of the relaxation or better.

    Parameters
    ----------
    layer : Layer
        For which `possible` holds.
    """

    def __init__(self, layer: Layer) -> None:
        terms, N, E = layer.terms, layer.servers, layer.experts
        self._layer = layer
        self._tables = gain_tables(terms)
        asked = np.zeros((len(terms.server_sets), E + 1), dtype=np.bool_)
        asked[terms.server_set[:, None], terms.expert_sets[terms.expert_set]] = True
        sets = terms.server_sets @ (1 << np.arange(N))
        #: For each expert, the sets of servers that may hold it, as bits, and which server sets
        #: that asks for it each of them meets [T, G].
        self._holders = [_holders(sets[asked[:, e]], N) for e in range(E)]
        self._meets = [
            ((held[:, None] & sets) != 0) & asked[:, e] for e, held in enumerate(self._holders)
        ]

    @staticmethod
    def possible(layer: Layer) -> bool:
        """Whether the layer is small enough."""
        if layer.experts > _EXPERTS or layer.servers > _SERVERS:
            return False
        return len(layer.terms.server_sets) << layer.experts <= _NUMBERS

    def good(
        self,
        prices: FloatArray,
        multipliers: FloatArray,
        room_prices: FloatArray,
        least_s: float,
        deadline: Deadline,
        beyond: Beyond | None = None,
        *,
        best_only: bool = False,
    ) -> Good | None:
        """Find the placements whose gain minus price is at least `least_s`.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        multipliers : float array [G, E]
            Mu, >= 0: any are valid.
        room_prices : float array [N]
            Nu, >= 0: any are valid.
        least_s : float
        deadline : Deadline
        beyond : Beyond, optional
            How much more it must be for some counts.
        best_only : bool
            Find the best of them, and perhaps others.

        Returns
        -------
        Good or None
            None if there are too many, or time was over.
        """
        search = _Search(self._layer, self._tables, self._holders, self._meets, best_only)
        return search.run(prices, multipliers, room_prices, least_s, deadline, beyond)


class _Search:
    """One run, depth first in blocks."""

    def __init__(
        self,
        layer: Layer,
        tables: FloatArray,
        holders: list[IntArray],
        meets: list[BoolArray],
        best_only: bool,
    ) -> None:
        self._layer, self._tables, self._holders, self._meets = layer, tables, holders, meets
        self._best_only = best_only
        self._nodes = self._unmerged = 0
        self._found: list[Good] = []

    def run(
        self,
        prices: FloatArray,
        multipliers: FloatArray,
        room_prices: FloatArray,
        least: float,
        deadline: Deadline,
        beyond: Beyond | None,
    ) -> Good | None:
        N, E = self._layer.servers, self._layer.experts
        self._deadline, self._room_prices = deadline, room_prices
        raised = prices + room_prices
        total = float(self._layer.terms.weight_s.sum()) + E * float(raised.sum())
        # Everything below is without nu * room.
        self._least = least - _ROUNDING * total - float(room_prices @ self._layer.most)
        self._beyond = beyond
        self._open = [] if beyond is None else beyond.partial(E)
        bits = np.arange(N)
        self._counts = [(held[:, None] >> bits) & 1 for held in self._holders]
        self._cost = [counts @ raised for counts in self._counts]
        best = np.array(
            [
                (meets @ multipliers[:, e] - self._cost[e]).max()
                for e, meets in enumerate(self._meets)
            ]
        )
        # Where most is at stake first.
        terms = self._layer.terms
        stake = np.zeros(E + 1)
        for column in terms.expert_sets[terms.expert_set].T:
            stake += sums(column, terms.weight_s, E + 1)
        self._order = np.argsort(-stake[:-1], kind="stable").tolist()
        self._rest = np.append(np.cumsum(best[self._order][::-1])[::-1], 0.0)
        self._most = self._partial(multipliers)
        root = np.zeros((1, len(self._tables)), dtype=np.int64)
        begin = np.zeros((1, N), dtype=np.int64), np.zeros((1, E), dtype=np.int64)
        if not self._extend(0, root, np.zeros(1), *begin):
            return None
        self._merge()
        return self._found[0]

    def _partial(self, multipliers: FloatArray) -> list[FloatArray]:
        """For each depth j, the most of F_g - mu_g over what the first j experts leave open."""
        E = self._layer.experts
        sets, moved = np.arange(1 << E), np.zeros(1 << E, dtype=np.int64)
        for j, e in enumerate(self._order):
            moved |= ((sets >> j) & 1) << e
        most = [self._tables[:, moved]]
        for j in range(E - 1, -1, -1):
            halves = most[-1].reshape(-1, 2, 1 << j)
            extra = multipliers[:, self._order[j], None]
            most.append(np.maximum(halves[:, 0], halves[:, 1] - extra))
        return most[::-1]

    def _extend(
        self, j: int, covered: IntArray, paid: FloatArray, counts: IntArray, chosen: IntArray
    ) -> bool:
        """Decide the j-th expert for a block of nodes; whether all was looked at."""
        e = self._order[j]
        most, each = self._most[j + 1], np.arange(covered.shape[1])
        without, gained = most[each, covered], most[each, covered | (1 << j)]
        bound = (gained - without) @ self._meets[e].T.astype(np.float64)
        bound += (without.sum(axis=1) + self._rest[j + 1] - paid)[:, None] - self._cost[e]
        self._nodes += bound.size
        if self._nodes > _NODES or self._deadline.passed():
            return False
        node, pick = np.nonzero(bound >= self._least)
        held = counts[node] + self._counts[e][pick]
        fits = (held <= self._layer.most).all(axis=1)
        if self._beyond is not None:
            more = self._open[self._layer.experts - j - 1]
            place = tuple((held * self._beyond.step % self._beyond.modulus).T)
            fits &= bound[node, pick] >= self._least + more[place]
        node, pick, held = node[fits], pick[fits], held[fits]
        if self._best_only:
            first_best = np.argsort(-bound[node, pick], kind="stable")
            node, pick, held = node[first_best], pick[first_best], held[first_best]
        last = j + 1 == self._layer.experts
        step = len(node) if last else max(1, _BLOCK // len(self._holders[self._order[j + 1]]))
        for first in range(0, len(node), max(step, 1)):
            n, t = node[first : first + step], pick[first : first + step]
            now = held[first : first + step]
            placed = chosen[n]
            placed[:, e] = self._holders[e][t]
            if last:
                value = bound[n, t] + now @ self._room_prices
                offset = self._room_prices @ self._layer.most
                good = value >= self._least + offset
                if self._best_only and good.any():
                    self._least = max(self._least, float(value.max() - offset))
                self._found.append(Good(now[good], value[good], placed[good]))
                self._unmerged += len(n)
                if self._unmerged > 2 * _PLACEMENTS:
                    self._merge()
                    if len(self._found[0].value_s) > _PLACEMENTS:
                        return False
            elif (still := bound[n, t] >= self._least).any():
                n, t, now, placed = n[still], t[still], now[still], placed[still]
                met = covered[n] | (self._meets[e][t].astype(np.int64) << j)
                if not self._extend(j + 1, met, paid[n] + self._cost[e][t], now, placed):
                    return False
        return True

    def _merge(self) -> None:
        """Keep the best of each count."""
        N, E = self._layer.servers, self._layer.experts
        nothing = Good(np.zeros((0, N), np.int64), np.zeros(0), np.zeros((0, E), np.int64))
        parts = [nothing, *self._found]
        counts = np.concatenate([part.counts for part in parts])
        value = np.concatenate([part.value_s for part in parts])
        key = counts @ (E + 1) ** np.arange(N)
        order = np.lexsort((-value, key))
        new = np.diff(key[order], prepend=-1) > 0
        kept = order[new]
        chosen = np.concatenate([part.chosen for part in parts])
        self._found, self._unmerged = [Good(counts[kept], value[kept], chosen[kept])], 0


def _holders(sets: IntArray, servers: int) -> IntArray:
    """Sets of servers without one that none of the given server sets needs, as bits."""
    every = np.arange(1 << servers)
    met = every[:, None] & sets
    needed = np.ones(len(every), dtype=np.bool_)
    for n in range(servers):
        needed &= (met == 1 << n).any(axis=1) | (every >> n & 1 == 0)
    return every[needed]
