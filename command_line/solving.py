"""Commands about one instance: `solve`, `bound`, `evaluate`, `import solution`; `methods`."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..events import EventFile, ProgressLine, all_of
from ..guarantees import latency_factor
from ..method import Limits, Method
from ..problem.errors import InputError
from ..problem.evaluate import Evaluation, limitless_saving_s
from ..problem.evaluate import evaluate as value_of
from ..problem.files import STANDARD, check_writable
from ..problem.instance import Instance
from ..problem.instance_file import read_instance
from ..problem.quantities import bytes_of
from ..problem.solution import (
    SOLUTION_FILE,
    Solution,
    Status,
    StoppedBy,
    solution_bytes,
    write_solution,
)
from ..problem.summary import summary_of
from ..responses.saving_bound import saving_bound_s
from ..solver import a_priori, bound_of, find_method, method_names, with_bound
from ..solver import bound as bound_by
from ..solver import solve as run
from ..structure import Structure
from ..watch import Callback
from .output import print_beside, print_json, print_text, print_warnings
from .words import pairs, placement_in

#: Signals on which a run hands back what it has.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def solve(
    instance: str,
    method: str,
    time_limit: float,
    node_limit: int | None,
    gap: float,
    threads: int,
    seed: int,
    start: str | None,
    max_fetch: str | None,
    bound: str | None,
    option: list[str],
    output: str | None,
    names: bool,
    log: str | None,
    json: bool,
) -> int:
    """Solve an instance."""
    # Everything that can be wrong is looked at before the work begins.
    chosen = find_method(method)
    options = pairs(option, "option")
    chosen.options(options)
    if bound is not None:
        bound_of(find_method(bound))
    limits = Limits(time_limit, node_limit, gap, threads)
    if json and output == STANDARD:
        raise InputError("--json prints the solution already: leave --output - out")
    if output is not None:
        check_writable(output, SOLUTION_FILE)
        if log is not None and Path(log).resolve() == Path(output).resolve():
            raise InputError(f"{log}: cannot hold both the solution and the events")
    loaded = read_instance(instance)
    placement = None if start is None else placement_in(start, loaded)
    max_fetch_bytes = None
    if max_fetch is not None:
        max_fetch_bytes = bytes_of(max_fetch, int(loaded.item_bytes.sum()), "--max-fetch")
    with _watching(log, loaded.name, chosen.name) as callback:
        solution = run(
            loaded,
            chosen,
            limits=limits,
            seed=seed,
            options=options,
            start=placement,
            max_fetch_bytes=max_fetch_bytes,
            callback=callback,
            signals=_SIGNALS,
        )
    solution = _certified(loaded, chosen, solution, bound, limits)
    if names:
        solution = _with_names(loaded, solution)
    if output is not None:
        write_solution(solution, output)
    summary = summary_of(loaded)
    lines = [*summary.lines(), solution.summary()]
    if json:
        print_text(solution_bytes(solution).decode().rstrip())
    else:
        print_beside(output, "\n".join(lines))
    print_warnings(summary)
    return 3 if solution.status is Status.NONE else 0


@contextlib.contextmanager
def _watching(log: str | None, instance: str, method: str) -> Iterator[Callback]:
    """Show events on the terminal, and write them to a file where one is wanted."""
    with contextlib.ExitStack() as stack:
        callbacks: list[Callback] = [stack.enter_context(ProgressLine())]
        if log is not None:
            callbacks.append(stack.enter_context(EventFile(log, instance, method)))
        yield all_of(callbacks)


def _certified(
    instance: Instance, method: Method, solution: Solution, bound: str | None, limits: Limits
) -> Solution:
    """Add what is proven in advance, and a bound where one is wanted or costs little."""
    # Who interrupts a run wants what there is.
    if solution.stopped_by is not StoppedBy.INTERRUPTED:
        solution = _bounded(instance, solution, bound, limits)
    promise, factor = a_priori(solution, Structure(instance), method), None
    if promise.ratio > 0:
        most_s = solution.bound_saving_s
        most_s = limitless_saving_s(instance) if most_s is None else most_s
        factor = latency_factor(promise.ratio, solution.latency_empty_s, most_s)
    told = promise._asdict() | {"latency_factor": factor}
    return msgspec.structs.replace(solution, meta=solution.meta | {"guarantee": told})


def _bounded(instance: Instance, solution: Solution, bound: str | None, limits: Limits) -> Solution:
    """Add the bound of a method, or with K = 1 that of the placement where there is none."""
    if bound is not None:
        found = bound_by(instance, bound, limits=limits, signals=_SIGNALS)
        assert found.bound_saving_s is not None
        return with_bound(instance, solution, found.bound_saving_s)
    if instance.top_k == 1 and solution.placement is not None and solution.bound_saving_s is None:
        return with_bound(instance, solution, saving_bound_s(instance, solution.placement))
    return solution


def import_solution(instance: str, file: str, output: str) -> int:
    """Read a solution of an exported model that another solver has found."""
    from ..formulations.import_solution import import_solution as read

    check_writable(output, SOLUTION_FILE)
    solution = read(read_instance(instance), file)
    write_solution(solution, output)
    print_text(solution.summary())
    return 0


def _with_names(instance: Instance, solution: Solution) -> Solution:
    """Add the rows of the placement by the names of servers and models."""
    rows = solution.to_dict()["placement"]
    named = [
        [instance.server_names[server], instance.models[model].name, layer, expert]
        for server, model, layer, expert in rows
    ]
    meta = solution.meta | {"placement_names": named}
    return msgspec.structs.replace(solution, meta=meta)


def methods() -> int:
    """List the methods with their options."""
    tuned: dict[type, tuple[Any, list[str]]] = {}
    for name in method_names():
        try:
            method = find_method(name)
        except InputError as error:
            # Somebody's package is broken: the others can be used all the same.
            print_text(f"{name:<18} {error}")
            continue
        print_text(f"{name:<18} {method.summary}")
        for option, default in method.option_defaults().items():
            print_text(f"{'':<18}   --option {option}={default}")
        if (tuning := method.tuning()) is not None:
            tuned.setdefault(type(tuning), (tuning, []))[1].append(name)
    # Methods may have them in common: once for all.
    for kind, (tuning, names) in tuned.items():
        print_text(f"\nand of {', '.join(names)} (see {kind.__module__}):")
        for option, default in dataclasses.asdict(tuning).items():
            text = ",".join(map(str, default)) if isinstance(default, tuple) else default
            print_text(f"  --option {option}={text}")
    return 0


def evaluate(instance: str, solution: str, json: bool) -> int:
    """Value and feasibility of a solution, by the evaluator alone."""
    loaded = read_instance(instance)
    value = value_of(loaded, placement_in(solution, loaded, feasible=False))
    result = {
        "instance": loaded.name,
        "feasible": value.feasible,
        "latency_s": value.latency_s,
        "latency_empty_s": value.latency_empty_s,
        "saving_s": value.saving_s,
        "used_bytes": value.used_bytes.tolist(),
        "capacity_bytes": loaded.capacity_bytes.tolist(),
        "user_latency_s": value.user_latency_s.tolist(),
        "model_latency_s": value.model_latency_s.tolist(),
        "layer_latency_s": [layers.tolist() for layers in value.layer_latency_s],
    }
    _print_value(loaded, value, result, json)
    if not value.feasible:
        # A program may look at nothing but the exit status.
        raise InputError(f"{solution}: the placement exceeds a capacity")
    return 0


def _print_value(instance: Instance, value: Evaluation, result: dict[str, Any], json: bool) -> None:
    if json:
        print_json(result)
        return
    print_text(f"feasible             {'yes' if value.feasible else 'no'}")
    for name in ("latency_s", "latency_empty_s", "saving_s"):
        print_text(f"{name.removesuffix('_s').replace('_', ' '):<20} {result[name]:.9g} s")
    for n, (used, room) in enumerate(zip(value.used_bytes, instance.capacity_bytes, strict=True)):
        mark = "  EXCEEDED" if used > room else ""
        name = f"{instance.server_names[n]:<20.20}"
        print_text(f"{name} {used / 1e9:.4g} of {room / 1e9:.4g} GB{mark}")


def bound(
    instance: str, method: str, time_limit: float, threads: int, log: str | None, json: bool
) -> int:
    """Lower bound on the latency of every placement."""
    chosen = find_method(method)
    bound_of(chosen)
    limits = Limits(time_limit, threads=threads)
    loaded = read_instance(instance)
    with _watching(log, loaded.name, chosen.name) as callback:
        found = bound_by(loaded, chosen, limits=limits, callback=callback, signals=_SIGNALS)
    complete = found.stopped_by is StoppedBy.PROOF
    result = {
        "method": found.method,
        "bound_latency_s": found.bound_latency_s,
        "status": "complete" if complete else "feasible",
        "stopped_by": found.stopped_by,
        "seconds": found.seconds,
        **found.meta,
    }
    if json:
        print_json(result)
        return 0
    print_text(f"lower bound on latency  {found.bound_latency_s:.9g} s")
    print_text(f"status                  {result['status']} (stopped by: {found.stopped_by})")
    if pricing := found.meta.get("pricing"):
        layers = ", ".join(f"{count} {name}" for name, count in pricing.items())
        print_text(f"layers                  {layers}")
    print_text(f"time                    {found.seconds:.3g} s")
    return 0
