"""Layers as problems of their own: only the capacities tie them together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .instance import BoolArray, Instance, IntArray
from .terms import Terms


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of one model, with experts 0 .. E - 1.

    Attributes
    ----------
    model : int
    first_item : int
        Item of its expert 0.
    most : int array [N]
        How many of its experts fit on each server, at most E.
    terms : Terms
        Its part of the saving; items are its experts.
    """

    model: int
    first_item: int
    most: IntArray
    terms: Terms

    @property
    def servers(self) -> int:
        """Number of servers N."""
        return len(self.most)

    @property
    def experts(self) -> int:
        """Number of experts E."""
        return self.terms.items

    @property
    def own(self) -> slice:
        """Its items."""
        return slice(self.first_item, self.first_item + self.experts)

    def gain_s(self, cached: BoolArray) -> float:
        """Saving in seconds of a placement [N, E]."""
        return self.terms.saving_s(cached)


def split_layers(instance: Instance, terms: Terms) -> list[Layer]:
    """Split the terms of an instance; layers without a term are left out.

    Parameters
    ----------
    instance : Instance
    terms : Terms
        See `coverage_terms`.
    """
    item = terms.expert_sets[terms.expert_set, 0]
    experts = np.array([model.experts for model in instance.models])[instance.item_model]
    first = np.arange(instance.items) - instance.item_expert
    order = np.argsort(first[item], kind="stable")
    starts, begin = np.unique(first[item][order], return_index=True)
    layers = []
    for start, rows in zip(starts.tolist(), np.split(order, begin[1:]), strict=False):
        part = terms.part(rows)
        sets, expert_set = np.unique(part.expert_set, return_inverse=True)
        members = terms.expert_sets[sets]
        E = int(experts[start])
        own = replace(
            part,
            expert_sets=np.where(members < terms.items, members - start, E).astype(np.int32),
            expert_set=expert_set,
            items=E,
        )
        model = int(instance.item_model[start])
        fits = instance.capacity_bytes // instance.models[model].expert_bytes
        layers.append(Layer(model, start, np.minimum(fits, E).astype(np.int64), own))
    return layers
