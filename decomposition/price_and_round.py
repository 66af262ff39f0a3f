"""Method `decomposition`: columns of the layer decomposition, put together."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..guarantees import Guarantee, best_of
from ..heuristics.successive import InTurn, in_turn
from ..heuristics.successive import guarantee as in_turn_guarantee
from ..method import Limits, Method, Outcome
from ..problem.instance import BoolArray, Instance
from ..problem.layers import split_layers
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..problem.terms import coverage_terms
from ..structure import Structure
from .dual import Dual
from .dual_bound import dual_bound
from .incumbent import Incumbent
from .large_layers import LargeLayers
from .master import RestrictedMaster
from .parameters import DEFAULTS, Parameters
from .pool import LayerPool
from .small_layers import SmallLayers
from .steps import Solve


def price_and_round(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    parameters: Parameters = DEFAULTS,
) -> Outcome:
    """Bound by layer decomposition, and choose among the columns that it meets.

    After every round of the bound the restricted master problem is solved as an integer program
    over all columns known so far, and the result improved by best responses of single servers. Once
    the bound is done, placements that lose little against it are enumerated, until the best one is
    proved or their time is over. Then parts of the layers are solved on their own with the capacity
    that the others leave (dives). That is `SmallLayers`; `LargeLayers` are those that cannot be
    enumerated. Never worse than the start, by default `successive` as far as it gets in its share
    of the time.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Threads are processes. A gap counts against the method's own bound.
    seed : int
        Of the local search where layers are too large to enumerate.
    start : Placement, optional
    parameters : Parameters

    Returns
    -------
    Outcome
        Its ``meta`` has the number of columns, how many layers were bounded in which way, what the
        master's optimum rounded down is worth at least (``rounded_down``, see `RoundedDown`), and,
        if a gap was left and the enumeration proved nothing, ``no_enumeration``: why. If one of
        several processes has died, what there was by then, and ``error``.
    """
    deadline = limits.deadline()
    if start is None:
        part = deadline.part(parameters.start_share)
        first = in_turn(instance, range(instance.servers), part)
    else:
        first = InTurn(start.cached(instance), None)
    terms = coverage_terms(instance)
    layers = split_layers(instance, terms)
    meta: dict[str, Any] = {"server_share": first.share}
    with LayerPool(layers, limits, parameters) as pool:
        dual = Dual(RestrictedMaster(instance, layers), pool)
        incumbent = Incumbent(instance, terms, first.cached, dual, limits)
        common = (instance, dual, incumbent, limits, deadline, _with_fewer_steps(parameters))
        meta |= LargeLayers(*common).run(seed) if pool.large else SmallLayers(*common).run()
    if (down := dual.master.rounded_down()) is not None:
        incumbent.take(down.cached)
        meta["rounded_down"] = down.told()
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    if incumbent.closed():
        stopped_by = StoppedBy.GAP if limits.gap > 0 else StoppedBy.FINISHED
    elif pool.error is not None:
        stopped_by, meta["error"] = StoppedBy.ERROR, pool.error
    return Outcome(
        Placement.of(instance, incumbent.best),
        stopped_by,
        meta=meta | {"columns": len(dual.master), "pricing": dual.pricing},
        bound_saving_s=incumbent.bound_s,
    )


def _with_fewer_steps(parameters: Parameters) -> Solve:
    """Return the same method for smaller instances."""
    fewer = dataclasses.replace(parameters, blocks=(), dives=parameters.dives[:1])

    def solve(smaller: Instance, limits: Limits) -> BoolArray:
        found = price_and_round(smaller, limits=limits, seed=0, parameters=fewer).placement
        assert found is not None
        return found.cached(smaller)

    return solve


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """That of `successive`, or what the master rounded down keeps of the bound.

    Of the layers at most as many are fractional in a basic optimum as capacities bind; without
    them, the others' columns are a placement (docs/guarantees.md).
    """
    known = in_turn_guarantee(structure, solution)
    down, bound_s = solution.meta.get("rounded_down"), solution.bound_saving_s
    if down is None or bound_s is None or bound_s <= 0:
        return known
    because = f"master of {down['layers']} layers, at most {down['binding']} of them rounded down"
    return best_of(known, Guarantee(min(1.0, down["least_saving_s"] / bound_s), because))


METHOD = Method(
    "decomposition", "columns of the layer decomposition, with its bound (any K)", price_and_round,
    uses_seed=True, guarantee=guarantee, bound=dual_bound,
)  # fmt: skip
