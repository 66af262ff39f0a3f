"""The successive decomposition by (max,+) convolutions."""

from __future__ import annotations

from ..method import Limits, Method, Outcome
from ..problem.errors import InputError
from ..problem.instance import Instance
from ..responses.layer_knapsack import Combine, layer_tree
from .successive import guarantee, run_successive


def max_convolution(
    instance: Instance, *, limits: Limits, seed: int, epsilon: float = 0.0
) -> Outcome:
    """As `successive`, with the layers combined by a tree of (max,+) convolutions.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        When the time is over, the servers not reached stay empty.
    seed : int
        Not used.
    epsilon : float
        With 0 < epsilon < 1 each server reaches (1 - epsilon) of its best, in time polynomial in
        the input and 1 / epsilon, independent of the capacity in bytes; see
        `layer_knapsack.split_capacity`.
    """
    if not 0 <= epsilon < 1:
        raise InputError(f"max-convolution: option epsilon: must be in [0, 1), got {epsilon}")
    order = range(instance.servers)
    return run_successive(instance, limits.deadline(), order, Combine(layer_tree, epsilon))


METHOD = Method(
    "max-convolution",
    "the same by (max,+) convolutions, or nearly so",
    max_convolution,
    guarantee=guarantee,
)
