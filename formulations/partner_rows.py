"""Valid rows: how many terms of one expert its partners' places allow."""

from __future__ import annotations

from math import comb

import numpy as np
import pyomo.environ as pyo

from ..problem.instance import Instance
from ..problem.terms import Terms
from .availability import Availability
from .placement_block import linear


def add_partner_rows(
    model: pyo.ConcreteModel, instance: Instance, terms: Terms, available: Availability
) -> None:
    """Add ``partners[g, i, s]`` where it says more than the other rows.

    Let the servers of set g hold at most q experts of a model together. If item i is one of them,
    q - 1 places are left for its partners, so that at most C(q - 1, s - 1) of its sets of s experts
    are complete; if not, none is::

        sum of z over the terms with server set g and s experts, i among them
            <= C(q - 1, s - 1) * available[g, i]

    For s = 2 this is the capacity times x[i], its products replaced by z (Adams, Sherali 1986,
    doi:10.1287/mnsc.32.10.1274).
    """
    model.partners = pyo.Constraint(pyo.Any)
    members = terms.expert_sets[terms.expert_set]
    size = terms.sizes()
    held = room_for(instance, terms)
    several = np.flatnonzero(size > 1)
    row, column = np.nonzero(members[several] < terms.items)
    term = several[row]
    item = members[term, column].astype(np.int64)
    key = np.column_stack([terms.server_set[term], item, size[term]])
    order = np.lexsort(key.T[::-1])
    changes = np.flatnonzero(np.any(np.diff(key[order], axis=0), axis=1)) + 1
    z = list(model.z.values())
    for part in np.split(order, changes) if len(order) else []:
        g, i, s = key[part[0]].tolist()
        room = int(held[g, instance.item_model[i]])
        most = comb(room - 1, s - 1) if room else 0
        if most < len(part):
            columns = [z[t] for t in term[part].tolist()]
            model.partners[g, i, s] = (
                None,
                linear([1.0] * len(part) + [-float(most)], [*columns, available(g, i)]),
                0,
            )


def room_for(instance: Instance, terms: Terms) -> np.ndarray:
    """How many experts of each model the servers of each server set can hold; int [G, M]."""
    sizes = np.array([spec.expert_bytes for spec in instance.models], dtype=np.int64)
    experts = np.array([spec.items for spec in instance.models], dtype=np.int64)
    each = np.minimum(instance.capacity_bytes[:, None] // sizes, experts)
    return np.asarray(terms.server_sets.astype(np.int64) @ each)
