"""The best choice of one column for each layer, among all that lose little at some prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.arrays import least_of_each, unique_rows
from ..problem.instance import FloatArray, IntArray

#: States to keep at each layer, again and again until none that matters is dropped.
_WIDTHS = (3_000, 30_000, 300_000)

#: Most states in all (500 MB), and pairs of a state and a column to look at at once.
_STATES, _BLOCK = 1.5e7, 2**20

#: So many columns are first reduced to those that `allowed_losses` allows, but for rounding.
_FILTERED, _ROUNDING = 2_000, 1e-9

#: Most numbers in the tables of what the remaining layers lose (300 MB), and steps to make them.
_NUMBERS, _STEPS = 4e7, 1e9


class Columns(NamedTuple):
    """Columns of all layers.

    Attributes
    ----------
    load : sequence of int arrays [J, N]
        For each layer, what its columns take of every server.
    loss : sequence of float arrays [J]
        >= 0.
    room : int array [N]
    prices : float array [N]
        Of a unit of room, >= 0.
    """

    load: Sequence[IntArray]
    loss: Sequence[FloatArray]
    room: IntArray
    prices: FloatArray


class Choice(NamedTuple):
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


class _Table(NamedTuple):
    """What the layers from one on lose at least, by the room left on some servers, modulo some."""

    servers: IntArray
    modulus: IntArray
    loss: list[FloatArray]


class Allowed(NamedTuple):
    """What a layer's column may lose at most, by what it takes of all servers, modulo some."""

    modulus: IntArray
    loss: FloatArray


def allowed_losses(known: Columns, most: float, deadline: Deadline) -> list[Allowed] | None:
    """For each layer: what any column of it may lose, if all others have the columns given.

    From the group relaxation of all layers but one, see `best_columns`; there are the parameters.
    None if the tables would be too large, or time was over.
    """
    load, loss, room, prices = known
    modulus = _modulus(load, room, _NUMBERS / 2 / len(load))
    loads = [_distinct(part % modulus, lost) for part, lost in zip(load, loss, strict=True)]
    rounds = np.ceil(np.log2(len(load) + 1))
    if np.prod(modulus) * rounds * sum(len(taken) for taken, _ in loads) > 10 * _STEPS:
        return None
    everyone = np.arange(len(room))
    left = (room - np.indices(tuple(modulus.tolist())).reshape(len(room), -1).T) % modulus
    allowed: list[Allowed] = []

    def without_one(first: int, last: int, table: FloatArray) -> bool:
        """Divide and conquer: the table has all layers but first to last - 1."""
        if deadline.passed():
            return False
        if last - first == 1:
            allowed.append(Allowed(modulus, most - table[tuple(left.T)].reshape(modulus)))
            return True
        half = (first + last) // 2
        for own, others in (((first, half), (half, last)), ((half, last), (first, half))):
            more = table
            for layer in range(*others):
                more = _before(more, *loads[layer], wrapped=True)
            if not without_one(*own, more):
                return False
        return True

    done = without_one(0, len(load), _unused_price(prices, everyone, modulus))
    return allowed if done else None


def best_columns(known: Columns, most: float, deadline: Deadline) -> Choice:
    """Choose a column of every layer so that the loads fit and the loss is least.

    The loss of a choice is that of its columns, and the price of the room that it leaves unused.
    Layer by layer, the least loss for each room left is kept, as long as it and the least that the
    remaining layers must lose are within the allowed loss; if there are too many, the best of them
    (a beam search, that widens until what it drops cannot matter). What the remaining layers must
    lose is the largest of the exact values of two relaxations: in one only a pair of servers has
    capacities (projected states: Christofides, Mingozzi, Toth 1981, doi:10.1002/net.3230110207), in
    the other room counts only modulo the size of a layer, because at these prices whole layers
    lose next to nothing (group relaxation: Gomory 1969, doi:10.1016/0024-3795(69)90017-2).

    Parameters
    ----------
    known : Columns
    most : float
        The allowed loss.
    deadline : Deadline
    """
    load, loss, room, prices = known
    none = Choice(None, np.inf, most)
    if min(map(len, load)) == 0:
        return none
    # Only what is taken beyond the least of each layer matters.
    least = [part.min(axis=0) for part in load]
    room = room - np.sum(least, axis=0)
    if (room < 0).any():
        return none
    load = [part - low for part, low in zip(load, least, strict=True)]
    span = np.sum([part.max(axis=0) for part in load], axis=0)
    # Room that nobody can use.
    unused = float(np.maximum(room - span, 0) @ prices)
    room = np.minimum(room, span)
    if np.prod(room + 1.0) >= 2.0**62:
        return Choice(None, np.inf, 0.0)
    kept = [np.arange(len(part)) for part in load]
    if sum(map(len, load)) > _FILTERED:
        reduced = Columns(load, loss, room, prices)
        allowed = allowed_losses(reduced, most - unused, deadline)
        if allowed is not None:
            kept = [
                np.flatnonzero(lost <= table[tuple((part % modulus).T)] + _ROUNDING * most)
                for part, lost, (modulus, table) in zip(load, loss, allowed, strict=True)
            ]
            if min(map(len, kept)) == 0:
                return none
    load = [part[rows] for part, rows in zip(load, kept, strict=True)]
    loss = [lost[rows] for lost, rows in zip(loss, kept, strict=True)]
    reduced = Columns(load, loss, room, prices)
    columns, reached, proved = _Program(reduced, most - unused, deadline).best()
    if columns is not None:
        columns = [int(rows[column]) for rows, column in zip(kept, columns, strict=True)]
    return Choice(columns, reached + unused, min(proved + unused, most))


