"""The `threshold` model: one variable for each request and each latency step."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyomo.environ as pyo

from ..problem.evaluate import latency_empty_s, request_latency_s
from ..problem.fetch import FetchLimit
from ..problem.instance import Instance
from .placement_block import add_placement, check_rows, linear, new_model


def threshold_model(
    instance: Instance, *, time_s: float = math.inf, fetch: FetchLimit | None = None
) -> pyo.ConcreteModel:
    """Build the model without merging anything.

    For the distinct latencies ``tau_0 < tau_1 < ...`` of a user's servers and device, ``z[r, j]``
    says that request r is served within ``tau_j``; then it saves at least ``tau_{j+1} - tau_j``.
    ``reach[r, j, i]`` lets that be so only if item i is cached by a server that is this fast.

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
        Variables ``x`` and ``z``, constraints ``capacity`` and ``reach``, objective ``latency`` in
        seconds, to be minimised.

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
    rows = []
    for r in np.flatnonzero(requests.rate > 0).tolist():
        user, model_number = int(requests.user[r]), int(requests.model[r])
        items = instance.request_items[r]
        items = items[items < instance.items]
        server = instance.server_latency_s[user, :, model_number]
        points = np.unique(np.concatenate([server, device[user, items]]))
        points = np.append(points[points < base[r]], base[r])
        for j, (begin, end) in enumerate(pairwise(points.tolist())):
            near = np.flatnonzero(server <= begin).tolist()
            if near:
                needed = items[device[user, items] > begin].tolist()
                rows.append((r, j, float(requests.rate[r]) * (end - begin), needed, near))
    check_rows(sum(len(needed) for _, _, _, needed, _ in rows), "threshold", time_s)

    model = new_model("threshold")
    x = add_placement(model, instance, fetch)
    model.z = pyo.Var([(r, j) for r, j, *_ in rows], bounds=(0, 1))
    model.reach = pyo.Constraint(pyo.Any)
    for r, j, _, needed, near in rows:
        for item in needed:
            servers = [x[n, item] for n in near if (n, item) in x]
            expression = linear([1.0] + [-1.0] * len(servers), [model.z[r, j], *servers])
            model.reach[r, j, item] = (None, expression, 0)
    model.latency = pyo.Objective(
        expr=linear(
            [-weight for _, _, weight, _, _ in rows],
            list(model.z.values()),
            latency_empty_s(instance),
        )
    )
    return model
