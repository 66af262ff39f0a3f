"""Filling servers in a given order of items."""

from __future__ import annotations

import numpy as np

from ..problem.instance import BoolArray, Instance, IntArray
from ..problem.placement import Placement


def fill(instance: Instance, orders: list[IntArray]) -> Placement:
    """Cache on each server the items of its order, skipping those that no longer fit.

    Parameters
    ----------
    instance : Instance
    orders : list of int arrays
        For each server, the items it may cache, best first.
    """
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    for n, order in enumerate(orders):
        cached[n, order] = _fits(instance.item_bytes[order], int(instance.capacity_bytes[n]))
    return Placement.of(instance, cached)


def _fits(sizes: IntArray, capacity: int) -> BoolArray:
    """Which items of a sequence are taken when each is taken if it still fits."""
    taken = np.zeros(len(sizes), dtype=np.bool_)
    left = capacity
    for index, size in enumerate(sizes.tolist()):
        if size <= left:
            taken[index] = True
            left -= size
    return taken
