"""The linear relaxation of one layer at given prices, by cutting planes that outlive the prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..linear.highs import GrowingLp
from ..linear.rounding import gamma
from ..method import Deadline
from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.layers import Layer

#: Solved when bound and value agree to this share of the layer's weight; a server set's estimate
#: that is too high by less is good enough.
_CONVERGED, _VIOLATED = 1e-9, 1e-9

#: Weight of the master's point in the point to separate; the rest is the last such point.
_STEP = 0.5

#: Experts whose shares differ by less are the same.
_TIE = 1e-9

#: Weights are scaled to this sum, far above HiGHS' absolute tolerances.
_SCALE = 1e4


class Duals(NamedTuple):
    """Multipliers of a layer's Lagrangian relaxation: any are valid.

    Attributes
    ----------
    near : float array [G, E]
        Of how much of an expert the servers of a set hold together, in seconds, >= 0.
    room : float array [N]
        Of the number of experts on a server, in seconds, >= 0.
    """

    near: FloatArray
    room: FloatArray


class Relaxed(NamedTuple):
    """What is known of a layer's relaxation at some prices.

    Attributes
    ----------
    bound_s : float
        No placement, fractional or not, is worth more: gain minus price in seconds.
    value_s : float
        What the best fractional placement found is worth.
    share : float array [N, E]
        That placement: how much of each expert each server holds.
    duals : Duals
        Those of the bound.
    solved : bool
        False if time was over.
    """

    bound_s: float
    value_s: float
    share: FloatArray
    duals: Duals
    solved: bool


class LayerRelaxation:
    """A layer with fractional experts: each term pays as much as its scarcest expert is near.

    Let ``y[g, e]``, at most 1, be how much of expert e the servers of set g hold together. Server
    set g gains ``F_g(y) = sum of weight_s[t] * min(y[g, e] : e in t)``, concave. However the weight
    of every term is split among its experts, the sum over e of ``part[g, e] * y[g, e]`` is at least
    F_g, with equality if it all goes to the scarcest ones. So instead of a column for each term
    and a row for each of its experts, the linear program has a column for each server set, and such
    cuts where they are violated (Kelley 1960, doi:10.1137/0108053; for covering, Cordeau, Furini,
    Ljubic 2019, doi:10.1016/j.ejor.2018.12.021), separated halfway to the last point (in-out
    separation: Ben-Ameur, Neto 2007, doi:10.1002/net.20190). Cuts do not depend on the prices: they
    stay. The bound is computed from the duals, right or wrong.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        terms, N, E = layer.terms, layer.servers, layer.experts
        G = len(terms.server_sets)
        self._layer, self._total_s = layer, float(terms.weight_s.sum())
        self._scale = _SCALE / self._total_s
        self._members = terms.expert_sets[terms.expert_set]
        self._sets = terms.server_sets.astype(np.float64)
        asked = np.zeros((G, E + 1), dtype=np.bool_)
        asked[terms.server_set[:, None], self._members] = True
        # Columns: x of servers and experts, y of server sets and experts, estimates of F_g.
        self._x = N * E
        lower = np.zeros(N * E + G * E + G)
        upper = np.ones(len(lower))
        upper[: N * E] = terms.useful().ravel()
        upper[N * E : -G] = asked[:, :-1].ravel()
        upper[-G:] = np.inf
        self._lp = GrowingLp(lower, upper)
        # y[g, e] - sum of x[n, e] over the servers of g <= 0.
        near = sp.hstack([-sp.kron(self._sets, sp.eye_array(E)), sp.eye_array(G * E)])
        self._lp.add(sp.csr_array(near), np.zeros(G * E))
        room = sp.csr_array(sp.kron(sp.eye_array(N), np.ones((1, E))))
        self._lp.add(room, layer.most.astype(np.float64))
        #: The server set and the parts [E] of each cut.
        self._cut_set: IntArray = np.zeros(0, dtype=np.int64)
        self._cut = np.zeros((0, E))
        # All experts alike: so no estimate is unbounded.
        self._add(np.arange(G), self._split(np.ones((G, E)))[1])

    def solve(self, prices: FloatArray, slack_s: float, deadline: Deadline) -> Relaxed:
        """Solve the relaxation.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        slack_s : float
            By how much bound and value may differ; 0 for as little as HiGHS' tolerances allow.
        deadline : Deadline
        """
        N, E = self._layer.servers, self._layer.experts
        G, total, scale = len(self._sets), self._total_s, self._scale
        cost = np.zeros(self._x + G * E + G)
        cost[: self._x], cost[-G:] = np.repeat(prices, E) * scale, -1.0
        nothing = Duals(np.zeros((G, E)), np.zeros(N))
        most = total * (1 + self._rounding())
        best = Relaxed(most, 0.0, np.zeros((N, E)), nothing, False)
        inner = np.zeros((G, E))
        while not deadline.passed():
            solved = self._lp.solve(cost, deadline)
            if solved is None:
                break
            values, dual = solved
            bound, duals = self._bound(prices, dual)
            if bound <= best.bound_s:
                best = best._replace(bound_s=bound, duals=duals)
            share = values[: self._x].reshape(N, E).clip(0.0, 1.0)
            near = np.minimum(self._sets @ share, 1.0)
            gain, parts = self._split(near)
            value = float(gain.sum() - prices @ share.sum(axis=1))
            if value >= best.value_s:
                best = best._replace(value_s=value, share=share)
            if best.bound_s - best.value_s <= max(_CONVERGED * total, slack_s):
                return best._replace(solved=True)
            estimate = values[-G:] / scale
            inner = _STEP * near + (1 - _STEP) * inner
            halfway = self._split(inner)[1]
            over = estimate - (halfway * near).sum(axis=1) > _VIOLATED * total / G
            more = ~over & (estimate - gain > _VIOLATED * total / G)
            if not over.any() and not more.any():
                # Nothing is left but rounding.
                return best._replace(solved=True)
            self._add(np.flatnonzero(over), halfway[over])
            self._add(np.flatnonzero(more), parts[more])
        return best

    def _split(self, near: FloatArray) -> tuple[FloatArray, FloatArray]:
        """F_g at y [G, E], and each term's weight on its scarcest experts, in equal parts."""
        terms = self._layer.terms
        G, E = near.shape
        padded = np.column_stack([near, np.full(G, np.inf)])
        there = padded[terms.server_set[:, None], self._members]
        least = there.min(axis=1)
        scarcest: BoolArray = there <= least[:, None] + _TIE
        share = terms.weight_s / scarcest.sum(axis=1)
        term, position = np.nonzero(scarcest)
        place = terms.server_set[term] * E + self._members[term, position]
        parts = sums(place, share[term], G * E).reshape(G, E)
        return sums(terms.server_set, terms.weight_s * least, G), parts

    def _add(self, sets: IntArray, parts: FloatArray) -> None:
        """Add a cut for each of some server sets."""
        G, E = len(self._sets), self._layer.experts
        row, expert = np.nonzero(parts)
        each = np.arange(len(sets))
        entries = (
            np.append(-self._scale * parts[row, expert], np.ones(len(sets))),
            (
                np.append(row, each),
                np.append(self._x + sets[row] * E + expert, sets + G * E + self._x),
            ),
        )
        self._lp.add(
            sp.csr_array(entries, shape=(len(sets), self._x + G * E + G)), np.zeros(len(sets))
        )
        self._cut_set = np.append(self._cut_set, sets)
        self._cut = np.concatenate([self._cut, parts])

    def _bound(self, prices: FloatArray, dual: FloatArray) -> tuple[float, Duals]:
        """Bound from any row duals by weak duality, right or wrong, and its multipliers.

        Let parts [g, e] be any split of the terms' weights, near any multipliers >= 0. What a
        placement is worth is at most the sum of ``parts * y - prices * x``, and as y is at most
        the sum of x over the set's servers, and at most 1, that is at most the sum of
        ``max(parts - near, 0)`` and, for each server, of its ``most`` largest positive sums of
        ``near`` over its server sets minus its price.
        """
        layer, N, E = self._layer, self._layer.servers, self._layer.experts
        G = len(self._sets)
        weight = np.maximum(-dual[G * E + N :], 0.0)
        # A convex combination of cuts of a server set is one, too.
        whole = sums(self._cut_set, weight, G)
        used = np.flatnonzero(weight)
        place = (self._cut_set[used], np.arange(len(used)))
        parts = sp.csr_array((weight[used], place), shape=(G, len(used))) @ self._cut[used]
        first = whole <= 0
        parts[first], whole[first] = self._cut[:G][first], 1.0
        parts /= whole[:, None]
        # Duals are in the scale of the objective.
        near = np.maximum(-dual[: G * E], 0.0).reshape(G, E) / self._scale
        reached = self._sets.T @ near
        ordered = np.sort(np.maximum(reached - prices[:, None], 0.0), axis=1)[:, ::-1]
        within = np.arange(E) < layer.most[:, None]
        bound = float(np.maximum(parts - near, 0.0).sum() + ordered[within].sum())
        size = float(parts.sum() + near.sum() + reached.sum() + prices.sum() * E)
        beyond = np.where(layer.most < E, ordered[np.arange(N), np.minimum(layer.most, E - 1)], 0.0)
        return bound + self._rounding() * size, Duals(near, beyond)

    def _rounding(self) -> float:
        """What rounding makes a bound too small by, as a share of the sizes of all that is summed.

        A part is a sum over terms in each cut, then over cuts, divided by another sum over cuts; a
        bound is a sum over all parts and multipliers. None of these numbers is negative but prices.
        """
        (G, E), N = (len(self._sets), self._layer.experts), self._layer.servers
        return gamma(len(self._members) + 2 * len(self._cut) + G * E + N * E + G + 8)
