"""What layers lose at least together: exact values of relaxations of their join, as tables."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..method import Deadline
from ..problem.instance import FloatArray, IntArray
from .multiple_choice import MultipleChoice
from .parameters import Parameters
from .residues import Residues


class LossTable(NamedTuple):
    """What the layers from each one on lose at least.

    Attributes
    ----------
    servers : int array
        On which room counts.
    modulus : int array
        For each of them.
    loss : list of float arrays [modulus[0], modulus[1], ...]
        For each first layer, and for none: by the room left, modulo `modulus`.
    """

    servers: IntArray
    modulus: IntArray
    loss: list[FloatArray]


def loss_tables(
    problem: MultipleChoice, deadline: Deadline, parameters: Parameters
) -> list[LossTable]:
    """Relaxations whose largest value bounds what the layers to come lose.

    In one kind only a pair of servers has capacities, or a single one where pairs would be too
    large (projected states: Christofides, Mingozzi, Toth 1981, doi:10.1002/net.3230110207). In the
    other room counts only modulo the size of a layer, because at prices that are best for whole
    layers these lose next to nothing (group relaxation: Gomory 1969,
    doi:10.1016/0024-3795(69)90017-2).

    Parameters
    ----------
    problem : MultipleChoice
    deadline : Deadline
    parameters : Parameters
        Tables that would be too large, or take too long, are left out.
    """
    N, layers = len(problem.room), len(problem.load) + 1
    cells, everyone = problem.room + 1.0, list(range(N))
    # Half of the numbers for these, half for the group relaxation.
    space = parameters.join_numbers / 2 / layers
    pairs = [list(pair) for pair in combinations(everyone, 2)]
    groups = [pair for pair in pairs if np.prod(cells[pair]) <= space / len(pairs)]
    alone = [[n] for n in everyone if not any(n in pair for pair in groups)]
    groups += [one for one in alone if cells[one[0]] <= space / N]
    sizes = [(np.array(group), problem.room[group] + 1) for group in groups]
    sizes.append((np.array(everyone), problem.layer_sizes(space)))
    made = (_table(problem, *size, deadline, parameters) for size in sizes)
    return [table for table in made if table is not None]


def loss_limits(
    problem: MultipleChoice, most: float, deadline: Deadline, parameters: Parameters
) -> list[Residues] | None:
    """For each layer: what any column of it may lose, if all others have the columns given.

    From the group relaxation of all layers but one, see `loss_tables`.

    Parameters
    ----------
    problem : MultipleChoice
    most : float
        The loss that a choice may have.
    deadline : Deadline
    parameters : Parameters

    Returns
    -------
    list of Residues or None
        By a column's load. None if the tables would be too large, or time was over.
    """
    count, everyone = len(problem.load), np.arange(len(problem.room))
    modulus = problem.layer_sizes(parameters.join_numbers / 2 / count)
    loads = problem.distinct(everyone, modulus)
    rounds = np.ceil(np.log2(count + 1))
    columns = sum(len(taken) for taken, _ in loads)
    if np.prod(modulus) * rounds * columns > 10 * parameters.join_steps:
        return None
    every = np.indices(tuple(modulus.tolist())).reshape(len(modulus), -1).T
    left = (problem.room - every) % modulus
    limits: list[Residues] = []

    def without_one(first: int, last: int, table: FloatArray) -> bool:
        """Divide and conquer: the table has all layers but first to last - 1."""
        if last - first == 1:
            loss = most - table[tuple(left.T)].reshape(modulus)
            limits.append(Residues(loss, modulus, np.ones_like(modulus)))
            return True
        half = (first + last) // 2
        for own, others in (((first, half), (half, last)), ((half, last), (first, half))):
            more = table
            for layer in range(*others):
                if deadline.passed():
                    return False
                more = _with_layer(more, *loads[layer], wrapped=True)
            if not without_one(*own, more):
                return False
        return True

    done = without_one(0, count, _unused_price(problem.prices, everyone, modulus))
    return limits if done else None


def _table(
    problem: MultipleChoice,
    servers: IntArray,
    modulus: IntArray,
    deadline: Deadline,
    parameters: Parameters,
) -> LossTable | None:
    """Make a table from the last layer on; None if that takes too long."""
    wrapped = bool((modulus <= problem.room[servers]).any())
    loads = problem.distinct(servers, modulus)
    columns = sum(len(taken) for taken, _ in loads)
    if np.prod(modulus.astype(np.float64)) * columns > parameters.join_steps:
        return None
    tables = [_unused_price(problem.prices, servers, modulus)]
    for taken, loss in loads[::-1]:
        if deadline.passed():
            return None
        tables.append(_with_layer(tables[-1], taken, loss, wrapped=wrapped))
    return LossTable(servers, modulus, tables[::-1])


def _unused_price(prices: FloatArray, servers: IntArray, modulus: IntArray) -> FloatArray:
    """The price of unused room; a table over some servers."""
    table = np.zeros(tuple(modulus.tolist()))
    for axis, n in enumerate(servers.tolist()):
        cost = prices[n] * np.arange(modulus[axis])
        table += cost.reshape([-1 if k == axis else 1 for k in range(len(servers))])
    return table


def _with_layer(
    table: FloatArray, load: IntArray, loss: FloatArray, *, wrapped: bool
) -> FloatArray:
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
