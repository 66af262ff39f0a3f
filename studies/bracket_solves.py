"""One time limit for the solves of all brackets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ..heuristics.ascent import METHOD as ASCENT
from ..method import Deadline, Limits, Method
from ..problem.placement import Placement
from ..problem.solution import StoppedBy
from ..solver import solve
from .brackets import Brackets

#: Share of the time for the present capacities, with which all others are compared, at least.
_NOW_SHARE = 0.25

#: Share of the time for best responses of single servers.
_ASCENT_SHARE = 0.2


class BracketSolves:
    """The method solves all that is not proved.

    Parameters
    ----------
    brackets : Brackets
        The first of its capacities are those that all others are compared with.
    method : Method
    limits : Limits
    deadline : Deadline
        Of all together.
    seed : int
    """

    def __init__(
        self, brackets: Brackets, method: Method, limits: Limits, deadline: Deadline, seed: int
    ) -> None:
        self._brackets, self._method, self._seed = brackets, method, seed
        self._limits, self._deadline = limits, deadline
        self._ends: dict[int, StoppedBy] = {}

    def run(self) -> StoppedBy:
        """Solve what may be worth most first; why the first stopped that did not end by itself."""
        most_s = self._brackets.most_s
        order = [0, *(1 + np.argsort(-most_s[1:], kind="stable")).tolist()]
        # Placements of other capacities leave new room empty: all are filled before any is solved.
        first = self._deadline.part(_ASCENT_SHARE)
        for number in order:
            self._ascend(number, first)
        for done, number in enumerate(tqdm(order, unit="change", leave=False, disable=None)):
            share = 1 / (len(order) - done)
            self._solve(number, share if number else max(share, _NOW_SHARE))
        # What time is left goes to those that time has ended.
        for number in [n for n in order if self._ends.get(n) is StoppedBy.TIME]:
            self._solve(number, 1.0)
        if self._limits.watch.stopped:
            return StoppedBy.INTERRUPTED
        ends = [self._ends.get(n, StoppedBy.TIME) for n in order if not self._brackets.proved(n)]
        early = [end for end in ends if end not in (StoppedBy.PROOF, StoppedBy.FINISHED)]
        return early[0] if early else StoppedBy.FINISHED

    def _solve(self, number: int, share: float) -> None:
        """Solve one of them in a share of the time left."""
        if self._brackets.proved(number) or self._deadline.passed():
            return
        until = self._deadline.part(share)
        self._ends[number] = self._take(number, self._method, until, self._brackets.best(number))

    def _ascend(self, number: int, until: Deadline) -> None:
        """Improve two placements by best responses of single servers."""
        for start in dict.fromkeys([self._brackets.adapted(number), self._brackets.best(number)]):
            if not (self._brackets.proved(number) or until.passed()):
                self._take(number, ASCENT, until, start, {"orders": 1})

    def _take(
        self,
        number: int,
        method: Method,
        until: Deadline,
        start: Placement,
        options: Mapping[str, Any] | None = None,
    ) -> StoppedBy:
        """Take up what a method finds from a start; why it stopped."""
        brackets = self._brackets
        found = solve(
            brackets.instance.replace(capacity_bytes=brackets.capacity_bytes[number]),
            method,
            limits=dataclasses.replace(self._limits, time_s=until.remaining_s()),
            seed=self._seed,
            options=options,
            start=start if "start" in method.parameters() else None,
            signals=(),
        )
        if found.placement is not None:
            brackets.place(found.placement.cached(brackets.instance))
        if found.bound_saving_s is not None:
            brackets.bound(number, found.bound_saving_s)
        return found.stopped_by


def part_of(limits: Limits, deadline: Deadline, share: float) -> Limits:
    """The same limits with a share of the time left."""
    return dataclasses.replace(limits, time_s=deadline.part(share).remaining_s())
