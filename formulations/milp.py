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
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement, within_capacities
from ..problem.solution import StoppedBy
from .assignment import assignment_model
from .compiled import compiled
from .coverage import coverage_model
from .threshold import threshold_model

Formulation = Literal["coverage", "threshold", "assignment"]

FORMULATIONS: dict[Formulation, Callable[..., pyo.ConcreteModel]] = {
    "coverage": coverage_model,
    "threshold": threshold_model,
    "assignment": assignment_model,
}


def milp(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    formulation: Formulation = "coverage",
    shared: bool = True,
    partners: bool = True,
    profiles: bool = True,
    climbs: int = 16,
    presolve: bool = False,
    effort: float = 0.0,
    reliable: int = 1,
    start: Placement | None = None,
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
    shared, partners, profiles : bool
        Of `coverage_model`; the other formulations do not have them.
    climbs : int
        Server orders of `ascent`, whose placement HiGHS begins with where no start is given; with
        K = 1 that of `greedy`, which is as good and quicker. 0 for none.
    presolve : bool
        HiGHS' presolve, which finds next to nothing to remove here.
    effort : float
        Share of the work that HiGHS may spend on its own heuristics, 0 to 1.
    reliable : int
        Tries of strong branching on a variable before HiGHS trusts its pseudocost (Achterberg,
        Koch, Martin 2005, doi:10.1016/j.orl.2004.04.002). They take most of the time where it is 8,
        HiGHS' own default.
    start : Placement, optional
        A feasible placement for HiGHS to begin with.

    Returns
    -------
    Outcome
        Its ``meta`` has the sizes of the model, the nodes, and the seconds of each step.
    """
    if not 0 <= effort <= 1:
        raise InputError(f"milp: option effort: must be 0 to 1, got {effort}")
    if not 0 <= climbs <= 1000:
        raise InputError(f"milp: option climbs: must be 0 to 1000, got {climbs}")
    if not 0 <= reliable < 2**31:
        raise InputError(f"milp: option reliable: must be >= 0, got {reliable}")
    rows = {"shared": shared, "partners": partners, "profiles": profiles}
    began = time.perf_counter()
    deadline = limits.deadline()
    # Pyomo makes many small objects that live on; looking for garbage among them takes two thirds
    # of the time.
    with PauseGC():
        model = FORMULATIONS[formulation](instance, **(rows if formulation == "coverage" else {}))
        built = time.perf_counter()
        linear, columns = compiled(model)
    handed = time.perf_counter()
    item_of = {id(variable): (n, instance.item(*rest)) for (n, *rest), variable in model.x.items()}
    placed = [item_of.get(id(column)) for column in columns]
    meta = {
        "formulation": formulation,
        "columns": len(columns),
        "rows": len(linear.row_lower),
        "build_seconds": built - began,
        "hand_over_seconds": handed - built,
    }
    if deadline.passed():
        return Outcome(start, StoppedBy.TIME, meta=meta)
    if start is None and climbs:
        left = Limits(time_s=deadline.remaining_s())
        if instance.top_k == 1:
            # HiGHS has found the optimum before climbs are done.
            start = greedy(instance, limits=left, seed=seed).placement
        else:
            start = ascent(instance, limits=left, seed=seed, orders=climbs).placement
        meta["start_seconds"] = time.perf_counter() - handed
    result = run_highs(
        linear,
        limits=dataclasses.replace(limits, time_s=deadline.remaining_s()),
        seed=seed,
        start=None if start is None else _column_values(placed, start.cached(instance)),
        options={
            "presolve": "choose" if presolve else "off",
            "mip_heuristic_effort": effort,
            "mip_pscost_minreliable": reliable,
        },
    )
    stopped_by = result.stopped_by
    if stopped_by is StoppedBy.PROOF and limits.gap > 0:
        # HiGHS calls any allowed gap optimal.
        stopped_by = StoppedBy.GAP
    placement = start
    if result.values is not None:
        cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
        for pair, value in zip(placed, result.values, strict=True):
            if pair is not None:
                cached[pair] = value > 0.5
        placement = Placement.of(instance, within_capacities(instance, cached))
    return Outcome(
        placement,
        stopped_by,
        max(result.bound, 0.0),
        meta | {"nodes": result.nodes, "solver_seconds": result.seconds},
    )


def _column_values(placed: list[tuple[int, int] | None], cached: BoolArray) -> dict[int, float]:
    """Values of the placement columns."""
    return {k: float(cached[pair]) for k, pair in enumerate(placed) if pair is not None}


METHOD = Method("milp", "exact model, solved by HiGHS", milp, uses_seed=True)
