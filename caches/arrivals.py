"""Whose token comes when: the tokens of several users in one order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..instances.trace import Trace
from ..problem.errors import InputError
from ..problem.instance import IntArray


class Arrivals(NamedTuple):
    """Tokens in the order of time.

    Attributes
    ----------
    token, user : int array [A]
        Token of the trace, and who asks for it.
    """

    token: IntArray
    user: IntArray


def arrivals(trace: Trace, user_category: Sequence[str], random: np.random.Generator) -> Arrivals:
    """All tokens of each user's category, interleaved.

    Each user walks the sequences of the category in a random order of its own, token by token. The
    users are at it all the time: each spreads its tokens evenly over it and begins at a random
    moment of its first step. Without sequences a user begins at a random token and ends before it.

    Parameters
    ----------
    trace : Trace
    user_category : sequence of str [U]
    random : Generator

    Raises
    ------
    InputError
        If the trace has no token of some user's category.
    """
    tokens, times = [], []
    for name in user_category:
        mine = np.flatnonzero(trace.category == category_number(trace, name))
        if trace.sequence is None:
            mine = np.roll(mine, -int(random.integers(len(mine))))
        else:
            _, number = np.unique(trace.sequence[mine], return_inverse=True)
            mine = mine[np.argsort(random.permutation(number.max() + 1)[number], kind="stable")]
        tokens.append(mine)
        times.append((np.arange(len(mine)) + random.random()) / len(mine))
    order = np.argsort(np.concatenate(times), kind="stable")
    user = np.repeat(np.arange(len(tokens)), [len(mine) for mine in tokens])
    return Arrivals(np.concatenate(tokens)[order], user[order])


def category_number(trace: Trace, name: str) -> int:
    """Number of a category that has tokens.

    Raises
    ------
    InputError
        If the trace has none of them.
    """
    if name not in trace.categories:
        raise InputError(f"replay: the trace has no category {name!r}")
    number = trace.categories.index(name)
    if not (trace.category == number).any():
        raise InputError(f"replay: the trace has no token of category {name!r}")
    return number
