"""Valid rows: what all layers together can save with so many experts held by some servers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyomo.environ as pyo

from ..problem.instance import FloatArray, Instance, IntArray
from ..problem.terms import Terms
from ..responses.maxplus import convolve
from ..responses.profile import LayerTerms
from ..responses.subset_profile import subset_profiles
from .availability import Availability
from .partner_rows import room_for
from .placement_block import linear

#: Layers with more experts get no rows: the gains of all their subsets are summed.
MAX_EXPERTS = 16

#: The weights of a row are scaled to this sum.
_SUM = 100.0

#: Room for rounding, as a share of the row's weights: far below the tolerance of a proof.
_ROUNDING = 1e-11


def add_profile_rows(
    model: pyo.ConcreteModel, instance: Instance, terms: Terms, available: Availability
) -> None:
    """Add ``gain[g, m]`` and its rows for each server set g and model m where they can bind.

    The relaxation spreads the capacity evenly: with room for 12 of 16 experts it pays three
    quarters of all terms. But 12 experts hold far fewer than three quarters of all pairs. The most
    that j experts of one layer can gain is the layer's profile, and the profiles of all layers
    combine by (max,+) convolution, as in `successive`, to F(j): exact, if only the servers of g
    counted, and they shared one storage. With ``held[g, m]``, the number of distinct experts::

        held <= sum of available[g, i]
        sum of weight * z <= gain <= concave envelope of F at held

    The envelope ends at the capacity, where F itself is the bound, not its envelope beyond.
    """
    model.held = pyo.Var(pyo.Any, dense=False)
    model.gain = pyo.Var(pyo.Any, dense=False)
    model.count = pyo.Constraint(pyo.Any)
    model.collect = pyo.Constraint(pyo.Any)
    model.envelope = pyo.Constraint(pyo.Any)
    room = room_for(instance, terms)
    first = terms.expert_sets[terms.expert_set, 0]
    several = terms.sizes() > 1
    number = instance.item_model[first] * len(terms.server_sets) + terms.server_set
    z = list(model.z.values())
    for code in np.unique(number[several]).tolist():
        m, g = divmod(code, len(terms.server_sets))
        rows = np.flatnonzero(number == code)
        members = terms.expert_sets[terms.expert_set[rows]].astype(np.int64)
        items = np.unique(members[members < terms.items])
        places = int(room[g, m])
        spec = instance.models[m]
        if spec.experts > MAX_EXPERTS or places >= len(items):
            continue
        weight = terms.weight_s[rows] * (_SUM / terms.weight_s[rows].sum())
        profiles = _profiles(instance, m, members, weight)
        most = np.zeros(1)
        for gains in profiles:
            most = convolve(most, gains).value[: places + 1]
        held, gain = model.held[g, m], model.gain[g, m]
        held.setlb(0.0)
        held.setub(float(places))
        gain.setlb(0.0)
        gain.setub(float(most[-1]) + _ROUNDING * _SUM)
        there = [available(g, i) for i in items.tolist()]
        model.count[g, m] = (None, linear([1.0] + [-1.0] * len(there), [held, *there]), 0)
        paid = [z[t] for t in rows.tolist()]
        model.collect[g, m] = (None, linear([*weight.tolist(), -1.0], [*paid, gain]), 0)
        corner = _corners(most)
        for k, (a, b) in enumerate(pairwise(corner)):
            slope = float(most[b] - most[a]) / (b - a)
            start = float(most[a]) - slope * a + _ROUNDING * _SUM
            model.envelope[g, m, k] = (None, linear([1.0, -slope], [gain, held]), start)


def _profiles(instance: Instance, m: int, members: IntArray, weight: FloatArray) -> FloatArray:
    """The most that k experts of each layer of a model gain; [L, E + 1]."""
    spec = instance.models[m]
    inside = members < instance.items
    local = members - instance.item_offset[m]
    layer = local[:, 0] // spec.experts
    terms = LayerTerms(layer, np.where(inside, local % spec.experts, spec.experts), weight)
    return subset_profiles(terms, spec.layers, spec.experts).gain_s


def _corners(values: FloatArray) -> list[int]:
    """Indices of the corners of the concave envelope."""
    corners: list[int] = []
    for k in range(len(values)):
        while len(corners) > 1:
            a, b = corners[-2:]
            if (values[b] - values[a]) * (k - b) > (values[k] - values[b]) * (b - a):
                break
            corners.pop()
        corners.append(k)
    return corners
