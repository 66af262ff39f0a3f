"""K = 1 as a covering problem: each term pays if one of its servers caches its expert."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.terms import Terms


@dataclass(frozen=True, eq=False)
class Covering:
    """The terms of an instance with K = 1; a server too small for an expert is in none of its sets.

    Attributes
    ----------
    servers, items : int
        N and I.
    item : int array [T]
        Expert that each term needs.
    member : bool array [N, T]
        Whether a server is near enough for a term, and holds its expert if asked to.
    weight_s : float array [T]
        Saving of each term in seconds, > 0.
    """

    servers: int
    items: int
    item: IntArray
    member: BoolArray
    weight_s: FloatArray

    @classmethod
    def of(cls, instance: Instance, terms: Terms) -> Covering:
        """Covering of the terms of an instance, each of one expert."""
        item = terms.expert_sets[terms.expert_set, 0].astype(np.int64)
        fits = instance.item_bytes <= instance.capacity_bytes[:, None]
        member = terms.server_sets.T[:, terms.server_set] & fits[:, item]
        some = np.flatnonzero(np.logical_or.reduce(member, axis=0))
        return cls(
            instance.servers, instance.items, item[some], member[:, some], terms.weight_s[some]
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a placement [N, I]."""
        return self.servers, self.items

    @cached_property
    def incidence(self) -> Any:
        """Terms by (server, item) pairs, row by row; scipy.sparse.csr_array [T, N I]."""
        return self._by_pair.T.tocsr()

    @cached_property
    def _by_pair(self) -> Any:
        server, term = np.nonzero(self.member)
        pair = server * self.items + self.item[term]
        return sp.csr_array(
            (np.ones(len(term)), (pair, term)), shape=(self.servers * self.items, len(self.item))
        )

    def copies(self, x: FloatArray) -> FloatArray:
        """How much of each term's expert its servers hold together; [T]."""
        copies: FloatArray = self.incidence @ x.ravel()
        return copies

    def by_pair(self, values: FloatArray) -> FloatArray:
        """Sum of the values [T] of the terms that each pair can pay; [N, I]."""
        total: FloatArray = self._by_pair @ values
        return total.reshape(self.shape)

    def relaxed_s(self, x: FloatArray) -> float:
        """Value of the linear program at fractions [N, I]; the saving where they are whole."""
        return float(self.weight_s @ np.minimum(self.copies(x), 1.0))

    def expected_s(self, x: FloatArray) -> float:
        """Expected saving if every server draws its cache by itself, with these fractions."""
        return float(self.weight_s @ (1.0 - self._missed(x, skip=-1)))

    def slopes(self, x: FloatArray, server: int) -> FloatArray:
        """Slope of `expected_s` along each fraction of one server; [I]."""
        mine = np.flatnonzero(self.member[server])
        missed = self._missed(x, skip=server, terms=mine)
        return sums(self.item[mine], self.weight_s[mine] * missed, self.items)

    def _missed(
        self, x: FloatArray, skip: int, terms: IntArray | slice = slice(None)
    ) -> FloatArray:
        """Chance that no server but `skip` has what a term needs."""
        item = self.item[terms]
        missed = np.ones(len(item))
        for n in range(self.servers):
            if n != skip:
                missed *= 1.0 - x[n, item] * self.member[n, terms]
        return missed