class _Program:
    def __init__(self, known: Columns, most: float, deadline: Deadline) -> None:
        self._load, self._loss, self._room, self._prices = known
        self._most, self._deadline = most, deadline
        self._radix = np.append(1, np.cumprod(self._room[:-1] + 1)).astype(np.int64)
        self._tables: list[_Table] = []

    def best(self) -> Choice:
        """Widen the beam until it proves its best choice, or time or space is over."""
        self._make_tables()
        begin = np.array([self._room @ self._radix])
        zero = np.zeros(1)
        root = _States(begin, zero, self._least(0, begin, zero))
        best = Choice(None, np.inf, min(float(root.least[0]), self._most))
        if root.least[0] > self._most:
            return best._replace(least_loss=float(root.least[0]))
        for width in _WIDTHS:
            if self._deadline.passed() or width * len(self._load) > _STATES:
                break
            found, dropped = self._beam(root, width)
            if found is not None and found[1] <= self._most:
                self._most = found[1]
                best = Choice(*found, best.least_loss)
            # Whatever loses less than the best choice has been kept, or dropped as too many.
            known = min(dropped, best.loss if best.columns else np.inf)
            best = best._replace(least_loss=max(best.least_loss, min(known, self._most)))
            if dropped >= self._most:
                break
        return best

    def _beam(self, root: _States, width: int) -> tuple[tuple[list[int], float] | None, float]:
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

    def _make_tables(self) -> None:
        """Tables for pairs of servers, or single ones, and modulo the size of a layer."""
        N, layers = len(self._room), len(self._load) + 1
        everyone = range(N)
        pairs = list(combinations(everyone, 2))
        groups: list[tuple[int, ...]] = [
            pair for pair in pairs if self._cells(pair) * layers <= _NUMBERS / len(pairs) / 2
        ]
        paired = {n for pair in groups for n in pair}
        alone = [n for n in everyone if n not in paired]
        groups += [(n,) for n in alone if self._cells([n]) * layers <= _NUMBERS / N / 2]
        for group in groups:
            self._add_table(np.array(group), self._room[list(group)] + 1)
        self._add_table(np.arange(N), _modulus(self._load, self._room, _NUMBERS / 2 / layers))

    def _cells(self, servers: Iterable[int]) -> float:
        return float(np.prod(self._room[list(servers)] + 1.0))

    def _add_table(self, servers: IntArray, modulus: IntArray) -> None:
        """Add a table, made from the last layer on; unless that takes too long."""
        wrapped = bool((modulus <= self._room[servers]).any())
        loads = [
            _distinct(part[:, servers] % modulus, loss)
            for part, loss in zip(self._load, self._loss, strict=True)
        ]
        if np.prod(modulus.astype(np.float64)) * sum(len(taken) for taken, _ in loads) > _STEPS:
            return
        tables = [_unused_price(self._prices, servers, modulus)]
        for taken, loss in loads[::-1]:
            tables.append(_before(tables[-1], taken, loss, wrapped=wrapped))
        self._tables.append(_Table(servers, modulus, tables[::-1]))

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


def _modulus(load: Sequence[IntArray], room: IntArray, most: float) -> IntArray:
    """The size of a layer on each server; a part of it where the table would be too large."""
    largest = np.max([part.max(axis=0, initial=0) for part in load], axis=0)
    modulus: IntArray = np.maximum(np.minimum(largest, room), 1)
    while np.prod(modulus.astype(np.float64)) > most and modulus.max() > 1:
        modulus = (modulus + 1) // 2
    return modulus


def _unused_price(prices: FloatArray, servers: IntArray, modulus: IntArray) -> FloatArray:
    """The price of unused room; a table over some servers."""
    table = np.zeros(tuple(modulus.tolist()))
    for axis, n in enumerate(servers.tolist()):
        cost = prices[n] * np.arange(modulus[axis])
        table += cost.reshape([-1 if k == axis else 1 for k in range(len(servers))])
    return table


def _before(table: FloatArray, load: IntArray, loss: FloatArray, *, wrapped: bool) -> FloatArray:
    """A table with one layer more."""
    now = np.full(table.shape, np.inf)
    for taken, lost in zip(load.tolist(), loss.tolist(), strict=True):
        if wrapped:
            moved = np.roll(table, taken, axis=tuple(range(table.ndim)))
            np.minimum(now, moved + lost, out=now)
        elif all(t < s for t, s in zip(taken, table.shape, strict=True)):
            into = now[tuple(slice(t, None) for t in taken)]
            ends = (s - t for t, s in zip(taken, table.shape, strict=True))
            moved = table[tuple(slice(0, end) for end in ends)]
            np.minimum(into, moved + lost, out=into)
    return now


def _distinct(load: IntArray, loss: FloatArray) -> tuple[IntArray, FloatArray]:
    """The least loss of each load."""
    rows, code = unique_rows(load)
    return rows, loss[least_of_each(code, loss)]


def _merged(parts: list[_States]) -> _States:
    """The least loss of each key."""
    key, loss, least = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = least_of_each(key, loss)
    return _States(key[kept], loss[kept], least[kept])
