"""What every exchange of experts in one layer would gain, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.terms import Terms


@dataclass(frozen=True, eq=False)
class Moves:
    """Changes of a placement that keep the slots, and every expert on some rank.

    Move k takes ``out`` from rank ``first`` and puts ``into`` in its slot; where ``second`` is
    another rank, that gives ``into`` away and takes ``out``.

    Attributes
    ----------
    gain_s : float array [k]
        What each would save, in seconds; > 0.
    first, second, out, into : int array [k]
    """

    gain_s: FloatArray
    first: IntArray
    second: IntArray
    out: IntArray
    into: IntArray

    def done(self, cached: BoolArray, k: int) -> BoolArray:
        """Return the placement [N, E] after one of the moves."""
        moved = cached.copy()
        n, m, a, b = (int(x[k]) for x in (self.first, self.second, self.out, self.into))
        moved[n, a], moved[n, b] = False, True
        if m != n:
            moved[m, b], moved[m, a] = False, True
        return moved


def improving_moves(terms: Terms, cached: BoolArray) -> Moves:
    """Find all exchanges that gain, the best first.

    Replaced is an expert that other ranks hold, too. Exchanged are experts of two ranks that do not
    hold the other's.

    Parameters
    ----------
    terms : Terms
        Of one layer; items are its experts.
    cached : bool array [N, E]

    Notes
    -----
    For a server set g, let A[b] be the weight of its terms that lack b alone, L[a] that of its paid
    terms with a, and C[a, b] that of its terms with a that lack b alone. If g gets b and loses a,
    it gains exactly ``A[b] - L[a] - C[a, b]``; if it keeps another copy of a, ``A[b]``; if it holds
    b already, A[b] and C[a, b] are 0. So one pass over the terms tells all exchanges, and the sets
    that hold only one of two ranks add up.
    """
    N = len(cached)
    delta = _deltas(terms, cached)
    several = cached.sum(axis=0) > 1
    size = 1e-12 * float(terms.weight_s.sum())
    parts = [_empty()]
    for n, m in _pairs(N):
        a = np.flatnonzero(cached[n] & (several if m == n else ~cached[m]))
        b = np.flatnonzero(~cached[n] & (True if m == n else cached[m]))
        table = np.zeros((len(a), len(b)))
        mine, other = terms.server_sets[:, n], terms.server_sets[:, m]
        for g in np.flatnonzero(mine & ~other if m != n else mine):
            table += delta[g][np.ix_(a, b)]
        for g in np.flatnonzero(other & ~mine):
            table += delta[g][np.ix_(b, a)].T
        row, column = np.nonzero(table > size)
        found = np.full(len(row), n), np.full(len(row), m), a[row], b[column]
        parts.append((table[row, column], *found))
    gain, first, second, out, into = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-gain, kind="stable")
    return Moves(gain[order], first[order], second[order], out[order], into[order])


def _deltas(terms: Terms, cached: BoolArray) -> FloatArray:
    """What each server set gains if it gets column b and loses row a; [G, E, E]."""
    G, E = len(terms.server_sets), terms.items
    width = E + 1
    copies = np.ones((G, width), dtype=np.int64)
    copies[:, :E] = terms.server_sets.astype(np.int64) @ cached
    members = terms.expert_sets[terms.expert_set].astype(np.int64)
    group = terms.server_set[:, None] * width
    lacking = copies.ravel()[group + members] == 0
    count = lacking.sum(axis=1)
    weight, K = terms.weight_s, members.shape[1]

    paid = count == 0
    lose = sums((group + members)[paid].ravel(), np.repeat(weight[paid], K), G * width)
    close = count == 1
    wanted = members[close][lacking[close]]
    gain = sums(group[close, 0] + wanted, weight[close], G * width)
    # The expert that is lacking stands among the members, too: on the diagonal, which no move uses.
    both = (group[close] + members[close]) * width + wanted[:, None]
    lose_both = sums(both.ravel(), np.repeat(weight[close], K), G * width * width)

    sole = (copies == 1)[:, :E, None]
    lost = lose.reshape(G, width)[:, :E, None] + lose_both.reshape(G, width, width)[:, :E, :E]
    deltas: FloatArray = gain.reshape(G, width)[:, None, :E] - np.where(sole, lost, 0.0)
    return deltas


def _pairs(ranks: int) -> Iterator[tuple[int, int]]:
    """A rank with itself, and every two ranks once."""
    for n in range(ranks):
        for m in range(n, ranks):
            yield n, m


def _empty() -> tuple[FloatArray, IntArray, IntArray, IntArray, IntArray]:
    none = np.zeros(0, dtype=np.int64)
    return np.zeros(0), none, none, none, none
