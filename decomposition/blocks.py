"""Experts merged into blocks: a smaller instance, each of whose placements is one of the larger."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..problem.arrays import sums, unique_rows
from ..problem.instance import BoolArray, Instance, IntArray, Requests
from ..problem.layers import Layer
from ..problem.sizes import MAX_BYTES, MAX_USER_ITEMS


class Blocks(NamedTuple):
    """An instance whose experts are blocks of those of another one.

    Attributes
    ----------
    instance : Instance
        Its users are server sets, its saving in seconds is a share of all terms' weight.
    item : int array [I]
        The block, an item there, of each item of the other instance.
    """

    instance: Instance
    item: IntArray

    def expanded(self, cached: BoolArray) -> BoolArray:
        """Placement [N, I] of what blocks a placement caches: it fits, and saves the same share."""
        return cached[:, self.item]


def in_blocks(instance: Instance, layers: Sequence[Layer], count: int) -> Blocks | None:
    """Merge the experts of each layer into at most so many blocks of one size.

    Experts that are active together go together. The last block of a layer may have fewer experts,
    and takes the room of a whole one.

    Parameters
    ----------
    instance : Instance
    layers : sequence of Layer
        Its layers, one at least.
    count : int

    Returns
    -------
    Blocks or None
        None where no layer has more experts than that, or the smaller instance is none that can be
        had: too many bytes by rounding up, or too many server sets.
    """
    experts = np.array([model.experts for model in instance.models])
    size = -(-experts // count)
    number = -(-experts // size)
    models = tuple(
        dataclasses.replace(
            model,
            experts=blocks,
            top_k=min(model.top_k, blocks),
            expert_bytes=model.expert_bytes * each,
        )
        for model, blocks, each in zip(instance.models, number.tolist(), size.tolist(), strict=True)
    )
    server_sets = layers[0].terms.server_sets
    users, items = len(server_sets), sum(model.items for model in models)
    total = sum(model.items * model.expert_bytes for model in models)
    if size.max() == 1 or total > MAX_BYTES or users * items > MAX_USER_ITEMS:
        return None
    block = _blocks(instance, layers, size)
    shape = (users, len(models))
    smaller = Instance(
        models=models,
        capacity_bytes=instance.capacity_bytes,
        server_latency_s=np.repeat(np.where(server_sets, 1.0, np.inf)[:, :, None], shape[1], 2),
        cloud_latency_s=np.full(shape, 2.0),
        local_latency_s=np.ones(shape),
        local=np.zeros((users, items), dtype=np.bool_),
        requests=_requests(instance, layers, block),
    )
    model = instance.item_model
    item = smaller.item_offset[model] + instance.item_layer * number[model] + block
    return Blocks(smaller, item)


def _blocks(instance: Instance, layers: Sequence[Layer], size: IntArray) -> IntArray:
    """Number within its layer of each item's block; [I]."""
    place = instance.item_expert.copy()
    for layer in layers:
        if size[layer.model] > 1:
            place[layer.own] = _places(layer)
    return place // size[instance.item_model]


def _places(layer: Layer) -> IntArray:
    """Place of each expert in an order in which the one most active with those before is next."""
    terms, E = layer.terms, layer.experts
    row, column = np.nonzero(terms.expert_sets < E)
    expert = terms.expert_sets[row, column]
    shape = (len(terms.expert_sets), E)
    member = sp.csr_array((np.ones(len(row)), (row, expert)), shape=shape)
    weight_s = sums(terms.expert_set, terms.weight_s, shape[0])
    together = (member.T @ sp.diags_array(weight_s) @ member).toarray()
    place = np.full(E, -1)
    near = together.diagonal().copy()
    for k in range(E):
        following = int(np.where(place < 0, near, -1.0).argmax())
        place[following] = k
        near = together[following] + near * (k > 0)
    return place


def _requests(instance: Instance, layers: Sequence[Layer], block: IntArray) -> Requests:
    """The terms of all layers as requests of their server sets."""
    parts, total_s = [], sum(float(layer.terms.weight_s.sum()) for layer in layers)
    for layer in layers:
        terms, G = layer.terms, len(layer.terms.server_sets)
        # Each block once, and the padding last.
        chosen = -np.sort(-np.append(block[layer.own], -1)[terms.expert_sets], axis=1)
        chosen[:, 1:][chosen[:, 1:] == chosen[:, :-1]] = -1
        sets, number = unique_rows(-np.sort(-chosen, axis=1))
        key, inverse = np.unique(
            number[terms.expert_set] * G + terms.server_set, return_inverse=True
        )
        same = np.ones(len(key), dtype=np.int32)
        parts.append(Requests(
            user=(key % G).astype(np.int32),
            model=same * layer.model,
            layer=same * int(instance.item_layer[layer.first_item]),
            experts=sets[key // G],
            rate=sums(inverse, terms.weight_s / total_s, len(key)),
        ))  # fmt: skip
    names = [field.name for field in dataclasses.fields(Requests)]
    return Requests(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
