"""The coverage model straight as arrays, whole or with most of the placement fixed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ..problem.arrays import sums, unique_rows
from ..problem.fetch import FetchLimit
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.terms import Terms
from .capacity_row import capacity_weights
from .highs import LinearModel


@dataclass(frozen=True, eq=False)
class CoverageProgram:
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


def coverage_program(
    instance: Instance,
    terms: Terms,
    *,
    free: BoolArray | None = None,
    fixed: BoolArray | None = None,
    fetch: FetchLimit | None = None,
) -> CoverageProgram:
    """Build the model over the free pairs, given what the others cache.

    Parameters
    ----------
    instance : Instance
    terms : Terms
    free : bool array [N, I], optional
        Pairs to decide, by default all.
    fixed : bool array [N, I], optional
        What is cached outside the free pairs, by default nothing. Must fit in the capacities.
    fetch : FetchLimit, optional
        A second row for each server. What is cached outside the free pairs must fit in it.
    """
    shape = (instance.servers, instance.items)
    free = np.ones(shape, dtype=np.bool_) if free is None else free
    fixed = np.zeros(shape, dtype=np.bool_) if fixed is None else fixed & ~free
    cover = _cover(_open_terms(terms, free, fixed), free, shared=False)
    left = instance.capacity_bytes - fixed @ instance.item_bytes
    rows = [(np.ones(len(cover.server), dtype=np.bool_), left)]
    if fetch is not None:
        new = ~fetch.held[cover.server, cover.item]
        rows.append((new, fetch.max_bytes - fetch.fetched_bytes(instance, fixed)))
    sizes, exact = instance.item_bytes[cover.item], True
    for counted, left in rows:
        weight, room = np.zeros(len(sizes)), np.zeros(instance.servers)
        for n in range(instance.servers):
            mine = np.flatnonzero(counted & (cover.server == n))
            weight[mine], room[n], same = capacity_weights(sizes[mine], int(left[n]))
            exact = exact and same
        cover = _with_capacities(cover, weight, room)
    return replace(cover, linear=replace(cover.linear, exact=exact))


def priced_program(terms: Terms, most: IntArray, prices: FloatArray) -> CoverageProgram:
    """Build the model of one layer in which caching has a price instead of a shared capacity.

    Terms share columns for "some server of the set caches the expert": fewer nonzeros, and twice
    as fast in branch and bound on layers.

    Parameters
    ----------
    terms : Terms
    most : int array [N]
        How many experts fit on each server.
    prices : float array [N]
        Of one expert on each server, in seconds.
    """
    cover = _cover(terms, np.ones((len(most), terms.items), dtype=np.bool_), shared=True)
    cover.linear.cost[: len(cover.server)] = prices[cover.server]
    return _with_capacities(cover, np.ones(len(cover.server)), most.astype(np.float64))


def slots_program(terms: Terms, slots: int, servers: int) -> CoverageProgram:
    """Build the model of one layer in which each server has slots, and each expert is on some.

    Parameters
    ----------
    terms : Terms
        Items are the experts of the layer.
    slots : int
        Experts that fit on each server.
    servers : int
    """
    pairs = np.ones((servers, terms.items), dtype=np.bool_)
    cover = _cover(terms, pairs, shared=True, every_pair=True)
    cover = _with_capacities(cover, np.ones(pairs.size), np.full(servers, float(slots)))
    linear, columns = cover.linear, np.arange(pairs.size)
    shape = (terms.items, linear.matrix.shape[1])
    somewhere = sp.csc_array((np.ones(pairs.size), (cover.item, columns)), shape=shape)
    return replace(
        cover,
        linear=replace(
            linear,
            matrix=sp.vstack([linear.matrix, somewhere], format="csc"),
            row_lower=np.append(linear.row_lower, np.ones(terms.items)),
            row_upper=np.append(linear.row_upper, np.full(terms.items, np.inf)),
        ),
    )


def _with_capacities(
    cover: CoverageProgram, weight: FloatArray, room: FloatArray
) -> CoverageProgram:
    """Add a capacity row for each server at the end."""
    servers, columns = len(room), cover.linear.matrix.shape[1]
    shares = (weight, (cover.server, np.arange(len(weight))))
    capacity = sp.csc_array(shares, shape=(servers, columns))
    linear = replace(
        cover.linear,
        matrix=sp.vstack([cover.linear.matrix, capacity], format="csc"),
        row_lower=np.append(cover.linear.row_lower, np.full(servers, -np.inf)),
        row_upper=np.append(cover.linear.row_upper, room),
    )
    return replace(cover, linear=linear)


def _cover(
    terms: Terms, free: BoolArray, *, shared: bool, every_pair: bool = False
) -> CoverageProgram:
    """Placement columns, perhaps shared columns, and terms; a row for each expert of a term."""
    column_of, server, item = _columns(free if every_pair else terms.useful() & free)
    X, T = len(server), len(terms)
    members = terms.expert_sets[terms.expert_set]
    term, position = np.nonzero(members < terms.items)
    needed = members[term, position]
    server_set = terms.server_set[term]
    rows = np.arange(len(term))
    Y = 0
    if shared:
        # z <= y for each expert of a term, and y <= sum of x for each (server set, expert).
        key, which = np.unique(server_set * terms.items + needed, return_inverse=True)
        Y = len(key)
        entries = [(rows, X + Y + term, 1.0), (rows, X + which, -1.0)]
        server_set, needed = np.divmod(key, terms.items)
        rows = len(term) + np.arange(Y)
        entries.append((rows, X + np.arange(Y), 1.0))
    else:
        entries = [(rows, X + term, 1.0)]
    near = terms.server_sets[server_set] & free[:, needed].T
    row, where = np.nonzero(near)
    entries.append((rows[row], column_of[where, needed[row]], -1.0))
    count, columns = len(term) + Y, X + Y + T
    matrix = sp.csc_array(
        (
            np.concatenate([np.full(len(r), value) for r, _, value in entries]),
            (
                np.concatenate([r for r, _, _ in entries]),
                np.concatenate([c for _, c, _ in entries]),
            ),
        ),
        shape=(count, columns),
    )
    linear = LinearModel(
        cost=np.concatenate([np.zeros(X + Y), -terms.weight_s]),
        offset=0.0,
        matrix=matrix,
        row_lower=np.full(count, -np.inf),
        row_upper=np.zeros(count),
        lower=np.zeros(columns),
        upper=np.ones(columns),
        integer=np.arange(columns) < X,
    )
    return CoverageProgram(linear, server, item)


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


def _columns(pairs: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Numbers of the pairs to decide: table [N, I], servers, items."""
    server, item = np.nonzero(pairs)
    column_of = np.full(pairs.shape, -1, dtype=np.int64)
    column_of[server, item] = np.arange(len(server))
    return column_of, server, item
