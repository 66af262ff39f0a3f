"""Method `milp`: an exact model, solved by HiGHS."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from ..heuristics.ascent import ascent
from ..heuristics.greedy import greedy
from ..linear.highs import run_highs
from ..method import Limits, Method, Outcome
from ..problem.errors import InputError
from ..problem.evaluate import evaluate, latency_empty_s
from ..problem.fetch import FetchLimit
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement, within_capacities
from ..problem.solution import StoppedBy, latency_gap
from .assignment import assignment_model
from .compiled import compiled
from .coverage import coverage_model
from .threshold import threshold_model

Formulation = Literal["coverage", "threshold", "assignment"]

#: Share of the time left in which the start is sought.
_START_SHARE = 0.3

FORMULATIONS: dict[Formulation, Callable[..., pyo.ConcreteModel]] = {
    "coverage": coverage_model,
    "threshold": threshold_model,
    "assignment": assignment_model,
}

#: What HiGHS does by itself takes more time here than it saves: docs/algorithms.md.
_TUNED = {"presolve": "off", "mip_heuristic_effort": 0.0, "mip_pscost_minreliable": 1}


def milp(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    formulation: Formulation = "coverage",
    partners: bool = True,
    profiles: bool = True,
    start_orders: int = 16,
    tuned: bool = True,
    start: Placement | None = None,
    fetch: FetchLimit | None = None,
) -> Outcome:
    """Solve an explicit mixed-integer model with HiGHS.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Time (building included), nodes, relative gap of the latency, threads.
    seed : int
        HiGHS' random seed.
    formulation : {"coverage", "threshold", "assignment"}
        All three have the same optimum; `coverage` is the smallest.
    partners, profiles : bool
        Of `coverage_model`; the other formulations do not have them.
    start_orders : int
        Where no start is given, HiGHS begins with the placement of `ascent` with so many server
        orders, with K = 1 with that of `greedy`; 0 for none.
    tuned : bool
        HiGHS without its presolve and its heuristics, and with one try of strong branching before
        it trusts a variable's pseudocost (Achterberg, Koch, Martin 2005,
        doi:10.1016/j.orl.2004.04.002) instead of 8; else with its own defaults.
    start : Placement, optional
        A feasible placement for HiGHS to begin with.
    fetch : FetchLimit, optional
        What servers may fetch; the start is within it.

    Returns
    -------
    Outcome
        Its ``meta`` has the sizes of the model, the nodes, and the seconds of each step.
    """
    if not 0 <= start_orders <= 1000:
        raise InputError(f"milp: option start_orders: must be 0 to 1000, got {start_orders}")
    began = time.perf_counter()
    deadline = limits.deadline()
    rows = {"partners": partners, "profiles": profiles} if formulation == "coverage" else {}
    if start is None and start_orders:
        until = deadline.part(_START_SHARE)
        part = dataclasses.replace(limits, time_s=until.remaining_s(), nodes=None)
        start = _start(instance, part, seed, start_orders)
    if start is not None:
        limits.watch.tell(evaluate(instance, start).saving_s)
    started = time.perf_counter()
    try:
        # Pyomo makes many small objects that live on; looking for garbage among them takes two
        # thirds of the time.
        with PauseGC():
            left = deadline.remaining_s()
            model = FORMULATIONS[formulation](instance, **rows, time_s=left, fetch=fetch)
            built = time.perf_counter()
            linear, columns = compiled(model)
    except TimeoutError:
        return Outcome(start, StoppedBy.TIME)
    handed = time.perf_counter()
    item_of = {id(variable): (n, instance.item(*rest)) for (n, *rest), variable in model.x.items()}
    placed = [item_of.get(id(column)) for column in columns]
    meta = {
        "formulation": formulation,
        "columns": len(columns),
        "rows": len(linear.row_lower),
        "start_seconds": started - began,
        "build_seconds": built - started,
        "hand_over_seconds": handed - built,
    }
    if deadline.passed():
        return Outcome(start, StoppedBy.TIME, meta=meta)
    # Without the constant, which would take the saving's last digits. What is left of the latency
    # without any cache is every cost that is paid in full.
    linear = dataclasses.replace(linear, offset=0.0)
    empty = float(linear.cost.clip(0.0).sum())
    total, within_gap = latency_empty_s(instance), False

    def tell(value: float, bound: float) -> bool:
        nonlocal within_gap
        limits.watch.tell(empty - value, empty - bound)
        gap = latency_gap(total - (empty - value), max(0.0, total - (empty - bound)))
        within_gap = limits.gap > 0 and gap is not None and gap <= limits.gap
        return within_gap

    result = run_highs(
        linear,
        # HiGHS' own gap is that of the saving.
        limits=dataclasses.replace(limits, time_s=deadline.remaining_s(), gap=0.0),
        seed=seed,
        start=None if start is None else _column_values(placed, start.cached(instance)),
        tell=tell,
        options=_TUNED if tuned else None,
    )
    stopped_by = result.stopped_by
    if within_gap and stopped_by is StoppedBy.TIME:
        stopped_by = StoppedBy.GAP
    placement = start
    if result.values is not None:
        cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
        for pair, value in zip(placed, result.values, strict=True):
            if pair is not None:
                cached[pair] = value > 0.5
        cached = within_capacities(instance, cached)
        placement = Placement.of(
            instance, cached if fetch is None else fetch.within(instance, cached)
        )
    return Outcome(
        placement,
        stopped_by,
        meta=meta | {"nodes": result.nodes, "solver_seconds": result.seconds},
        bound_saving_s=empty - result.bound,
    )


def _start(instance: Instance, limits: Limits, seed: int, orders: int) -> Placement | None:
    """A placement to begin with."""
    if instance.top_k == 1:
        # HiGHS has found the optimum before the ascents are done.
        return greedy(instance, limits=limits, seed=seed).placement
    return ascent(instance, limits=limits, seed=seed, orders=orders).placement


def _column_values(placed: list[tuple[int, int] | None], cached: BoolArray) -> dict[int, float]:
    """Values of the placement columns."""
    return {k: float(cached[pair]) for k, pair in enumerate(placed) if pair is not None}


METHOD = Method("milp", "exact model, solved by HiGHS", milp, uses_seed=True)
