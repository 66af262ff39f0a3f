"""All good placements of one layer at given prices, by branch and bound over its experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.arrays import least_of_each, sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.layers import Layer
from .layer_search import gain_tables

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

    @staticmethod
    def join(parts: Sequence[Good]) -> Good:
        """All placements of all parts, the best of each number of experts."""
        good = Good(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        key = good.counts @ (good.chosen.shape[1] + 1) ** np.arange(good.counts.shape[1])
        kept = least_of_each(key, -good.value_s)
        return Good(good.counts[kept], good.value_s[kept], good.chosen[kept])

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


def small_enough(layer: Layer) -> bool:
    """Whether `good_placements` can say anything about a layer."""
    if layer.experts > _EXPERTS or layer.servers > _SERVERS:
        return False
    return len(layer.terms.server_sets) << layer.experts <= _NUMBERS


def good_placements(
    layer: Layer,
    prices: FloatArray,
    multipliers: FloatArray,
    room_prices: FloatArray,
    least_s: float,
    deadline: Deadline,
    beyond: Beyond | None = None,
    *,
    best_only: bool = False,
) -> Good | None:
    """Find the placements of a layer whose gain minus price is at least `least_s`.

    Branch and bound in which a node decides which servers hold the next expert. Let F_g(C) be what
    the requests of server set g gain if its servers hold the experts C together, T_e the servers
    that hold expert e, and p(T) their prices. With any multipliers ``mu[g, e] >= 0`` no placement's
    gain minus price is larger than ::

        sum_g max_C (F_g(C) - mu_g(C)) + sum_e max_T (sum_g mu[g, e] * [T meets g] - p(T))

    Where experts are decided, the maxima are over what is left; those over C are tables over the
    decided part of C, so a node costs one number for each server set. Where not all experts fit on
    a server, a price ``nu[n] >= 0`` is added to p, and ``nu * room`` to the bound. With the linear
    relaxation's duals the bound is that of the relaxation or better.

    Parameters
    ----------
    layer : Layer
        For which `small_enough` holds.
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
    search = _Search(layer, prices, multipliers, room_prices, least_s, deadline, beyond, best_only)
    return search.run()


class _Search:
    """One run, depth first in blocks."""

    def __init__(
        self,
        layer: Layer,
        prices: FloatArray,
        multipliers: FloatArray,
        room_prices: FloatArray,
        least: float,
        deadline: Deadline,
        beyond: Beyond | None,
        best_only: bool,
    ) -> None:
        terms, N, E = layer.terms, layer.servers, layer.experts
        self._layer, self._deadline, self._best_only = layer, deadline, best_only
        self._beyond = beyond
        self._open = [] if beyond is None else beyond.partial(E)
        raised = prices + room_prices
        #: What a bound below must reach: these are without nu * room.
        self._room_prices, self._offset = room_prices, float(room_prices @ layer.most)
        total = float(terms.weight_s.sum()) + E * float(raised.sum())
        self._least = least - _ROUNDING * total - self._offset
        asked = np.zeros((len(terms.server_sets), E + 1), dtype=np.bool_)
        asked[terms.server_set[:, None], terms.expert_sets[terms.expert_set]] = True
        bits = np.arange(N)
        sets = terms.server_sets @ (1 << bits)
        #: For each expert, the sets of servers that may hold it, as bits; which server sets that
        #: ask for it each of them meets [T, G]; as many on each server [T, N]; and their prices.
        self._holders = [_holders(sets[asked[:, e]], N) for e in range(E)]
        self._meets = [
            ((held[:, None] & sets) != 0) & asked[:, e] for e, held in enumerate(self._holders)
        ]
        self._counts = [(held[:, None] >> bits) & 1 for held in self._holders]
        self._cost = [counts @ raised for counts in self._counts]
        # Where most is at stake first.
        stake = np.zeros(E + 1)
        for column in terms.expert_sets[terms.expert_set].T:
            stake += sums(column, terms.weight_s, E + 1)
        self._order = np.argsort(-stake[:-1], kind="stable").tolist()
        best = [
            (self._meets[e] @ multipliers[:, e] - self._cost[e]).max() for e in self._order[::-1]
        ]
        self._rest = np.append(np.cumsum(best)[::-1], 0.0)
        self._most = self._partial(gain_tables(terms), multipliers)
        self._nodes = self._unmerged = 0
        nothing = np.zeros((0, N), np.int64), np.zeros(0), np.zeros((0, E), np.int64)
        self._found = [Good(*nothing)]

    def run(self) -> Good | None:
        N, E = self._layer.servers, self._layer.experts
        root = np.zeros((1, len(self._most[0])), dtype=np.int64)
        begin = np.zeros((1, N), dtype=np.int64), np.zeros((1, E), dtype=np.int64)
        return Good.join(self._found) if self._extend(0, root, np.zeros(1), *begin) else None

    def _partial(self, tables: FloatArray, multipliers: FloatArray) -> list[FloatArray]:
        """For each depth j, the most of F_g - mu_g over what the first j experts leave open."""
        E = self._layer.experts
        sets, moved = np.arange(1 << E), np.zeros(1 << E, dtype=np.int64)
        for j, e in enumerate(self._order):
            moved |= ((sets >> j) & 1) << e
        most = [tables[:, moved]]
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
                good = value >= self._least + self._offset
                if self._best_only and good.any():
                    self._least = max(self._least, float(value.max()) - self._offset)
                self._found.append(Good(now[good], value[good], placed[good]))
                self._unmerged += len(n)
                if self._unmerged > 2 * _PLACEMENTS:
                    self._found, self._unmerged = [Good.join(self._found)], 0
                    if len(self._found[0].value_s) > _PLACEMENTS:
                        return False
            elif (still := bound[n, t] >= self._least).any():
                n, t, now, placed = n[still], t[still], now[still], placed[still]
                met = covered[n] | (self._meets[e][t].astype(np.int64) << j)
                if not self._extend(j + 1, met, paid[n] + self._cost[e][t], now, placed):
                    return False
        return True


def _holders(sets: IntArray, servers: int) -> IntArray:
    """Sets of servers without one that none of the given server sets needs, as bits."""
    every = np.arange(1 << servers)
    met = every[:, None] & sets
    needed = np.ones(len(every), dtype=np.bool_)
    for n in range(servers):
        needed &= (met == 1 << n).any(axis=1) | (every >> n & 1 == 0)
    return every[needed]
