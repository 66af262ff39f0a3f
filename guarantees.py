"""What is proven about a solution before looking at it: a-priori approximation ratios.

A ratio is a share of the largest saving. Each method states its own (`Method.guarantee`), from the
`Structure` of the instance; `a_priori` looks it up.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .problem.instance import BoolArray, FloatArray, Instance
from .problem.terms import Terms, coverage_terms

#: Numbers in the table that `curvature` makes to be exact over sets of servers.
_TABLE_ENTRIES = 2**22


class Guarantee(NamedTuple):
    """An a-priori guarantee.

    Attributes
    ----------
    ratio : float
        The saving is at least this share of the largest one; 0 where nothing is proven.
    because : str
        The theorem and the assumptions that hold here, or what stands in the way.
    """

    ratio: float
    because: str


class Structure:
    """What guarantees ask about the structure of an instance; each is found out once, when asked.

    Parameters
    ----------
    instance : Instance
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    @cached_property
    def terms(self) -> Terms:
        """Coverage terms that can pay: each of their experts fits on some server of their set."""
        terms = coverage_terms(self.instance)
        return terms.part(np.flatnonzero(terms.paid(self.fits)))

    @cached_property
    def fits(self) -> BoolArray:
        """Whether a server can hold an item at all; [N, I]."""
        return self.instance.item_bytes <= self.instance.capacity_bytes[:, None]

    @cached_property
    def single(self) -> bool:
        """Whether every term needs one expert only (K = 1): the saving is submodular."""
        return bool(self.terms.sizes().max(initial=0) <= 1)

    @cached_property
    def one_size(self) -> bool:
        """Whether all experts have the same number of bytes."""
        return len({model.expert_bytes for model in self.instance.models}) <= 1

    @cached_property
    def servers(self) -> int:
        """Servers that can hold some expert that some term needs."""
        return int((self.terms.useful() & self.fits).any(axis=1).sum())

    @cached_property
    def curvature(self) -> float:
        """Upper bound on the supermodular curvature between servers, in [0, 1].

        The smallest k such that for each server n, whatever X it caches and whatever Y within Z the
        others cache, ``f(X | Y) >= (1 - k) f(X | Z)``. 0 with K = 1.

        Notes
        -----
        Let ``s(n, i, C)`` and ``m(n, i, C)`` be the weights of the terms with expert i and server
        n, none of whose servers is in C, that need i alone and that need others too. What X adds to
        Z is at most the sum of s + m over its experts, each with the servers C that hold it in Z.
        What it adds to Y is at least the sum of s. So the largest ``m / (s + m)`` is a bound (of
        two sums the ratio is at most the largest ratio). All C are tried where that is affordable;
        else each server set counts by itself, which gives a larger, still valid bound.
        """
        s, m = self._weights()
        # Nothing pays alone: no need to look further.
        member = self.terms.server_sets.T.astype(np.float64)
        if (self.fits & (member @ m > 0) & (member @ s <= 0)).any():
            return 1.0
        worst = 0.0
        for n in range(self.instance.servers):
            mine = np.flatnonzero(self.terms.server_sets[:, n])
            keep = self.fits[n] & (m[mine].sum(axis=0) > 0)
            apart = self._apart(n, self.terms.server_sets[mine], int(keep.sum()))
            alone, together = apart @ s[mine][:, keep], apart @ m[mine][:, keep]
            total = alone + together
            share = np.divide(together, total, out=np.zeros_like(total), where=total > 0)
            worst = max(worst, float(share.max(initial=0.0)))
        return worst

    def _weights(self) -> tuple[FloatArray, FloatArray]:
        """Weights of the terms of each server set and item, of one expert and of several."""
        terms = self.terms
        members = terms.expert_sets[terms.expert_set]
        inside = members < terms.items
        size = terms.sizes()
        tables = []
        for chosen in (size == 1, size > 1):
            table = np.zeros((len(terms.server_sets), terms.items))
            row, column = np.nonzero(inside & chosen[:, None])
            np.add.at(table, (terms.server_set[row], members[row, column]), terms.weight_s[row])
            tables.append(table)
        return tables[0], tables[1]

    def _apart(self, server: int, server_sets: BoolArray, columns: int) -> FloatArray:
        """For each C, which server sets have no server in it; [sets of servers, server sets]."""
        others = [n for n in range(self.instance.servers) if n != server]
        count = 1 << len(others)
        if count * max(columns, len(server_sets)) > _TABLE_ENTRIES:
            return np.eye(len(server_sets))
        mask = server_sets[:, others] @ (1 << np.arange(len(others)))
        free = (np.arange(count)[:, None] & mask) == 0
        return np.unique(free, axis=0).astype(np.float64)


def no_guarantee(reason: str) -> Guarantee:
    """Say that nothing is proven."""
    return Guarantee(0.0, reason)


def server_by_server(structure: Structure, share: float | None) -> Guarantee:
    """Guarantee of servers solved one after the other, each to a share of its best gain.

    With ``a = share`` and the curvature k the saving is at least ``b / (1 + b)`` of the largest
    one, where ``b = a (1 - k)``: the form of Bai, Bilmes 2018 (arXiv:1801.07413), for one knapsack
    for each server.

    Proof: let S be the placement, O a best one, and replace O by S server by server:
    ``H_n = S_1 .. S_n O_{n+1} .. O_N``. With C what the other servers hold in H_n,
    ``f(H_{n-1}) - f(H_n) <= f(O_n | C) <= f(O_n | S_1 .. S_{n-1}) / (1 - k)``, which is at most
    ``f(S_n | S_1 .. S_{n-1}) / (a (1 - k))``. Sum over n: ``f(O) - f(S) <= f(S) / b``.
    """
    if share is None:
        return no_guarantee("not all servers were filled in turn")
    if share <= 0:
        return no_guarantee("a server may have missed all of its gain")
    reached = math.floor(1e6 * share) / 1e4
    exact = "" if share == 1 else f"; each server reaches {reached:g} % of its best"
    if structure.servers <= 1:
        return Guarantee(share, f"one server{exact}")
    if structure.single:
        return Guarantee(share / (1 + share), f"K = 1, servers in turn{exact}")
    if structure.curvature >= 1:
        return no_guarantee(f"supermodular curvature 1: experts pay only together{exact}")
    b = share * (1 - structure.curvature)
    return Guarantee(
        b / (1 + b), f"supermodular curvature {structure.curvature:.4g}, servers in turn{exact}"
    )
