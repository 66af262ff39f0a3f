"""The best choice of one column for each layer, among all that lose little at some prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.arrays import least_of_each
from ..problem.instance import FloatArray, IntArray
from .loss_tables import loss_limits, loss_tables
from .multiple_choice import MultipleChoice
from .parameters import Parameters

#: Pairs of a state and a column that are looked at at once.
_BLOCK = 2**20

#: A column that loses more than its limit by this share of all that may be lost is dropped.
_ROUNDING = 1e-9


class Joined(NamedTuple):
    """What is known of the best choice.

    Attributes
    ----------
    columns : list of int or None
        A column of each layer; None if no choice within the allowed loss was found.
    loss : float
        Its loss, or infinity.
    least_loss : float
        No choice loses less; at most the allowed loss.
    """

    columns: list[int] | None
    loss: float
    least_loss: float


class _States(NamedTuple):
    """Room left on all servers as sorted keys, the least loss so far, and in the end at least."""

    key: IntArray
    loss: FloatArray
    least: FloatArray


def best_columns(
    problem: MultipleChoice, most: float, deadline: Deadline, parameters: Parameters
) -> Joined:
    """Choose a column of every layer so that the loads fit and the loss is least.

    Layer by layer, the least loss for each room left is kept, as long as it and the least that the
    remaining layers must lose are within the allowed loss (see `loss_tables`); if there are too
    many, the best of them: a beam search, that widens until what it drops cannot matter.

    Parameters
    ----------
    problem : MultipleChoice
    most : float
        The allowed loss.
    deadline : Deadline
    parameters : Parameters
    """
    none = Joined(None, np.inf, most)
    if min(map(len, problem.load)) == 0:
        return none
    problem, unused = problem.reduced()
    if (problem.room < 0).any():
        return none
    if np.prod(problem.room + 1.0) >= 2.0**62:
        # Too many states to number them.
        return none._replace(least_loss=0.0)
    kept = _within_limits(problem, most - unused, deadline, parameters)
    if min(map(len, kept)) == 0:
        return none
    beam = _Beam(problem.part(kept), most - unused, deadline, parameters)
    columns, loss, least = beam.best()
    if columns is not None:
        columns = [int(rows[column]) for rows, column in zip(kept, columns, strict=True)]
    return Joined(columns, loss + unused, min(least + unused, most))


def _within_limits(
    problem: MultipleChoice, most: float, deadline: Deadline, parameters: Parameters
) -> list[IntArray]:
    """Numbers of the columns of each layer that a choice within the allowed loss may contain."""
    if sum(map(len, problem.load)) > parameters.join_filtered:
        limits = loss_limits(problem, most, deadline, parameters)
        if limits is not None:
            return [
                np.flatnonzero(loss <= limit.at(load) + _ROUNDING * most)
                for load, loss, limit in zip(problem.load, problem.loss, limits, strict=True)
            ]
    return [np.arange(len(load)) for load in problem.load]


class _Beam:
    def __init__(
        self, problem: MultipleChoice, most: float, deadline: Deadline, parameters: Parameters
    ) -> None:
        self._load, self._loss, self._room, self._prices = problem
        self._most, self._deadline, self._parameters = most, deadline, parameters
        self._radix = np.append(1, np.cumprod(self._room[:-1] + 1)).astype(np.int64)
        self._tables = loss_tables(problem, deadline, parameters)

    def best(self) -> Joined:
        """Widen the beam until it proves its best choice, or time or space is over."""
        begin = np.array([self._room @ self._radix])
        zero = np.zeros(1)
        root = _States(begin, zero, self._least(0, begin, zero))
        best = Joined(None, np.inf, min(float(root.least[0]), self._most))
        if root.least[0] > self._most:
            return best._replace(least_loss=float(root.least[0]))
        for width in self._parameters.join_widths:
            too_many = width * len(self._load) > self._parameters.join_states
            if self._deadline.passed() or too_many:
                break
            found, dropped = self._search(root, width)
            if found is not None and found[1] <= self._most:
                self._most = found[1]
                best = Joined(*found, best.least_loss)
            # Whatever loses less than the best choice has been kept, or dropped as too many.
            known = min(dropped, best.loss if best.columns else np.inf)
            best = best._replace(least_loss=max(best.least_loss, min(known, self._most)))
            if dropped >= self._most:
                break
        return best

    def _search(self, root: _States, width: int) -> tuple[tuple[list[int], float] | None, float]:
        """One pass; the best choice and its loss, and the least of what was dropped."""
        states, dropped = [root], np.inf
        for layer in range(len(self._load)):
            now = self._with_layer(states[-1], layer)
            if self._deadline.passed():
                return None, 0.0
            if len(now.key) > width:
                order = np.argsort(now.least, kind="stable")
                dropped = min(dropped, float(now.least[order[width]]))
                kept = np.sort(order[:width])
                now = _States(now.key[kept], now.loss[kept], now.least[kept])
            states.append(now)
        if len(now.key) == 0:
            return None, dropped
        # With no layer left, the least is the price of what is unused.
        last = int(now.least.argmin())
        return (self._trace(states, int(now.key[last])), float(now.least[last])), dropped

    def _left(self, key: IntArray) -> IntArray:
        return (key[:, None] // self._radix) % (self._room + 1)

    def _with_layer(self, before: _States, layer: int) -> _States:
        """States with one layer more."""
        load, extra = self._load[layer], self._loss[layer]
        nothing = np.zeros(0)
        parts = [_States(np.zeros(0, dtype=np.int64), nothing, nothing)]
        step, size = max(1, _BLOCK // len(load)), 0
        for first in range(0, len(before.key), step):
            lost = before.loss[first : first + step]
            state, column = np.nonzero(lost[:, None] + extra <= self._most)
            left = self._left(before.key[first : first + step])[state] - load[column]
            kept = np.flatnonzero((left >= 0).all(axis=1))
            key, loss = left[kept] @ self._radix, lost[state[kept]] + extra[column[kept]]
            least = self._least(layer + 1, key, loss)
            kept = np.flatnonzero(least <= self._most)
            parts.append(_States(key[kept], loss[kept], least[kept]))
            size += len(kept)
            if size > 4 * _BLOCK:
                parts = [_merged(parts)]
                size = len(parts[0].key)
            if self._deadline.passed():
                break
        return _merged(parts)

    def _least(self, layer: int, key: IntArray, loss: FloatArray) -> FloatArray:
        """What will be lost at least with the layers from this one on."""
        left = self._left(key)
        least = loss + (left @ self._prices if layer == len(self._load) else 0.0)
        if layer < len(self._load):
            for servers, modulus, table in self._tables:
                later = table[layer][tuple((left[:, servers] % modulus).T)]
                np.maximum(least, loss + later, out=least)
        return least

    def _trace(self, states: list[_States], key: int) -> list[int]:
        """Columns that lead to a state."""
        chosen = []
        for layer in range(len(self._load) - 1, -1, -1):
            before = states[layer]
            earlier = self._left(np.array([key]))[0] + self._load[layer]
            fits = np.flatnonzero((earlier <= self._room).all(axis=1))
            wanted = earlier[fits] @ self._radix
            place = np.minimum(np.searchsorted(before.key, wanted), len(before.key) - 1)
            loss = before.loss[place] + self._loss[layer][fits]
            loss[before.key[place] != wanted] = np.inf
            pick = int(loss.argmin())
            chosen.append(int(fits[pick]))
            key = int(wanted[pick])
        return chosen[::-1]


def _merged(parts: list[_States]) -> _States:
    """The least loss of each key."""
    key, loss, least = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = least_of_each(key, loss)
    return _States(key[kept], loss[kept], least[kept])
