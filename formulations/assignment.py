"""The `assignment` model: the textbook one, each user's expert is assigned to a node."""

from __future__ import annotations

import math

import numpy as np
import pyomo.environ as pyo

from ..problem.evaluate import request_latency_s
from ..problem.fetch import FetchLimit
from ..problem.instance import Instance
from .placement_block import add_placement, check_rows, linear, new_model

#: Node of the device or the cloud, whichever is faster; servers are 0, 1, ...
ORIGIN = -1


def assignment_model(
    instance: Instance, *, time_s: float = math.inf, fetch: FetchLimit | None = None
) -> pyo.ConcreteModel:
    """Build the textbook model: weak and large, for comparison.

    ``y[u, i, v]`` assigns item i of user u to node v: a server that is faster than the origin, or
    the origin (device or cloud). ``T[r]`` is the latency of request r as a share of its latency
    without any cache. Requests that no server makes faster are a constant.

    Parameters
    ----------
    instance : Instance
    time_s : float
        Seconds that there are to build it; by default as many as it takes.
    fetch : FetchLimit, optional
        What servers may fetch: constraint ``fetch``.

    Returns
    -------
    pyomo.ConcreteModel
        Variables ``x``, ``y`` and ``T``, constraints ``capacity``, ``assign[u, i]``,
        ``open[u, i, v]`` and ``slowest[r, i]``, objective ``latency`` in seconds, to be minimised.

    Raises
    ------
    UnsupportedError
        If it would be too large.
    TimeoutError
        If building it would take longer than `time_s`.
    """
    requests = instance.requests
    base = request_latency_s(instance)
    device = instance.device_latency_s()
    everything = np.ones((instance.servers, instance.items), dtype=np.bool_)
    changeable = request_latency_s(instance, everything) < base
    used = np.flatnonzero((requests.rate > 0) & changeable).tolist()
    rows = instance.request_items[used].tolist()
    items_of = {
        r: [i for i in row if i < instance.items] for r, row in zip(used, rows, strict=True)
    }
    pairs = sorted({(int(requests.user[r]), i) for r in used for i in items_of[r]})
    nodes = {}
    for u, i in pairs:
        server = instance.server_latency_s[u, :, instance.item_model[i]]
        faster = np.flatnonzero(server < device[u, i]).tolist()
        nodes[u, i] = [(v, float(server[v])) for v in faster] + [(ORIGIN, float(device[u, i]))]
    check_rows(
        sum(map(len, nodes.values())) + sum(map(len, items_of.values())), "assignment", time_s
    )

    model = new_model("assignment")
    x = add_placement(model, instance, fetch)
    model.y = pyo.Var([(u, i, v) for u, i in pairs for v, _ in nodes[u, i]], bounds=(0, 1))
    model.T = pyo.Var(used, bounds=(0, 1))
    model.assign = pyo.Constraint(pairs)
    model.open = pyo.Constraint(pyo.Any)
    for u, i in pairs:
        choices = [model.y[u, i, v] for v, _ in nodes[u, i]]
        model.assign[u, i] = (1, linear([1.0] * len(choices), choices), 1)
        for v, _ in nodes[u, i]:
            if v != ORIGIN:
                model.open[u, i, v] = (None, linear([1.0, -1.0], [model.y[u, i, v], x[v, i]]), 0)
    model.slowest = pyo.Constraint(pyo.Any)
    for r in used:
        u = int(requests.user[r])
        for i in items_of[r]:
            times = [-t / float(base[r]) for _, t in nodes[u, i]]
            choices = [model.y[u, i, v] for v, _ in nodes[u, i]]
            model.slowest[r, i] = (0, linear([1.0, *times], [model.T[r], *choices]), None)
    model.latency = pyo.Objective(
        expr=linear(
            [float(requests.rate[r] * base[r]) for r in used],
            list(model.T.values()),
            float((requests.rate * base)[~changeable].sum()),
        )
    )
    return model
