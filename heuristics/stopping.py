"""Stopping rules: small callables that look at how far a search is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..method import Deadline
from ..problem.errors import InputError
from ..problem.solution import StoppedBy, latency_gap


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes
    ----------
    iterations : int
    idle : int
        Iterations since the last improvement.
    latency_s : float
        Of the best placement.
    """

    iterations: int
    idle: int
    latency_s: float


#: A rule says why to stop, or None to go on.
Rule = Callable[[Progress], StoppedBy | None]


def when_time_is_over(deadline: Deadline) -> Rule:
    """Stop at a moment of the clock."""
    return lambda _: StoppedBy.TIME if deadline.passed() else None


def after_iterations(most: int) -> Rule:
    """Stop after so many iterations."""
    _check(most, "iterations")
    return lambda progress: StoppedBy.FINISHED if progress.iterations >= most else None


def without_improvement(most: int) -> Rule:
    """Stop after so many iterations in a row that improved nothing."""
    _check(most, "patience")
    return lambda progress: StoppedBy.FINISHED if progress.idle >= most else None


def within_gap(bound_latency_s: float, gap: float) -> Rule:
    """Stop when the latency is within a relative gap of a lower bound."""
    if not 0 <= bound_latency_s < math.inf:
        raise InputError(f"option bound: must be >= 0 and finite, got {bound_latency_s}")

    def rule(progress: Progress) -> StoppedBy | None:
        reached = latency_gap(progress.latency_s, bound_latency_s)
        return StoppedBy.GAP if reached is not None and reached <= gap else None

    return rule


def first_of(*rules: Rule) -> Rule:
    """Stop when the first of several rules says so."""
    return lambda progress: next(filter(None, (rule(progress) for rule in rules)), None)


def _check(value: int, name: str) -> None:
    if value < 1:
        raise InputError(f"option {name}: must be >= 1, got {value}")
