"""Profiles of large layers: a concave upper bound, and sets found by peeling and adding.

Finding the best k experts contains densest-k-subgraph, so large layers get an interval: an upper
bound on the gain of every set of k experts, and a set. Where both agree, the profile is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from .closure import concave_envelope
from .profile import LayerTerms, Profiles

#: Shares of a term's weight that count for each of its experts while others are missing, in the
#: passes that add experts: each finds the best sets of some layers.
_CREDITS = (0.5, 0.2, 0.05)


def envelope_profiles(
    terms: LayerTerms, layers: int, experts: int, passed: Callable[[], bool] = lambda: False
) -> Profiles:
    """Profiles with certified gaps, for any number of experts.

    Upper bound: the concave envelope, by minimum cuts; its exact points are sets of the profile.

    Sets: the exact points and peeling between them, peeling alone (drop the expert whose loss is
    least), and adding (take the expert that completes most, terms with missing experts counting in
    part).

    Parameters
    ----------
    terms : LayerTerms
    layers, experts : int
    passed : callable
        Whether the time is over: then the layers that are left get no better bound than all of
        their weight.
    """
    nest = _Nest(terms, layers, experts)
    upper, entry = nest.bound(passed)
    peeled = nest.peel()
    place = np.argsort(peeled, axis=1)
    orders = [np.lexsort((place, entry), axis=1), peeled]
    orders += [nest.add(credit) for credit in _CREDITS]
    gain = np.zeros((layers, experts + 1))
    choice = np.zeros((layers, experts + 1), dtype=np.int64)
    ranks = []
    for number, order in enumerate(orders):
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(experts)[None, :], axis=1)
        ranks.append(rank)
        reached = nest.gain_by_count(rank)
        better = reached > gain
        gain[better] = reached[better]
        choice[better] = number
    # A count that finds less than a smaller one takes the smaller one's set.
    count = np.broadcast_to(np.arange(experts + 1), gain.shape).copy()
    for k in range(1, experts + 1):
        worse = gain[:, k] <= gain[:, k - 1]
        gain[worse, k] = gain[worse, k - 1]
        choice[worse, k] = choice[worse, k - 1]
        count[worse, k] = count[worse, k - 1]
    rank_of = np.stack(ranks)  # [orders, L, E]
    chosen = rank_of[choice, np.arange(layers)[:, None]]  # [L, E + 1, E]
    return Profiles(gain, np.maximum(upper, gain), chosen < count[:, :, None])


class _Nest:
    """Terms over the experts of all layers, numbered through; the last number is the padding."""

    def __init__(self, terms: LayerTerms, layers: int, experts: int) -> None:
        self.shape = (layers, experts)
        self.pad = layers * experts
        self.weight = terms.weight_s
        self.within = terms.experts
        self.layer = terms.layer
        self.expert = np.where(
            terms.experts < experts, terms.layer[:, None] * experts + terms.experts, self.pad
        )
        self.inside: BoolArray = self.expert < self.pad

    def _per_expert(self, expert: IntArray, weight: FloatArray) -> FloatArray:
        """Sum weights [T, K] by expert; [L, E]."""
        return sums(expert.ravel(), weight.ravel(), self.pad + 1)[:-1].reshape(self.shape)

    def bound(self, passed: Callable[[], bool]) -> tuple[FloatArray, FloatArray]:
        """Upper bound [L, E + 1] by count, and a rank [L, E] that follows the exact points."""
        L, E = self.shape
        if self.inside.sum(axis=1).max(initial=0) <= 1:
            # Terms of one expert: the largest weights, exactly.
            load = self._per_expert(self.expert, np.where(self.inside, self.weight[:, None], 0.0))
            ordered = -np.sort(-load, axis=1)
            return np.column_stack([np.zeros(L), np.cumsum(ordered, axis=1)]), -load
        by_layer = np.argsort(self.layer, kind="stable")
        first = np.searchsorted(self.layer[by_layer], np.arange(L + 1))
        upper = np.zeros((L, E + 1))
        upper[:, 1:] = sums(self.layer, self.weight, L)[:, None]
        rank = np.zeros((L, E))
        for layer in range(L):
            if passed():
                break
            mine = by_layer[first[layer] : first[layer + 1]]
            upper[layer], rank[layer] = concave_envelope(self.within[mine], self.weight[mine], E)
        return upper, rank

    def gain_by_count(self, rank: IntArray) -> FloatArray:
        """Gain of the first k experts of each layer's order; [L, E + 1]."""
        L, E = self.shape
        padded = np.append(rank.ravel(), -1)
        complete = padded[self.expert].max(axis=1, initial=-1) + 1
        table = sums(self.layer * (E + 1) + complete, self.weight, L * (E + 1))
        return np.cumsum(table.reshape(L, E + 1), axis=1)

    def peel(self) -> IntArray:
        """Order of the experts of each layer: the reverse of dropping the least loss; [L, E]."""
        L, E = self.shape
        loss = self._per_expert(self.expert, np.where(self.inside, self.weight[:, None], 0.0))
        present = np.ones((L, E), dtype=np.bool_)
        alive = np.arange(len(self.weight))
        order = np.empty((L, E), dtype=np.int64)
        for k in range(E - 1, -1, -1):
            dropped = np.where(present, loss, np.inf).argmin(axis=1)
            order[:, k] = dropped
            present[np.arange(L), dropped] = False
            gone = np.zeros(self.pad + 1, dtype=np.bool_)
            gone[np.arange(L) * E + dropped] = True
            dies = gone[self.expert[alive]].any(axis=1)
            dead = alive[dies]
            spread = np.where(self.inside[dead], self.weight[dead, None], 0.0)
            loss = loss - self._per_expert(self.expert[dead], spread)
            alive = alive[~dies]
        return order

    def add(self, credit: float) -> IntArray:
        """Order of adding the expert that completes most; [L, E].

        A term with m missing experts counts ``credit ** (m - 1)`` of its weight.
        """
        L, E = self.shape
        missing = self.inside.sum(axis=1)
        score = self._per_expert(
            self.expert, self._credited(np.arange(len(missing)), missing, credit)
        )
        absent = np.ones((L, E), dtype=np.bool_)
        order = np.empty((L, E), dtype=np.int64)
        for k in range(E):
            added = np.where(absent, score, -np.inf).argmax(axis=1)
            order[:, k] = added
            absent[np.arange(L), added] = False
            new = np.zeros(self.pad + 1, dtype=np.bool_)
            new[np.arange(L) * E + added] = True
            touched = np.flatnonzero(new[self.expert].any(axis=1))
            before = self._credited(touched, missing[touched], credit)
            missing[touched] -= 1
            after = self._credited(touched, missing[touched], credit)
            score = score + self._per_expert(self.expert[touched], after - before)
        return order

    def _credited(self, term: IntArray, missing: IntArray, credit: float) -> FloatArray:
        """Weight that counts for each expert of some terms; [terms, K]."""
        value = self.weight[term] * np.where(missing > 0, credit ** (missing - 1.0), 0.0)
        return np.where(self.inside[term], value[:, None], 0.0)
