"""The one place where methods are looked up, run and checked by the evaluator."""

from __future__ import annotations

import dataclasses
import math
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from .guarantees import Guarantee, no_guarantee
from .method import Limits, Method, Outcome
from .problem.errors import InputError, UnsupportedError
from .problem.evaluate import evaluate, latency_empty_s, limitless_saving_s
from .problem.fetch import FetchLimit
from .problem.instance import Instance
from .problem.placement import Placement
from .problem.sizes import MAX_BYTES, check_seed
from .problem.solution import ROUNDING, Solution, Status, StoppedBy, closes, latency_gap
from .structure import Structure
from .version import __version__
from .watch import Callback, Watch, stopped_by_signals

#: Signals on which a run hands back what it has.
_SIGNALS = (signal.SIGINT,)

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
    "expert-parallel": "expert_parallelism.expert_parallel",
    "eplb": "expert_parallelism.eplb",
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

    A package adds a method by an entry point of the group `ENTRY_POINTS` that leads to a `Method`;
    ``package.module:NAME`` leads to one that nobody has registered.

    Raises
    ------
    InputError
        If the name is unknown, the message lists the known ones; or a package's method cannot be
        loaded.
    """
    if name in METHODS:
        method = import_module(f".{METHODS[name]}", __package__).METHOD
        assert isinstance(method, Method)
        return method
    if found := tuple(entry_points(group=ENTRY_POINTS, name=name)):
        method = _loaded(found[0])
        if method.name != name:
            raise InputError(
                f"method {name}: {found[0].value} calls itself {method.name!r}; entry point and "
                "method need the same name"
            )
        return method
    if re.fullmatch(r"[\w.]+:[\w.]+", name):
        return _loaded(EntryPoint(name, name, ENTRY_POINTS))
    raise InputError(
        f"unknown method {name!r}, known: {', '.join(method_names())}; package.module:NAME for one "
        "of your own"
    )


def _loaded(entry: EntryPoint) -> Method:
    """Method that an entry point leads to."""
    where = entry.value if entry.value == entry.name else f"{entry.name}: {entry.value}"
    try:
        method = entry.load()
    except Exception as error:  # whatever somebody's package does
        raise InputError(f"method {where}: {error}") from None
    if not isinstance(method, Method):
        raise InputError(f"method {where} is no expertcache.Method")
    return method


def solve(
    instance: Instance,
    method: str | Method = "exact",
    *,
    limits: Limits | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    start: Placement | None = None,
    max_fetch_bytes: int | None = None,
    callback: Callback | None = None,
    signals: Sequence[signal.Signals] = _SIGNALS,
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
    max_fetch_bytes : int, optional
        What each server may fetch at most, of experts that it does not hold in the start. What is
        best, and bounds and gaps, are then those of the placements within this limit.
    callback : callable, optional
        Called with an `Event` for every better placement or bound; the run ends early when it
        answers True.
    signals : sequence of signal
        The first of these ends the run early, with the best placement so far; a second one does
        what it did before the run. By default an interrupt from the keyboard.

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
    check_seed(seed)
    if reason := chosen.unsupported(instance):
        raise UnsupportedError(f"{chosen.name}: {reason}")
    arguments: dict[str, Any] = {"seed": seed, **converted}
    if start is not None:
        if "start" not in chosen.parameters():
            raise InputError(f"{chosen.name} takes no start")
        if not evaluate(instance, start).feasible:
            raise InputError("start: the placement exceeds a capacity")
        arguments["start"] = start
    fetch = None
    if max_fetch_bytes is not None:
        fetch = _fetch_limit(instance, chosen, start, max_fetch_bytes)
        arguments["fetch"] = fetch
    run = _Run(instance, chosen, limits or Limits(), callback, fetch)
    return run.solution(chosen.run, arguments, dict(options or {}), signals)


def _fetch_limit(
    instance: Instance, method: Method, start: Placement | None, max_bytes: int
) -> FetchLimit:
    if start is None:
        raise InputError("max fetch: needs a start, which says what the servers hold")
    if not 0 <= max_bytes <= MAX_BYTES:
        raise InputError(f"max fetch: must be between 0 and {MAX_BYTES} bytes, got {max_bytes}")
    if "fetch" not in method.parameters():
        known = [name for name in METHODS if "fetch" in find_method(name).parameters()]
        raise UnsupportedError(
            f"{method.name} takes no limit on what is fetched; these do: {', '.join(known)}"
        )
    return FetchLimit.after(instance, start, max_bytes)


def bound(
    instance: Instance,
    method: str | Method = "lp",
    *,
    limits: Limits | None = None,
    callback: Callback | None = None,
    signals: Sequence[signal.Signals] = _SIGNALS,
) -> Solution:
    """Bound the latency of every placement from below.

    Parameters
    ----------
    instance : Instance
    method : str or Method
        One that has a bound of its own: ``lp``, ``decomposition``, ``configuration``.
    limits : Limits, optional
        Time, and threads: for ``decomposition`` the number of processes.
    callback, signals
        See `solve`.

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
    run = _Run(instance, chosen, limits or Limits(), callback)
    return run.solution(bound_of(chosen), {}, {}, signals)


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


