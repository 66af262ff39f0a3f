"""The coverage model straight as arrays, whole or with most of the placement fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .highs import LinearModel
from .instances.arrays import sums, unique_rows
from .instances.instance import BoolArray, FloatArray, Instance, IntArray
from .instances.terms import Terms
from .knapsack import knapsack_weights


@dataclass(frozen=True, eq=False)
class CoverageLp:
    """A coverage model as arrays.

    Attributes
    ----------
    linear : LinearModel
        Its objective is the negative saving in seconds. The placement columns come first.
    server, item : int array
        The pair of each placement column.
    """

    linear: LinearModel
    server: IntArray
    item: IntArray

    def placed(self, values: FloatArray, fixed: BoolArray) -> BoolArray:
        """Placement [N, I] from column values and the fixed part."""
        cached = fixed.copy()
        cached[self.server, self.item] = values[: len(self.server)] > 0.5
        return cached

    def start(self, cached: BoolArray) -> dict[int, float]:
        """Values of the placement columns for a placement [N, I]."""
        return dict(enumerate(cached[self.server, self.item].astype(np.float64).tolist()))


def coverage_lp(
    instance: Instance,
    terms: Terms,
    *,
    free: BoolArray | None = None,
    fixed: BoolArray | None = None,
) -> CoverageLp:
    """Build the model over the free pairs, given what the others cache.

    Parameters
    ----------
    instance : Instance
    terms : Terms
    free : bool array [N, I], optional
        Pairs to decide, by default all.
    fixed : bool array [N, I], optional
        What is cached outside the free pairs, by default nothing. Must fit in the capacities.
    """
    shape = (instance.servers, instance.items)
    free = np.ones(shape, dtype=np.bool_) if free is None else free
    fixed = np.zeros(shape, dtype=np.bool_) if fixed is None else fixed & ~free
    open_terms = _open_terms(terms, free, fixed)
    column_of, server, item = _columns(open_terms, free)
    X, T = len(server), len(open_terms)

    # One row for each term and each expert it still needs: z <= sum of x.
    members = open_terms.expert_sets[open_terms.expert_set]
    term, position = np.nonzero(members < terms.items)
    needed = members[term, position]
    near = open_terms.server_sets[open_terms.server_set[term]] & free[:, needed].T
    row, where = np.nonzero(near)
    rows = len(term)
    sizes = instance.item_bytes[item]
    left = instance.capacity_bytes - fixed @ instance.item_bytes
    weight, room, exact = np.zeros(X), np.zeros(instance.servers), True
    for n in range(instance.servers):
        mine = np.flatnonzero(server == n)
        weight[mine], room[n], same = knapsack_weights(sizes[mine], int(left[n]))
        exact = exact and same
    matrix = sp.csc_array(
        (
            np.concatenate([np.ones(rows), -np.ones(len(row)), weight]),
            (
                np.concatenate([np.arange(rows), row, rows + server]),
                np.concatenate([X + term, column_of[where, needed[row]], np.arange(X)]),
            ),
        ),
        shape=(rows + instance.servers, X + T),
    )
    linear = LinearModel(
        cost=np.concatenate([np.zeros(X), -open_terms.weight_s]),
        offset=0.0,
        matrix=matrix,
        row_lower=np.full(rows + instance.servers, -np.inf),
        row_upper=np.concatenate([np.zeros(rows), room]),
        lower=np.zeros(X + T),
        upper=np.ones(X + T),
        integer=np.arange(X + T) < X,
        exact=exact,
    )
    return CoverageLp(linear, server, item)


def _open_terms(terms: Terms, free: BoolArray, fixed: BoolArray) -> Terms:
    """Terms that the free pairs decide, without the experts that the fixed ones provide."""
    members = terms.expert_sets[terms.expert_set]
    needed = ~terms.held(fixed)
    possible = (terms.held(free) | ~needed).all(axis=1)
    rows = np.flatnonzero(needed.any(axis=1) & possible)
    # Server sets that differ outside the servers with free pairs only are the same here.
    narrowed, number = unique_rows(terms.server_sets & free.any(axis=1))
    items = np.sort(np.where(needed[rows], members[rows], terms.items), axis=1)
    key, inverse = unique_rows(np.column_stack([items, number[terms.server_set[rows]]]))
    return Terms(
        expert_sets=key[:, :-1].astype(np.int32),
        server_sets=narrowed,
        expert_set=np.arange(len(key)),
        server_set=key[:, -1].astype(np.int64),
        weight_s=sums(inverse, terms.weight_s[rows], len(key)),
        items=terms.items,
    )


def _columns(terms: Terms, free: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Numbers of the free pairs that some term can use: table [N, I], servers, items."""
    server, item = np.nonzero(terms.useful() & free)
    column_of = np.full(free.shape, -1, dtype=np.int64)
    column_of[server, item] = np.arange(len(server))
    return column_of, server, item
