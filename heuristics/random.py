"""Baseline: each server caches random experts."""

from __future__ import annotations

import numpy as np

from ..method import Limits, Method, Outcome
from ..problem.instance import Instance
from .packing import pack_in_order


def random(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Fill each server with experts in random order, skipping those that no longer fit."""
    rng = np.random.default_rng(seed)
    return Outcome(
        pack_in_order(instance, [rng.permutation(instance.items) for _ in range(instance.servers)])
    )


METHOD = Method("random", "baseline: random experts", random, uses_seed=True)
