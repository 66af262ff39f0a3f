"""Prices of the servers' room, and the bounds that they give at any capacities."""

from __future__ import annotations

import numpy as np

from ..method import Limits
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.layers import split_layers
from ..problem.terms import coverage_terms
from .column_generation import ColumnGeneration
from .dual import Dual
from .master import RestrictedMaster
from .parameters import DEFAULTS
from .pool import LayerPool

#: Room for the rounding of the bound's sum, whose parts are not negative.
_ROUNDING = 1e-12

#: Share of the time for the first capacities, at least.
_FIRST_SHARE = 0.25


class CapacityPrices:
    """Bounds on the saving as functions of the capacities.

    In the Lagrangian dual (`dual`) the capacities stand in one term only, the prices times the
    room; what the layers are worth at these prices is the same for all capacities. So one round of
    prices bounds the saving of every placement at any capacities, and over several rounds the least
    bound counts: a concave function of the room.

    Parameters
    ----------
    most_bytes : int array [N]
        The bounds hold for capacities up to these.
    price_s : float array [P, N]
        Of a byte on each server in P rounds, in seconds, >= 0.
    worth_s : float array [P]
        What all layers are worth at these prices at most, where servers hold up to `most_bytes`.
    unit_bytes, all_bytes : int array [N]
        What the sizes of the experts that can pay on each server are multiples of, and their sum.
    """

    def __init__(
        self,
        most_bytes: IntArray,
        price_s: FloatArray,
        worth_s: FloatArray,
        unit_bytes: IntArray,
        all_bytes: IntArray,
    ) -> None:
        self.most_bytes, self.price_s, self.worth_s = most_bytes, price_s, worth_s
        self._unit_bytes, self._all_bytes = unit_bytes, all_bytes

    def bound_s(self, capacity_bytes: IntArray) -> FloatArray:
        """Bound the saving of every placement at some capacities.

        Parameters
        ----------
        capacity_bytes : int array [Q, N]
            Q times the capacities of all servers.

        Returns
        -------
        float array [Q]
            In seconds; infinite without a round of prices.

        Raises
        ------
        InputError
            If a capacity is larger than the bounds hold for.
        """
        if (capacity_bytes > self.most_bytes).any():
            raise InputError("capacity: larger than the prices hold for")
        used = capacity_bytes // self._unit_bytes * self._unit_bytes
        room = np.minimum(used, self._all_bytes).astype(np.float64)
        bounds = room @ self.price_s.T + self.worth_s
        least: FloatArray = bounds.min(axis=1, initial=np.inf) * (1 + _ROUNDING)
        return least


def capacity_prices(
    instance: Instance, capacity_bytes: IntArray, cached: BoolArray, limits: Limits
) -> CapacityPrices:
    """Find prices that are good at some capacities, by column generation for each.

    All of them share the columns, and what the layers' relaxations have learnt.

    Parameters
    ----------
    instance : Instance
    capacity_bytes : int array [Q, N]
        Q times the capacities of all servers; time goes to the first ones first.
    cached : bool array [N, I]
        A placement, whose layers are the first columns.
    limits : Limits
        Time, and threads: the number of processes.
    """
    deadline = limits.deadline()
    most_bytes = capacity_bytes.max(axis=0)
    layers = split_layers(instance.replace(capacity_bytes=most_bytes), coverage_terms(instance))
    size = np.array([instance.models[layer.model].expert_bytes for layer in layers], dtype=np.int64)
    columns = RestrictedMaster(instance, layers)
    columns.add_placement(cached)
    price, worth = [np.zeros((0, instance.servers))], []
    with LayerPool(layers, limits, DEFAULTS) as pool:
        for done, capacity in enumerate(capacity_bytes):
            dual = Dual(columns.within(capacity), pool)
            share = max(1 / (len(capacity_bytes) - done), 0.0 if done else _FIRST_SHARE)
            until = deadline.part(share)
            for _ in dual.split(until):
                pass
            certificates = [dual.last] if dual.last.layers else []
            certificates += [dual.last for _ in ColumnGeneration(dual).rounds(until)]
            # The dearest of the sizes, where a master's weights are not in their proportion.
            dearest = (dual.master.weight / size).max(axis=1, initial=0.0)
            for certificate in certificates:
                price.append(certificate.prices[None] * dearest)
                worth.append(sum(priced.bound_s for priced in certificate.layers))
    if pool.error is not None:
        raise MemoryError(pool.error)
    useful = np.array([layer.terms.useful().sum(axis=1) for layer in layers], dtype=np.int64)
    useful = useful.reshape(len(layers), instance.servers)
    return CapacityPrices(
        most_bytes,
        np.concatenate(price),
        np.array(worth),
        np.array([max(1, np.gcd.reduce(size[held > 0])) for held in useful.T], dtype=np.int64),
        size @ useful,
    )
