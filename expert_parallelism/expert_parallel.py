"""Expert parallelism with the least latency: exchanges of experts, layer by layer."""

from __future__ import annotations

import math

import numpy as np

from ..method import Deadline, Limits, Method, Outcome
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance
from ..problem.layers import Layer, split_layers
from ..problem.solution import StoppedBy
from ..problem.terms import coverage_terms
from .balance import expert_loads, imbalance, told
from .eplb import balanced
from .exchanges import improving_moves
from .layer_program import solved
from .slots import placement_of_layers, slots_of_rank, unsupported


def expert_parallel(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    slots: int | None = None,
    most_load: float | None = None,
    restarts: int = 4,
) -> Outcome:
    """Find the least latency with every expert on some rank, and equally many slots on all.

    Layer by layer: from `eplb`, the best exchange again and again until none gains; the same after
    some random exchanges, from the best so far. Small layers are then solved as integer programs.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        When the time is over, the layers not reached are those of `eplb`.
    seed : int
    slots : int, optional
        See `slots_of_rank`.
    most_load : float, optional
        No exchange makes a rank busier than so many times the mean, see `imbalance`; where `eplb`
        begins busier, no exchange makes it worse.
    restarts : int
        Random restarts of each layer.

    Returns
    -------
    Outcome
        Its ``meta`` tells the slots, the imbalance of each layer, and ``layers_proved``: how many
        layers have the least latency that these slots allow.
    """
    if most_load is not None and not 1 <= most_load < math.inf:
        raise InputError(f"option most_load: must be >= 1 and finite, got {most_load}")
    if restarts < 0:
        raise InputError(f"option restarts: must be >= 0, got {restarts}")
    deadline = limits.deadline()
    own = slots_of_rank(instance, slots)
    cached = balanced(instance, own)
    loads, rng = expert_loads(instance), np.random.default_rng(seed)
    layers = split_layers(instance, coverage_terms(instance))
    saving = sum(layer.gain_s(cached[:, _number(instance, layer)]) for layer in layers)
    proved = cached.shape[1] - len(layers)
    for layer in layers:
        if deadline.passed():
            break
        at = _number(instance, layer)
        before = layer.gain_s(cached[:, at])
        search = _LayerSearch(layer, loads[at], most_load, deadline)
        best = search.improved(cached[:, at])
        for _ in range(restarts):
            best = search.better(best, search.improved(_shaken(best, rng)))
        if most_load is None:
            best, optimal = solved(layer, own, best, seed, deadline)
            proved += optimal
        cached[:, at] = best
        saving += layer.gain_s(best) - before
        limits.watch.tell(saving)
    return Outcome(
        placement_of_layers(instance, cached),
        StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED,
        meta={**told(instance, cached, own), "layers_proved": proved},
    )


def _number(instance: Instance, layer: Layer) -> int:
    return int(instance.item_layer[layer.first_item])


class _LayerSearch:
    """Local search in one layer, within the loads allowed."""

    def __init__(
        self, layer: Layer, load: FloatArray, most_load: float | None, deadline: Deadline
    ) -> None:
        self.layer, self.load, self.deadline = layer, load, deadline
        self.most_load = most_load

    def improved(self, cached: BoolArray) -> BoolArray:
        """Do the best exchange until none gains."""
        while not self.deadline.passed():
            moves = improving_moves(self.layer.terms, cached)
            limit = self._limit(cached)
            each = (moves.done(cached, k) for k in range(len(moves.gain_s)))
            moved = next((found for found in each if self._allowed(found, limit)), None)
            if moved is None:
                break
            cached = moved
        return cached

    def better(self, best: BoolArray, other: BoolArray) -> BoolArray:
        """The one that saves more, within the loads allowed."""
        if not self._allowed(other, self._limit(best)):
            return best
        return other if self.layer.gain_s(other) > self.layer.gain_s(best) else best

    def _limit(self, cached: BoolArray) -> float:
        if self.most_load is None:
            return math.inf
        return max(self.most_load, imbalance(self.load, cached))

    def _allowed(self, cached: BoolArray, limit: float) -> bool:
        return limit == math.inf or imbalance(self.load, cached) <= limit * (1 + 1e-12)


def _shaken(cached: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Exchange a quarter of the slots with other ranks, at random."""
    cached = cached.copy()
    N, slots = len(cached), int(cached[0].sum())
    for _ in range(max(1, N * slots // 8)):
        n, m = rng.choice(N, size=2, replace=False) if N > 1 else (0, 0)
        mine = np.flatnonzero(cached[n] & ~cached[m])
        theirs = np.flatnonzero(cached[m] & ~cached[n])
        if len(mine) and len(theirs):
            a, b = rng.choice(mine), rng.choice(theirs)
            cached[[n, m], [a, b]] = False
            cached[[n, m], [b, a]] = True
    return cached


METHOD = Method(
    "expert-parallel", "every expert somewhere, equal slots on all servers, least latency",
    expert_parallel, unsupported=unsupported, uses_seed=True,
)  # fmt: skip