def with_bound(instance: Instance, solution: Solution, bound_saving_s: float) -> Solution:
    """Add a bound from elsewhere, where it is better than the solution's own.

    Parameters
    ----------
    instance : Instance
    solution : Solution
        Of the instance.
    bound_saving_s : float
        No placement saves more.

    Returns
    -------
    Solution
        With its gap; `Status.OPTIMAL` if the bound is as good as the placement.
    """
    known = [b for b in (solution.bound_saving_s, bound_saving_s) if b is not None]
    return _judged(solution, min(known), limitless_saving_s(instance))


def a_priori(solution: Solution, structure: Structure, method: Method | None = None) -> Guarantee:
    """Look up what is proven about a method's solution by its theorem alone.

    Parameters
    ----------
    solution : Solution
    structure : Structure
        Of its instance; may be shared by many solutions.
    method : Method, optional
        That made it; by default the one whose name the solution has.
    """
    if solution.status is Status.NONE:
        return no_guarantee("no placement")
    if solution.status is Status.OPTIMAL:
        return Guarantee(1.0, "proved optimal")
    if "max_fetch_bytes" in solution.meta:
        return no_guarantee("what servers may fetch is limited")
    return (method or find_method(solution.method)).guarantee(structure, solution)


class _Run:
    """One run of a method, and what is made of its outcome."""

    def __init__(
        self,
        instance: Instance,
        method: Method,
        limits: Limits,
        callback: Callback | None,
        fetch: FetchLimit | None = None,
    ) -> None:
        self._instance, self._method, self._fetch = instance, method, fetch
        self._empty_s = latency_empty_s(instance)
        self._limitless_s = limitless_saving_s(instance)
        self._watch = Watch(self._empty_s, self._limitless_s, callback, limits.watch)
        self._limits = dataclasses.replace(limits, watch=self._watch)

    def solution(
        self,
        run: Callable[..., Outcome],
        arguments: Mapping[str, Any],
        options: dict[str, Any],
        signals: Sequence[signal.Signals],
    ) -> Solution:
        began = time.perf_counter()
        with stopped_by_signals(self._watch, signals):
            outcome = run(self._instance, limits=self._limits, **arguments)
        seconds = time.perf_counter() - began
        stopped_by = StoppedBy(outcome.stopped_by)
        if self._watch.stopped and stopped_by is StoppedBy.TIME:
            stopped_by = StoppedBy.INTERRUPTED
        solution = self._checked(outcome, stopped_by)
        solution = msgspec.structs.replace(solution, options=options, seconds=seconds)
        if self._method.uses_seed and "seed" in arguments:
            solution = msgspec.structs.replace(solution, seed=arguments["seed"])
        solution = _judged(solution, self._bound(outcome), self._limitless_s)
        if solution.saving_s is not None:
            self._watch.tell(saving_s=solution.saving_s)
        if solution.bound_saving_s is not None:
            self._watch.tell(bound_saving_s=solution.bound_saving_s)
        return solution

    def _checked(self, outcome: Outcome, stopped_by: StoppedBy) -> Solution:
        """What the evaluator says of the placement."""
        placement = outcome.placement
        meta = {
            **outcome.meta,
            "instance_sha256": self._instance.sha256,
            "expertcache_version": __version__,
        }
        value = None if placement is None else evaluate(self._instance, placement)
        wrong = None
        if value is not None and not value.feasible:
            wrong = "exceeds a capacity"
        elif placement is not None and self._fetch is not None:
            cached = placement.cached(self._instance)
            fetched = self._fetch.fetched_bytes(self._instance, cached)
            meta["max_fetch_bytes"] = self._fetch.max_bytes
            meta["fetched_bytes"] = fetched.tolist()
            if (fetched > self._fetch.max_bytes).any():
                wrong = "fetches too much"
        if wrong is not None:
            meta["error"] = f"the method returned a placement that {wrong}"
            placement = value = None
            stopped_by = StoppedBy.ERROR
        return Solution(
            instance=self._instance.name,
            method=self._method.name,
            status=Status.NONE if value is None else Status.FEASIBLE,
            stopped_by=stopped_by,
            latency_s=None if value is None else value.latency_s,
            latency_empty_s=self._empty_s,
            saving_s=None if value is None else value.saving_s,
            seconds=0.0,
            placement=placement,
            meta=meta,
        )

    def _bound(self, outcome: Outcome) -> float | None:
        """Upper bound on the saving."""
        known = [] if outcome.bound_saving_s is None else [outcome.bound_saving_s]
        if outcome.bound_latency_s is not None:
            # Room for the rounding of the difference.
            known.append(self._empty_s - outcome.bound_latency_s + 4e-16 * self._empty_s)
        return min(known, default=None)


