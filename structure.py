"""What guarantees ask about the structure of an instance."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .problem.arrays import sums, unique_rows
from .problem.instance import BoolArray, FloatArray, Instance, IntArray
from .problem.terms import Terms, coverage_terms

#: Numbers in the table that `curvature` makes to be exact over sets of servers.
_TABLE_ENTRIES = 2**22


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
    def _reach(self) -> IntArray:
        """How many servers of each term's set can hold its first expert; [T]."""
        terms = self.terms
        first = terms.expert_sets[terms.expert_set, 0]
        reach: IntArray = (terms.server_sets.astype(np.int64) @ self.fits)[terms.server_set, first]
        return reach

    @cached_property
    def largest_set(self) -> int:
        """Most servers that can pay one term; for K = 1."""
        return int(self._reach.max(initial=1))

    @cached_property
    def total_curvature(self) -> float:
        """Total curvature of the saving, in [0, 1]; for K = 1.

        ``1 - (f(V) - f(V - j)) / f(j)`` for the worst pair j of a server and an expert, V all of
        them: the largest share of what j pays alone that another server can pay, too.
        """
        terms, reach = self.terms, self._reach
        first = terms.expert_sets[terms.expert_set, 0]
        place = terms.server_set * terms.items + first
        size = len(terms.server_sets) * terms.items
        both = [
            sums(place[rows], terms.weight_s[rows], size).reshape(-1, terms.items)
            for rows in (reach > 0, reach > 1)
        ]
        member = terms.server_sets.T.astype(np.float64)
        paid, shared = (np.where(self.fits, member @ weight, 0.0) for weight in both)
        share = np.divide(shared, paid, out=np.zeros_like(paid), where=paid > 0)
        return min(1.0, float(share.max(initial=0.0)))

    @cached_property
    def exchange(self) -> int:
        """Experts that must leave a server, at most, so that another one fits."""
        useful = self.terms.useful() & self.fits
        sizes = [self.instance.item_bytes[row] for row in useful]
        return max((-(-int(b.max()) // int(b.min())) for b in sizes if len(b)), default=1)

    @cached_property
    def whole_layers(self) -> float:
        """Share of the largest saving that servers reach which cache whole layers only, at least.

        0 if a server that can hold an expert of some term may not hold every whole layer. See
        docs/guarantees.md.
        """
        instance, terms = self.instance, self.terms
        if not len(terms):
            return 1.0
        size = instance.item_bytes
        layer = np.arange(instance.items) - instance.item_expert
        needed = terms.useful().any(axis=0)
        whole = sums(layer[needed], size[needed].astype(np.float64), instance.items)
        unit = int(np.gcd.reduce(size[needed]))
        room = instance.capacity_bytes // unit * unit
        count = room // int(whole.max())
        # Of one byte; nothing is left out where all layers fit.
        chance = np.where(room >= whole.sum(), np.inf, count / np.maximum(room, 1))
        first = terms.expert_sets[terms.expert_set, 0]
        # Terms with the same number of experts, servers and bytes have the same chance.
        kinds, _ = unique_rows(
            np.column_stack([terms.sizes(), terms.server_set, instance.item_model[first]])
        )
        experts, server_set, model = kinds.T
        own = np.array([m.expert_bytes for m in instance.models])[model]
        holds = terms.server_sets[server_set] & (instance.capacity_bytes >= own[:, None])
        least = np.where(holds, chance, np.inf).min(axis=1) * own
        return float((1 - (1 - np.minimum(least, 1.0)) ** experts).min())

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
