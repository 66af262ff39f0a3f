"""One layer: the weight of each of its terms is split among its experts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..linear.rounding import gamma
from ..problem.arrays import sums
from ..problem.instance import FloatArray, IntArray
from ..problem.layers import Layer
from .holders import Holders, needed_holders
from .simplex import onto_simplex
from .single_servers import SingleServers

#: Most sets of servers that may hold an expert; with more, shares are of single servers.
MOST_HOLDERS = 1024

#: Servers whose sets are numbers of 64 bits.
_MOST_BITS = 62

#: What a term's places without an expert are near to: nothing of its weight goes there.
_NOWHERE = 1e3


@dataclass(frozen=True, eq=False)
class LayerPoint:
    """A point of a layer's saddle function, and what follows from it.

    Attributes
    ----------
    held : float array
        Who holds the experts, see `Holders` and `SingleServers`.
    split : float array [K, T]
        The share of each term's weight that each of its experts has, with sum 1.
    limit_s : float array [N]
        Prices of the number of experts on each server, >= 0.
    near : float array [G, E]
        How much of each expert is near each server set.
    used : float array [N]
        How many experts each server holds.
    value_s : float array [G, E]
        What all terms of a server set give for having an expert near.
    """

    held: FloatArray
    split: FloatArray
    limit_s: FloatArray
    near: FloatArray
    used: FloatArray
    value_s: FloatArray


@dataclass(frozen=True, eq=False)
class LayerBound:
    """A bound on what a layer is worth at any prices.

    A term pays at most what is near of each of its experts, so at most the sum of the parts of its
    weight on those that are near. Then each expert is a problem of its own.

    Attributes
    ----------
    layer : Layer
    side : Holders or SingleServers
    held : float array
        Who holds the experts: any are valid.
    limit_s : float array [N]
        Prices of the number of experts on each server, >= 0: any are valid.
    value_s : float array [G, E]
        What all terms of a server set give for having an expert near; all of their weight.
    additions : int
        Numbers that each of these is the sum of, at most.
    """

    layer: Layer
    side: Holders | SingleServers
    held: FloatArray
    limit_s: FloatArray
    value_s: FloatArray
    additions: int

    def worth_s(self, prices: FloatArray) -> float:
        """Bound gain minus price of every placement of the layer, fractional or not.

        Parameters
        ----------
        prices : float array [N]
            Of one expert on each server, in seconds, >= 0.
        """
        cost_s, limits = prices + self.limit_s, float(self.limit_s @ self.layer.most)
        worth = self.side.worth_s(self.held, self.value_s, cost_s) + limits
        # Added up: terms, server sets, servers, experts; nothing is negative but the prices.
        (G, E), N = self.value_s.shape, self.layer.servers
        most = gamma(self.additions + 4 * G + 2 * N + E + 16)
        total_s = float(self.layer.terms.weight_s.sum())
        return float(worth + most * (3 * total_s + float(cost_s.sum()) * E + limits))


class LayerSplit:
    """A layer's part of the saddle function of `primal_dual`.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        terms, E = layer.terms, layer.experts
        G = len(terms.server_sets)
        self.layer, self._near_shape = layer, (G, E)
        members = terms.expert_sets[terms.expert_set].T
        # One place more, for terms of fewer experts.
        place = np.where(members < E, terms.server_set * E + members, G * E)
        self._place, self._there = np.ascontiguousarray(place), members < E
        self._weight_s = terms.weight_s
        count = self._place.size
        weight = np.broadcast_to(terms.weight_s, place.shape).ravel()
        rows = (self._place.ravel(), np.arange(count))
        self._gather = sp.csr_array((weight, rows), shape=(G * E + 1, count))
        whole = sums(self._place.ravel(), weight, G * E + 1)[:-1].reshape(G, E)
        holders = self._holders()
        self.side: Holders | SingleServers
        if holders is None:
            self.side = SingleServers(layer, whole)
        else:
            self.side = Holders(layer, holders, whole)
        #: The servers on which not all experts fit.
        self._limited = layer.most < E

    def _holders(self) -> IntArray | None:
        """Sets of servers that may hold an expert, as bits; None if they are too many."""
        servers = self.layer.servers
        if servers > _MOST_BITS:
            return None
        bits = self.layer.terms.server_sets @ (1 << np.arange(servers))
        holders = needed_holders(bits, servers, MOST_HOLDERS)
        return holders if len(holders) <= MOST_HOLDERS else None

    def start(self) -> LayerPoint:
        """Nothing is cached, and weights are split in equal parts."""
        split = self._there / self._there.sum(axis=0)
        return self.point(self.side.start(), split, np.zeros(self.layer.servers))

    def point(self, held: FloatArray, split: FloatArray, limit_s: FloatArray) -> LayerPoint:
        """Make a point of its coordinates."""
        used = self.side.share(held).sum(axis=1)
        return LayerPoint(held, split, limit_s, self.side.near(held), used, self._value_s(split))

    def step(
        self, point: LayerPoint, prices: FloatArray, limit_unit: FloatArray, up: float, down: float
    ) -> LayerPoint:
        """Take a step in the shares of the holders, then one against it in the split.

        Parameters
        ----------
        point : LayerPoint
        prices : float array [N]
            Of one expert on each server, in seconds.
        limit_unit : float array [N]
            Of the steps of `limit_s`.
        up, down : float
            Size of both steps.
        """
        cost_s = prices + point.limit_s
        held = self.side.step(point.held, point.value_s, cost_s, up, down)
        near, used = self.side.near(held), self.side.share(held).sum(axis=1)
        # The second step looks ahead: where the first one leads if it is taken twice.
        ahead = np.append(2 * near - point.near, _NOWHERE)
        split = onto_simplex(point.split - down * ahead[self._place])
        limit_s = point.limit_s
        if self._limited.any():
            spare = np.where(self._limited, self.layer.most - (2 * used - point.used), 0.0)
            limit_s = np.maximum(limit_s - down * limit_unit * spare, 0.0)
        return LayerPoint(held, split, limit_s, near, used, self._value_s(split))

    def squared(
        self, old: LayerPoint, new: LayerPoint, limit_unit: FloatArray
    ) -> tuple[float, float]:
        """The squared lengths of a step up, in who holds what, and down, in all else."""
        up, down = self.side.squared(new.held - old.held)
        down += float(np.square(new.split - old.split).sum(axis=0) @ self._weight_s)
        down += float((np.square(new.limit_s - old.limit_s) / limit_unit).sum())
        return up, down

    def coupling(self, old: LayerPoint, new: LayerPoint) -> float:
        """What the changes of both kinds of coordinates have in common, but for the prices."""
        value = ((new.value_s - old.value_s) * (new.near - old.near)).sum()
        limit = (new.limit_s - old.limit_s) @ (new.used - old.used)
        return float(value - limit) + self.side.coupling(new.held - old.held)

    def gain_s(self, point: LayerPoint) -> float:
        """What the holders' shares gain within `most`: each term by its expert least near."""
        near = np.append(self.side.reached(point.held), np.inf)
        most = np.maximum(self.layer.most, 1)
        fits = float((most / np.maximum(point.used, most)).min())
        return float(near[self._place].min(axis=0) @ self._weight_s) * fits

    def bound(self, point: LayerPoint) -> LayerBound:
        """Make a bound of a point's split and limits, whatever they are."""
        split = np.where(self._there, point.split, 0.0)
        split /= split.sum(axis=0)
        additions = self._place.size + len(self._place)
        value_s = self._value_s(split)
        return LayerBound(self.layer, self.side, point.held, point.limit_s, value_s, additions)

    def _value_s(self, split: FloatArray) -> FloatArray:
        value = np.asarray(self._gather @ split.ravel())
        return value[:-1].reshape(self._near_shape)
