"""The good columns of one layer at given prices, by branch and bound over its experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..linear.rounding import gamma
from ..method import Deadline
from ..problem.arrays import least_of_each, sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.layers import Layer
from ..splitting.holders import needed_holders
from .layer_search import gain_tables
from .parameters import Parameters
from .relaxation import Duals
from .residues import Residues

#: Nodes that are made at once.
_BLOCK = 2**19


class Columns(NamedTuple):
    """Columns of a layer, the best for each number of experts on the servers.

    Attributes
    ----------
    counts : int array [J, N]
        Experts on each server.
    worth_s : float array [J]
        Gain minus price, in seconds.
    holders : int array [J, E]
        The servers of each expert, as bits.
    """

    counts: IntArray
    worth_s: FloatArray
    holders: IntArray

    @classmethod
    def merged(cls, parts: Sequence[Columns]) -> Columns:
        """All columns of all parts, the best for each number of experts."""
        every = cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        key = every.counts @ (every.holders.shape[1] + 1) ** np.arange(every.counts.shape[1])
        kept = least_of_each(key, -every.worth_s)
        return cls(every.counts[kept], every.worth_s[kept], every.holders[kept])

    def cached(self, number: int) -> BoolArray:
        """One of the columns as a placement [N, E]."""
        bits = np.arange(self.counts.shape[1])[:, None]
        placed: BoolArray = (self.holders[number] >> bits) & 1 == 1
        return placed


class Threshold(NamedTuple):
    """What a column must be worth.

    Attributes
    ----------
    least_s : float
    more_s : Residues, optional
        What is added to that, >= 0, perhaps infinite.
    """

    least_s: float
    more_s: Residues | None = None


class _Nodes(NamedTuple):
    """Nodes of the tree at the same depth.

    Attributes
    ----------
    covered : int array [B, G]
        The decided experts that some server of each set holds, as bits in their order.
    paid_s : float array [B]
        The raised prices of what is held.
    counts : int array [B, N]
    holders : int array [B, E]
    """

    covered: IntArray
    paid_s: FloatArray
    counts: IntArray
    holders: IntArray


def small_enough(layer: Layer, parameters: Parameters) -> bool:
    """Whether `enumerate_columns` can say anything about a layer."""
    if layer.experts > parameters.tree_experts or layer.servers > parameters.tree_servers:
        return False
    return len(layer.terms.server_sets) << layer.experts <= parameters.tree_numbers


def enumerate_columns(
    layer: Layer,
    prices: FloatArray,
    duals: Duals,
    threshold: Threshold,
    deadline: Deadline,
    parameters: Parameters,
    *,
    best_only: bool = False,
) -> Columns | None:
    """Find the columns of a layer whose gain minus price reaches a threshold.

    Branch and bound in which a node decides which servers hold the next expert. Let F_g(C) be what
    the requests of server set g gain if its servers hold the experts C together, T_e the servers
    that hold expert e, and p(T) their prices. With any multipliers ``mu[g, e] >= 0`` (`Duals.near`)
    no placement's gain minus price is larger than ::

        sum_g max_C (F_g(C) - mu_g(C)) + sum_e max_T (sum_g mu[g, e] * [T meets g] - p(T))

    Where experts are decided, the maxima are over what is left; those over C are tables over the
    decided part of C, so a node costs one number for each server set. Where not all experts fit on
    a server, a price ``nu[n] >= 0`` (`Duals.room`) is added to p, and ``nu * room`` to the bound.
    With the linear relaxation's duals the bound is that of the relaxation or better.

    Parameters
    ----------
    layer : Layer
        For which `small_enough` holds.
    prices : float array [N]
        Of one expert on each server, in seconds, >= 0.
    duals : Duals
    threshold : Threshold
    deadline : Deadline
    parameters : Parameters
    best_only : bool
        Find the best of them, and perhaps others.

    Returns
    -------
    Columns or None
        None if there are too many, or time was over.
    """
    return _Tree(layer, prices, duals, threshold, deadline, parameters, best_only).run()


class _Tree:
    """One run, depth first in blocks."""

    def __init__(
        self,
        layer: Layer,
        prices: FloatArray,
        duals: Duals,
        threshold: Threshold,
        deadline: Deadline,
        parameters: Parameters,
        best_only: bool,
    ) -> None:
        terms, N, E = layer.terms, layer.servers, layer.experts
        self._layer, self._deadline, self._best_only = layer, deadline, best_only
        self._parameters = parameters
        #: What is added to the threshold at least, by how many experts are open.
        self._more = [] if threshold.more_s is None else threshold.more_s.with_more(E)
        raised = prices + duals.room
        #: What a bound below must reach: these are without nu * room.
        self._room_prices, self._offset = duals.room, float(duals.room @ layer.most)
        # Room for the rounding of a bound: sums over server sets, over experts, and in tables.
        total = float(terms.weight_s.sum() + duals.near.sum() + E * raised.sum())
        self._rounding = total * gamma(2 * (len(terms.server_sets) + N) + 4 * E + 8)
        self._least = threshold.least_s - self._rounding - self._offset
        asked = np.zeros((len(terms.server_sets), E + 1), dtype=np.bool_)
        asked[terms.server_set[:, None], terms.expert_sets[terms.expert_set]] = True
        bits = np.arange(N)
        sets = terms.server_sets @ (1 << bits)
        #: For each expert, the sets of servers that may hold it, as bits; which server sets that
        #: ask for it each of them meets [T, G]; as many on each server [T, N]; and their prices.
        self._holders = [needed_holders(sets[asked[:, e]], N) for e in range(E)]
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
            (self._meets[e] @ duals.near[:, e] - self._cost[e]).max() for e in self._order[::-1]
        ]
        self._rest = np.append(np.cumsum(best)[::-1], 0.0)
        self._most = self._partial(gain_tables(terms), duals.near)
        self._nodes = self._unmerged = 0
        nothing = np.zeros((0, N), np.int64), np.zeros(0), np.zeros((0, E), np.int64)
        self._found = [Columns(*nothing)]

    def run(self) -> Columns | None:
        G, N, E = len(self._most[0]), self._layer.servers, self._layer.experts
        sizes = (1, G), 1, (1, N), (1, E)
        covered, paid, counts, holders = (np.zeros(size, dtype=np.int64) for size in sizes)
        root = _Nodes(covered, paid.astype(np.float64), counts, holders)
        return Columns.merged(self._found) if self._extend(0, root) else None

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

    def _extend(self, j: int, nodes: _Nodes) -> bool:
        """Decide the j-th expert for a block of nodes; whether all was looked at."""
        bound = self._bounds(j, nodes)
        self._nodes += bound.size
        if self._nodes > self._parameters.tree_nodes or self._deadline.passed():
            return False
        node, pick = np.nonzero(bound >= self._least)
        bound = bound[node, pick]
        counts = nodes.counts[node] + self._counts[self._order[j]][pick]
        kept = (counts <= self._layer.most).all(axis=1)
        if self._more:
            kept &= bound >= self._least + self._more[self._layer.experts - j - 1].at(counts)
        kept = np.flatnonzero(kept)
        if self._best_only:
            kept = kept[np.argsort(-bound[kept], kind="stable")]
        last = j + 1 == self._layer.experts
        step = len(kept) if last else _BLOCK // len(self._holders[self._order[j + 1]])
        for first in range(0, len(kept), max(step, 1)):
            block = kept[first : first + max(step, 1)]
            if last:
                done = self._collect(nodes, node[block], pick[block], counts[block], bound[block])
            else:
                # The best column may have become better since.
                block = block[bound[block] >= self._least]
                done = len(block) == 0 or self._extend(
                    j + 1, self._child(j, nodes, node[block], pick[block], counts[block])
                )
            if not done:
                return False
        return True

    def _bounds(self, j: int, nodes: _Nodes) -> FloatArray:
        """Bound of each node [B] with each choice of servers [T] for the j-th expert."""
        e = self._order[j]
        most, each = self._most[j + 1], np.arange(nodes.covered.shape[1])
        without, gained = most[each, nodes.covered], most[each, nodes.covered | (1 << j)]
        bound: FloatArray = (gained - without) @ self._meets[e].T.astype(np.float64)
        bound += (without.sum(axis=1) + self._rest[j + 1] - nodes.paid_s)[:, None] - self._cost[e]
        return bound

    def _child(
        self, j: int, nodes: _Nodes, node: IntArray, pick: IntArray, counts: IntArray
    ) -> _Nodes:
        """Nodes in which the picked servers hold the j-th expert."""
        e = self._order[j]
        covered = nodes.covered[node] | (self._meets[e][pick].astype(np.int64) << j)
        holders = nodes.holders[node]
        holders[:, e] = self._holders[e][pick]
        return _Nodes(covered, nodes.paid_s[node] + self._cost[e][pick], counts, holders)

    def _collect(
        self, nodes: _Nodes, node: IntArray, pick: IntArray, counts: IntArray, bound: FloatArray
    ) -> bool:
        """Keep columns; whether they are not too many. With all decided the bound is the worth."""
        worth = bound + counts @ self._room_prices
        good = np.flatnonzero(worth >= self._least + self._offset)
        if self._best_only and len(good):
            self._least = max(self._least, float(worth.max()) - self._rounding - self._offset)
        last = self._child(self._layer.experts - 1, nodes, node[good], pick[good], counts[good])
        self._found.append(Columns(last.counts, worth[good], last.holders))
        self._unmerged += len(node)
        if self._unmerged > 2 * self._parameters.tree_columns:
            self._found, self._unmerged = [Columns.merged(self._found)], 0
            return len(self._found[0].worth_s) <= self._parameters.tree_columns
        return True
