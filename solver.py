"""The one place where methods are looked up, run and checked by the evaluator."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import msgspec

from .guarantees import Facts, Guarantee, no_guarantee
from .method import Limits, Method, Outcome
from .problem.errors import InputError, UnsupportedError
from .problem.evaluate import evaluate, latency_empty_s
from .problem.instance import Instance
from .problem.placement import Placement
from .problem.solution import Solution, Status, StoppedBy, closes, latency_gap

#: Where installed packages name methods of their own.
ENTRY_POINTS = "expertcache.methods"

#: Module of each method of ours; imported only when it is used.
METHODS = {
    "milp": "formulations.milp",
    "exact": "decomposition.exact",
    "greedy": "heuristics.greedy",
    "enumeration-greedy": "heuristics.enumeration_greedy",
    "pipage": "heuristics.pipage",
    "configuration": "configuration.configuration",
    "successive": "heuristics.successive",
    "max-convolution": "heuristics.max_convolution",
    "ascent": "heuristics.ascent",
    "local-search": "heuristics.local_search",
    "decomposition": "decomposition.price_and_round",
    "popularity": "heuristics.popularity",
    "random": "heuristics.random",
    "cloud-only": "heuristics.cloud_only",
    "lp": "formulations.lp_bound",
}


def method_names() -> tuple[str, ...]:
    """Names of all methods: ours, then those of installed packages."""
    installed = sorted(entry_points(group=ENTRY_POINTS).names - METHODS.keys())
    return (*METHODS, *installed)


def find_method(name: str) -> Method:
    """Look a method up by its name, one of `method_names`.

    A package adds a method by an entry point of the group `ENTRY_POINTS` that leads to a `Method`.

    Raises
    ------
    InputError
        If the name is unknown, the message lists the known ones; or a package's method cannot be
        loaded.
    """
    if name in METHODS:
        method = import_module(f".{METHODS[name]}", __package__).METHOD
    elif found := tuple(entry_points(group=ENTRY_POINTS, name=name)):
        try:
            method = found[0].load()
        except (ImportError, AttributeError) as error:
            raise InputError(f"method {name}: {found[0].value}: {error}") from None
        if not isinstance(method, Method):
            raise InputError(f"method {name}: {found[0].value} is no expertcache.Method")
    else:
        raise InputError(f"unknown method {name!r}, known: {', '.join(method_names())}")
    assert isinstance(method, Method)
    return method


def solve(
    instance: Instance,
    method: str | Method = "exact",
    *,
    limits: Limits | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    start: Placement | None = None,
    progress: bool = False,
) -> Solution:
    """Solve an instance.

    Parameters
    ----------
    instance : Instance
    method : str or Method
        A name of `method_names`, or a method of your own.
    limits : Limits, optional
    seed : int
    options : mapping, optional
        The method's own options.
    start : Placement, optional
        Where a method that improves placements begins; must be feasible.
    progress : bool
        Show progress on stderr if that is a terminal.

    Returns
    -------
    Solution
        Its values come from the evaluator, never from the method.

    Raises
    ------
    InputError
        If the method, an option or the start is unknown or unusable.
    UnsupportedError
        If the method cannot treat the instance.
    """
    chosen = find_method(method) if isinstance(method, str) else method
    converted = chosen.options(options or {})
    if not 0 <= seed < 2**31:
        raise InputError(f"seed: must be between 0 and 2**31 - 1, got {seed}")
    if reason := chosen.unsupported(instance):
        raise UnsupportedError(f"{chosen.name}: {reason}")
    arguments: dict[str, Any] = {"limits": limits or Limits(), "seed": seed, **converted}
    if start is not None:
        if "start" not in chosen.parameters():
            raise InputError(f"{chosen.name} takes no start")
        if not evaluate(instance, start).feasible:
            raise InputError("start: the placement exceeds a capacity")
        arguments["start"] = start
    if "progress" in chosen.parameters():
        arguments["progress"] = progress
    began = time.perf_counter()
    outcome = chosen.run(instance, **arguments)
    seconds = time.perf_counter() - began
    return _solution(instance, chosen, outcome, dict(options or {}), seed, seconds)


def bound(
    instance: Instance,
    method: str | Method = "lp",
    *,
    limits: Limits | None = None,
    progress: bool = False,
) -> Solution:
    """Bound the latency of every placement from below.

    Parameters
    ----------
    instance : Instance
    method : str or Method
        One that has a bound of its own: ``lp``, ``decomposition``, ``configuration``.
    limits : Limits, optional
        Time, and threads: for ``decomposition`` the number of processes.
    progress : bool
        Show progress on stderr if that is a terminal.

    Returns
    -------
    Solution
        Without a placement. ``stopped_by`` is `StoppedBy.PROOF` where the bounding problem was
        solved to its end; a bound from where it stopped is valid, too.

    Raises
    ------
    InputError
        If the method is unknown or has no bound.
    UnsupportedError
        If the method cannot treat the instance.
    """
    chosen = find_method(method) if isinstance(method, str) else method
    run = bound_of(chosen)
    arguments: dict[str, Any] = {"limits": limits or Limits()}
    if "progress" in inspect.signature(run).parameters:
        arguments["progress"] = progress
    began = time.perf_counter()
    outcome = run(instance, **arguments)
    return _solution(instance, chosen, outcome, {}, 0, time.perf_counter() - began)


def bound_of(method: Method) -> Callable[..., Outcome]:
    """Return a method's bound.

    Raises
    ------
    InputError
        If it has none; the message lists the methods that have one.
    """
    if method.bound is None:
        known = [name for name in METHODS if find_method(name).bound is not None]
        raise InputError(f"{method.name} has no bound of its own; these have: {', '.join(known)}")
    return method.bound


def with_bound(solution: Solution, bound_latency_s: float) -> Solution:
    """Add a lower bound from elsewhere, where it is better than the solution's own.

    Parameters
    ----------
    solution : Solution
    bound_latency_s : float
        No placement has a smaller latency.

    Returns
    -------
    Solution
        With its gap; `Status.OPTIMAL` if the bound is as good as the placement.
    """
    latency, empty = solution.latency_s, solution.latency_empty_s
    known = [b for b in (solution.bound_latency_s, bound_latency_s) if b is not None]
    bound = max(known)
    status = solution.status
    if latency is not None:
        if closes(latency, bound, empty):
            status = Status.OPTIMAL
        bound = min(bound, latency)
    return msgspec.structs.replace(
        solution, status=status, bound_latency_s=bound, gap=latency_gap(latency, bound)
    )


def a_priori(solution: Solution, facts: Facts) -> Guarantee:
    """Look up what is proven about a method's solution by its theorem alone.

    Parameters
    ----------
    solution : Solution
        Of one of `METHODS`.
    facts : Facts
        Of its instance; may be shared by many solutions.
    """
    if solution.status is Status.NONE:
        return no_guarantee("no placement")
    if solution.status is Status.OPTIMAL:
        return Guarantee(1.0, "proved optimal")
    return find_method(solution.method).guarantee(facts, solution)


def _solution(
    instance: Instance,
    method: Method,
    outcome: Outcome,
    options: dict[str, Any],
    seed: int,
    seconds: float,
) -> Solution:
    empty = latency_empty_s(instance)
    placement, stopped_by = outcome.placement, outcome.stopped_by
    meta = dict(outcome.meta)
    latency = saving = None
    if placement is not None:
        value = evaluate(instance, placement)
        if value.feasible:
            latency, saving = value.latency_s, value.saving_s
        else:
            meta["error"] = "the method returned a placement that exceeds a capacity"
            placement, stopped_by = None, StoppedBy.ERROR
    bound = outcome.bound_latency_s
    if bound is not None and latency is not None:
        # A valid bound is never above a placement's latency, beyond rounding.
        bound = min(bound, latency)
    status = Status.NONE if placement is None else Status.FEASIBLE
    if status is Status.FEASIBLE and stopped_by in (StoppedBy.PROOF, StoppedBy.FINISHED):
        assert latency is not None
        if bound is not None and closes(latency, bound, empty):
            status, stopped_by = Status.OPTIMAL, StoppedBy.PROOF
        elif stopped_by is StoppedBy.PROOF:
            stopped_by = StoppedBy.ERROR
            meta["error"] = "the proof does not agree with the evaluator"
    return Solution(
        instance=instance.name,
        method=method.name,
        options=options,
        seed=seed if method.uses_seed else None,
        status=status,
        stopped_by=stopped_by,
        latency_s=latency,
        latency_empty_s=empty,
        saving_s=saving,
        bound_latency_s=bound,
        gap=latency_gap(latency, bound),
        seconds=seconds,
        placement=placement,
        meta=meta,
    )
