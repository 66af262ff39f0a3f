"""Descent on a dual function by subgradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import FloatArray
from .duals import Dual

#: How much steps shrink.
_SHRINK = 0.7

#: Weight of the newest answers in their mean, at least.
_NEWEST = 0.02


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes
    ----------
    bound_s : float
        Least bound on the saving.
    prices : float array
        That give it.
    mean : float array [N, I]
        Weighted mean of the servers' answers: in the hull of their knapsacks where they are in the
        knapsacks.
    rounds : int
    step : float
        Length of the last step as a share of Polyak's, to go on with.
    converged : bool
        Whether steps got too short, or the bound near enough.
    """

    bound_s: float
    prices: FloatArray
    mean: FloatArray
    rounds: int
    step: float
    converged: bool


def descend(
    dual: Dual,
    prices: FloatArray,
    goal_s: float,
    deadline: Deadline,
    *,
    tolerance: float,
    step: float = 1.0,
    rounds: float = np.inf,
    patience: int = 20,
    shortest: float = 2e-3,
    found: Callable[[FloatArray], float] | None = None,
) -> Descent:
    """Find prices with a low bound.

    Steps of Polyak's length towards a saving in hand, shorter whenever rounds bring nothing, each
    coordinate in units of the dual's own scale. The weighted mean of the answers approaches an
    optimal point of the primal problem (Shor; Larsson, Patriksson, Strömberg 1999,
    doi:10.1007/s101070050090).

    Parameters
    ----------
    dual : Dual
    prices : float array
        To begin with.
    goal_s : float
        A saving that some placement reaches.
    deadline : Deadline
        At least one round is done in any case.
    tolerance : float
        Stop where the bound is within this share of the goal.
    step : float
        Length of the first step as a share of Polyak's.
    rounds : float
        After so many rounds stop.
    patience : int
        Rounds that may bring nothing before steps shrink.
    shortest : float
        Steps below this share of Polyak's end the descent.
    found : callable, optional
        Is given the mean whenever steps shrink; returns the best saving known.
    """
    best, at = np.inf, prices
    idle = done = 0
    mean: FloatArray = np.zeros(0)
    while True:
        value = dual(prices)
        done += 1
        share = max(1.0 / done, _NEWEST)
        answers = value.cached.astype(np.float64)
        mean = answers if done == 1 else (1 - share) * mean + share * answers
        idle += 1
        if value.bound_s < best:
            # Less than this is no progress.
            idle = 0 if best - value.bound_s > 1e-7 * abs(best) else idle
            best, at = value.bound_s, prices
        gap = best - goal_s
        converged = gap <= tolerance * abs(best) or step < shortest
        if converged or done >= rounds or deadline.passed():
            return Descent(best, at, mean, done, step, converged)
        gradient = value.gradient
        if idle > patience:
            step, idle = _SHRINK * step, 0
            if found is not None:
                goal_s = max(goal_s, found(mean))
            prices, gradient = at, dual(at).gradient
        # Only coordinates that can move count.
        stuck = ((prices <= 0) & (gradient > 0)) | ((prices >= dual.upper) & (gradient < 0))
        move = np.where(stuck, 0.0, gradient)
        norm = float((dual.scale * move * move).sum())
        if norm <= 0:
            # The answers agree: they are a best placement.
            return Descent(best, at, answers, done, step, True)
        length = step * max(value.bound_s - goal_s, 1e-4 * abs(best)) / norm
        prices = np.clip(prices - length * dual.scale * move, 0.0, dual.upper)
