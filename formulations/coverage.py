"""The `coverage` model: one variable for each merged term of the saving."""

from __future__ import annotations

import math

import numpy as np
import pyomo.environ as pyo

from ..problem.evaluate import latency_empty_s
from ..problem.fetch import FetchLimit
from ..problem.instance import Instance
from ..problem.terms import coverage_terms
from .availability import Availability
from .partner_rows import add_partner_rows
from .placement_block import add_placement, check_rows, linear, new_model
from .profile_rows import add_profile_rows


def coverage_model(
    instance: Instance,
    *,
    partners: bool = True,
    profiles: bool = True,
    time_s: float = math.inf,
    fetch: FetchLimit | None = None,
) -> pyo.ConcreteModel:
    """Build the default model.

    ``z[t]`` is the share of term t that is paid; ``cover[t, k]`` lets it be paid only as far as the
    k-th expert of its set is cached by a server of its server set. Only ``x`` is integer.

    Parameters
    ----------
    instance : Instance
    partners, profiles : bool
        Add the valid rows of `partner_rows` and `profile_rows`: a tighter linear relaxation, the
        same integer solutions. With them, all rows share the variables of `Availability`, which
        takes fewer nonzeros than sums over ``x``.
    time_s : float
        Seconds that there are to build it; by default as many as it takes.
    fetch : FetchLimit, optional
        What servers may fetch: constraint ``fetch``.

    Returns
    -------
    pyomo.ConcreteModel
        Variables ``x`` and ``z``, constraints ``capacity`` and ``cover``, objective ``latency`` in
        seconds, to be minimised; and what the options add.

    Raises
    ------
    UnsupportedError
        If it would be too large.
    TimeoutError
        If building it would take longer than `time_s`.
    """
    terms = coverage_terms(instance)
    members = terms.expert_sets[terms.expert_set]
    term, column = np.nonzero(members < terms.items)
    check_rows(len(term), "coverage", time_s)
    model = new_model("coverage")
    x = add_placement(model, instance, fetch)
    model.z = pyo.Var(range(len(terms)), bounds=(0, 1))
    z = list(model.z.values())

    available = Availability(model, terms, x)
    shared = (terms.sizes() > 1) & (partners or profiles)
    model.cover = pyo.Constraint(pyo.Any)
    item = members[term, column].tolist()
    server_set = terms.server_set[term].tolist()
    for t, k, g, i in zip(term.tolist(), column.tolist(), server_set, item, strict=True):
        provider = [available(g, i)] if shared[t] else available.servers(g, i)
        coefficients = [1.0] + [-1.0] * len(provider)
        model.cover[t, k] = (None, linear(coefficients, [z[t], *provider]), 0)
    if partners:
        add_partner_rows(model, instance, terms, available)
    if profiles:
        add_profile_rows(model, instance, terms, available)
    model.latency = pyo.Objective(
        expr=linear((-terms.weight_s).tolist(), z, latency_empty_s(instance))
    )
    return model
