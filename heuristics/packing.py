"""Packing servers in a given order of items."""

from __future__ import annotations

import numpy as np

from ..problem.instance import Instance, IntArray
from ..problem.placement import Placement


def pack_in_order(instance: Instance, orders: list[IntArray]) -> Placement:
    """Cache on each server the items of its order, skipping those that no longer fit.

    Parameters
    ----------
    instance : Instance
    orders : list of int arrays
        For each server, the items it may cache, best first.
    """
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    for n, order in enumerate(orders):
        left = int(instance.capacity_bytes[n])
        for item, size in zip(order.tolist(), instance.item_bytes[order].tolist(), strict=True):
            if size <= left:
                cached[n, item] = True
                left -= size
    return Placement.of(instance, cached)
