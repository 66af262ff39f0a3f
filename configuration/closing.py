"""What is left of an instance when a dual bound and a placement are close, solved by HiGHS."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..linear.capacity_row import capacity_weights
from ..linear.coverage_program import coverage_program
from ..linear.highs import HighsResult, LinearModel, run_highs
from ..method import Limits
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.solution import StoppedBy
from ..problem.terms import Terms
from .clients import Clients
from .knapsacks import Packed
from .server_sets import Losses, members

#: Room for rounding in losses, as a share of the bound.
_ROUNDING = 1e-9

#: HiGHS' own heuristics and strong branching cost more here than they bring.
_OPTIONS = {"mip_heuristic_effort": 0.0, "mip_pscost_minreliable": 1}


class Closed(NamedTuple):
    """What the rest says about the whole.

    Attributes
    ----------
    cached : bool array [N, I] or None
        A placement, None if HiGHS has none; it may exceed a capacity by rounding.
    bound_s : float
        No placement saves more than this or than the one in hand.
    result : HighsResult
    """

    cached: BoolArray | None
    bound_s: float
    result: HighsResult


class Candidates(NamedTuple):
    """Sets of servers that an expert can be cached on in a better placement than the known one.

    Attributes
    ----------
    item, number : int array
        An expert and one of its sets.
    saving_s : float array
        By this set.
    loss_s : float
        A placement with another set saves less than the bound by more than this, or it is no better
        than the known one.
    """

    item: IntArray
    number: IntArray
    saving_s: FloatArray
    loss_s: float


def candidates(losses: Losses, gap_s: float, most: int = sys.maxsize) -> Candidates:
    """Sets that lose no more than the gap, the best ones if they are many.

    The bound of `PairPrices` or `BytePrices` less the saving of a placement is the sum of what each
    expert's set loses against the best one and each server's cache against its best one: no loss is
    below 0.
    """
    loss = losses.loss_s
    allowed = gap_s + _ROUNDING * losses.scale_s
    beyond = np.inf
    if losses.others_s <= allowed:
        beyond = allowed = losses.others_s
    if (loss <= allowed).sum() > most:
        beyond = allowed = float(np.partition(loss, most, axis=None)[most])
    item, rank = np.nonzero(loss <= allowed)
    return Candidates(item, losses.number[item, rank], losses.saving_s[item, rank], beyond)


def close_sets(
    instance: Instance,
    clients: Clients,
    chosen: Candidates,
    known: BoolArray,
    limits: Limits,
    seed: int,
) -> Closed:
    """Choose one candidate for each expert that has any, within the capacities."""
    item, number = chosen.item, chosen.number
    columns, items = len(item), instance.items
    index = np.arange(columns)
    one = sp.csr_array((np.ones(columns), (item, index)), shape=(items, columns))
    holds = members(number, instance.servers)
    rows, rooms, exact = [], [], True
    for n, capacity in enumerate(instance.capacity_bytes.tolist()):
        weight, room, same = capacity_weights(instance.item_bytes, int(capacity))
        rows.append(holds[:, n] * weight[item])
        rooms.append(room)
        exact = exact and same
    linear = LinearModel(
        cost=-chosen.saving_s,
        offset=0.0,
        matrix=sp.vstack([one, sp.csr_array(np.array(rows).reshape(-1, columns))], format="csc"),
        row_lower=np.concatenate([one.sum(axis=1) > 0, np.full(len(rooms), -np.inf)]),
        row_upper=np.concatenate([np.ones(items), rooms]),
        lower=np.zeros(columns),
        upper=np.ones(columns),
        integer=np.ones(columns, dtype=np.bool_),
        exact=exact,
    )
    held = (1 << np.arange(instance.servers)) @ clients.lean(known)
    start = dict(enumerate((number == held[item]).astype(np.float64).tolist()))
    result = run_highs(linear, limits=limits, seed=seed, start=start, options=_OPTIONS)
    cached = None
    if result.values is not None:
        taken = np.flatnonzero(result.values > 0.5)
        best = np.zeros(items, dtype=np.int64)
        best[item[taken]] = number[taken]
        cached = members(best, instance.servers).T > 0.5
    return Closed(cached, _bound(result), result)


def fixed(
    values: FloatArray, sizes: IntArray, packed: Packed, gap_s: float
) -> tuple[BoolArray, BoolArray]:
    """Pairs that are open, and those that every better placement holds; [N, I] each.

    At the price of a byte, caching a pair or not loses against the continuous knapsack; where that
    is more than the gap and what the whole knapsack loses already, the pair is settled.

    Parameters
    ----------
    values : float array [N, I]
        Of the experts in the servers' knapsacks, at the prices of the bound.
    sizes : int array [I]
        Bytes of each expert.
    packed : Packed
        Of these values.
    gap_s : float
        Bound less the saving in hand.
    """
    net = values - packed.price[:, None] * sizes
    settled = np.abs(net) > (gap_s + packed.relaxed - packed.value)[:, None]
    return ~settled, settled & (net > 0)


def close_pairs(
    instance: Instance,
    terms: Terms,
    open_: BoolArray,
    held: BoolArray,
    known: BoolArray,
    limits: Limits,
    seed: int,
) -> Closed:
    """Solve the covering model over the open pairs."""
    model = coverage_program(instance, terms, free=open_, fixed=held)
    base = terms.saving_s(held)
    result = run_highs(
        model.linear, limits=limits, seed=seed, start=model.start(known), options=_OPTIONS
    )
    cached = None if result.values is None else model.placed(result.values, held)
    return Closed(cached, base + _bound(result), result)


def _bound(result: HighsResult) -> float:
    """Upper bound on the saving; nothing is better where nothing is feasible."""
    return -np.inf if result.stopped_by is StoppedBy.INFEASIBLE else -result.bound
