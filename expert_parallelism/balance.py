"""How evenly the ranks are loaded, where the copies of an expert share its tokens equally."""

from __future__ import annotations

import numpy as np

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, Instance


def expert_loads(instance: Instance) -> FloatArray:
    """How often each expert of the only model is asked for; [L, E]."""
    model, items = instance.models[0], instance.request_items
    rate = np.repeat(instance.requests.rate, items.shape[1])
    return sums(items.ravel(), rate, instance.items + 1)[:-1].reshape(model.layers, model.experts)


def imbalance(loads: FloatArray, cached: BoolArray) -> float:
    """Load of the busiest rank, as a multiple of the mean, in one layer.

    Parameters
    ----------
    loads : float array [E]
    cached : bool array [N, E]
        Every expert on some rank.

    Returns
    -------
    float
        1 is even, N is all on one rank; 1 where nothing is asked for.
    """
    rank = cached @ (loads / cached.sum(axis=0))
    mean = rank.mean()
    return float(rank.max() / mean) if mean > 0 else 1.0


def told(instance: Instance, cached: BoolArray, slots: int) -> dict[str, object]:
    """What a method for expert parallelism tells of its placement [N, L, E], for ``meta``."""
    of_layer = [
        imbalance(load, cached[:, layer]) for layer, load in enumerate(expert_loads(instance))
    ]
    return {"slots": slots, "imbalance": {"mean": float(np.mean(of_layer)), "layers": of_layer}}