def _judged(solution: Solution, bound_saving_s: float | None, limitless: float) -> Solution:
    """Add a bound on the saving, if it can be true, and say what it proves."""
    saving, latency, empty = solution.saving_s, solution.latency_s, solution.latency_empty_s
    status, stopped_by, error = solution.status, solution.stopped_by, None
    if bound_saving_s is not None and math.isnan(bound_saving_s):
        error, bound_saving_s = "the bound is not a number", None
    if bound_saving_s == math.inf:
        bound_saving_s = None
    if bound_saving_s is not None and saving is not None:
        if bound_saving_s < saving - ROUNDING * limitless - 1e-15 * empty:
            error = "the bound says that less can be saved than the placement does"
            bound_saving_s = None
        else:
            bound_saving_s = max(bound_saving_s, saving)
            if stopped_by is not StoppedBy.ERROR and closes(saving, bound_saving_s, limitless):
                status, stopped_by = Status.OPTIMAL, StoppedBy.PROOF
    if stopped_by is StoppedBy.PROOF and status is Status.FEASIBLE and error is None:
        error = "the proof does not agree with the evaluator"
    meta = solution.meta
    if error is not None:
        status = Status.NONE if saving is None else Status.FEASIBLE
        stopped_by, meta = StoppedBy.ERROR, meta | {"error": error}
    bound = None
    if bound_saving_s is not None:
        bound_saving_s = max(min(bound_saving_s, limitless), saving or 0.0)
        bound = max(0.0, empty - bound_saving_s)
        bound = bound if latency is None else min(bound, latency)
        meta = meta | {"bound_saving_s": bound_saving_s}
    return msgspec.structs.replace(
        solution,
        status=status,
        stopped_by=stopped_by,
        bound_latency_s=bound,
        gap=latency_gap(latency, bound),
        meta=meta,
    )
