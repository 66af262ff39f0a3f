"""Baseline: each server caches what its users request most, per byte."""

from __future__ import annotations

import numpy as np

from ..method import Limits, Method, Outcome
from ..problem.arrays import sums
from ..problem.instance import Instance
from .packing import pack_in_order


def popularity(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Fill each server with the experts most requested, per byte, by the users it would help.

    A request counts for a server if the server is faster than the user's device and the cloud.
    Servers do not look at each other and co-activation is ignored. Ties go to the lower item.
    """
    requests = instance.requests
    width = instance.items + 1
    pair = requests.user.astype(np.int64)[:, None] * width + instance.request_items
    weight = np.repeat(requests.rate, pair.shape[1])
    demand = sums(pair.ravel(), weight, instance.users * width)
    demand = demand.reshape(instance.users, width)[:, :-1]
    device = instance.device_latency_s()
    orders = []
    for n in range(instance.servers):
        helped = instance.server_latency_s[:, n][:, instance.item_model] < device
        score = (demand * helped).sum(axis=0) / instance.item_bytes
        order = np.argsort(-score, kind="stable")
        orders.append(order[score[order] > 0])
    return Outcome(pack_in_order(instance, orders))


METHOD = Method("popularity", "baseline: the most requested experts of each server", popularity)
