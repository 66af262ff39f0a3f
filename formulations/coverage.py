"""The `coverage` model: one variable for each merged term of the saving."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from ..instances.evaluate import latency_empty_s
from ..instances.instance import Instance
from ..instances.terms import coverage_terms
from .placement_block import add_placement, check_rows, linear, new_model


def coverage_model(instance: Instance) -> pyo.ConcreteModel:
    """Build the default model.

    ``z[t]`` is the share of term t that is paid; ``cover[t, k]`` lets it be paid only as far as the
    k-th expert of its set is cached by a server of its server set. Only ``x`` is integer.

    Returns
    -------
    pyomo.ConcreteModel
        Variables ``x`` and ``z``, constraints ``capacity`` and ``cover``, objective ``latency`` in
        seconds, to be minimised.
    """
    terms = coverage_terms(instance)
    members = terms.expert_sets[terms.expert_set]
    term, column = np.nonzero(members < terms.items)
    check_rows(len(term), "coverage")
    model = new_model("coverage")
    x = add_placement(model, instance)
    model.z = pyo.Var(range(len(terms)), bounds=(0, 1))
    z = list(model.z.values())

    # Terms share their sums over servers: each (server set, item) is looked up once.
    servers = [np.flatnonzero(row).tolist() for row in terms.server_sets]
    key = terms.server_set[term] * terms.items + members[term, column]
    distinct, which = np.unique(key, return_inverse=True)
    sums = []
    for code in distinct.tolist():
        server_set, item = divmod(code, terms.items)
        # A pair without a variable can help nobody who asks for the item.
        near = [x[n, item] for n in servers[server_set] if (n, item) in x]
        sums.append(([1.0] + [-1.0] * len(near), near))

    rows = zip(term.tolist(), column.tolist(), which.tolist(), strict=True)
    model.cover = pyo.Constraint(pyo.Any)
    for t, k, w in rows:
        coefficients, near = sums[w]
        model.cover[t, k] = (None, linear(coefficients, [z[t], *near]), 0)
    model.latency = pyo.Objective(
        expr=linear((-terms.weight_s).tolist(), z, latency_empty_s(instance))
    )
    return model
