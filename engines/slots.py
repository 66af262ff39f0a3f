"""Slots of expert parallelism: who holds what, and what a placement lacks for that."""

from __future__ import annotations

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import IntArray
from .model_placement import ModelPlacement


def slots_of(placed: ModelPlacement) -> IntArray:
    """Experts in the slots of each rank, ascending; [L, N, S].

    Engines with expert parallelism have no cloud behind them, and compute as many experts on each
    rank as on the others: every expert of every layer is on some rank, and in each layer all ranks
    have equally many.

    Raises
    ------
    InputError
        Saying where that is not so.
    """
    cached = placed.cached
    N, L, _ = cached.shape
    if not N:
        raise InputError("expert parallelism: the instance has no server")
    layer, expert = np.nonzero(~cached.any(axis=0))
    if len(layer):
        raise InputError(
            f"expert parallelism: expert {expert[0]} of layer {layer[0]} is nowhere"
            f"{_others(len(layer))}; `--method expert-parallel` places every expert"
        )
    count = cached.sum(axis=2)
    # All layers of an engine's map have the same number of slots.
    usual = np.bincount(count.ravel()).argmax()
    rank, layer = np.nonzero(count != usual)
    if len(rank):
        raise InputError(
            f"expert parallelism: rank {rank[0]} ({placed.servers[rank[0]]}) has "
            f"{count[rank[0], layer[0]]} slots in layer {layer[0]}, others {usual}"
            f"{_others(len(rank))}; `--method expert-parallel` gives all equally many"
        )
    held = np.nonzero(cached.transpose(1, 0, 2))[2]
    slots: IntArray = held.reshape(L, N, int(usual)).astype(np.int64)
    return slots


def _others(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
