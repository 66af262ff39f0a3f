"""What each command of the command line does."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..instances.scenario import Scenario
from ..problem.errors import InputError
from ..problem.files import check_writable, write_bytes
from ..problem.instance import Instance
from ..problem.instance_file import read_instance, write_instance
from ..problem.placement import Placement
from ..problem.solution import (
    Solution,
    Status,
    StoppedBy,
    read_solution,
    solution_bytes,
    write_solution,
)

if TYPE_CHECKING:
    from ..instances.trace_split import Part
    from ..method import Limits

#: Options of the command line and the scenario fields they set.
_FIELDS = {
    "layers": "layers",
    "experts": "experts",
    "top_k": "top_k",
    "precision": "precision",
    "servers": "servers",
    "users": "users",
    "capacity": "capacity",
    "local": "local",
    "radius": "radius_m",
    "area": "area_m",
    "skew": "skew",
    "coactivation": "coactivation",
    "user_concentration": "user_concentration",
    "sets": "max_sets",
    "tokens": "tokens",
}


def generate(
    model: list[str] | None, name: str | None, seed: int, output: str, **fields: Any
) -> int:
    """Make an instance from a scenario and a seed."""
    from ..instances.generate import generate as make

    check_writable(output)
    scenario = _scenario(tuple(model or ["mixtral-8x7b"]), fields)
    return _write(make(scenario, seed, name=name), output)


def import_trace(
    trace: str,
    sequences: str | None,
    model: str | None,
    sets: int | None,
    test_share: float | None,
    part: Part,
    sites: str,
    points: str,
    name: str | None,
    seed: int,
    output: str,
    **fields: Any,
) -> int:
    """Make an instance from a recorded trace."""
    from ..instances.trace import import_trace as build
    from ..instances.trace import matching_model, read_trace
    from ..instances.trace_split import split_trace

    check_writable(output)
    recorded = read_trace(trace, sequences)
    scenario = _scenario((model or matching_model(recorded),), fields)
    split = None
    if test_share is not None:
        recorded = split_trace(recorded, test_share, seed, part)
        split = {"test_share": test_share, "seed": seed, "part": part}
    instance = build(
        recorded,
        scenario,
        sites,
        points,
        seed=seed,
        max_sets=_at_least_one(sets, "sets"),
        source=Path(trace).name,
        name=name,
        split=split,
    )
    if sequences and not recorded.has_sequences:
        print(f"note: {trace} has no array 'sequence': all users follow it whole", file=sys.stderr)
    return _write(instance, output)


def import_popularity(
    counts: list[str],
    model: str | None,
    sites: str | None,
    points: str | None,
    name: str | None,
    seed: int,
    output: str,
    **fields: Any,
) -> int:
    """Make an instance from recorded counts of the experts' use."""
    from ..instances.popularity import import_popularity as build
    from ..instances.popularity import matching_popularity_model, read_popularity

    check_writable(output)
    tables = [read_popularity(path) for path in counts]
    scenario = _scenario((model or matching_popularity_model(tables[0]),), fields)
    names = [Path(path).name for path in counts]
    instance = build(tables, names, scenario, seed=seed, sites=sites, points=points, name=name)
    return _write(instance, output)


def import_sites(
    model: list[str] | None,
    sites: str,
    points: str,
    name: str | None,
    seed: int,
    output: str,
    **fields: Any,
) -> int:
    """Make an instance with recorded positions and generated requests."""
    from ..instances.sites import import_sites as build

    check_writable(output)
    scenario = _scenario(tuple(model or ["mixtral-8x7b"]), fields)
    return _write(build(scenario, sites, points, seed=seed, name=name), output)


def solve(
    instance: str,
    method: str,
    time_limit: float | None,
    node_limit: int | None,
    gap: float,
    threads: int,
    seed: int,
    start: str | None,
    bound: str | None,
    option: list[str],
    output: str | None,
    json: bool,
) -> int:
    """Solve an instance."""
    from ..method import Limits
    from ..solver import bound_of, find_method
    from ..solver import solve as run

    # Everything that can be wrong is looked at before the work begins.
    chosen = find_method(method)
    options = _pairs(option, "option")
    chosen.options(options)
    if bound is not None:
        bound_of(find_method(bound))
    limits = Limits(_seconds(time_limit), node_limit, gap, threads)
    if output is not None:
        check_writable(output)
    loaded = read_instance(instance)
    placement = None if start is None else _placement(loaded, start)[1]
    solution = run(
        loaded,
        chosen,
        limits=limits,
        seed=seed,
        options=options,
        start=placement,
        progress=True,
    )
    solution = _certified(loaded, solution, bound, limits)
    if output is not None:
        write_solution(solution, output)
    _print(solution_bytes(solution).decode().rstrip() if json else solution.summary())
    return 3 if solution.status is Status.NONE else 0


def _certified(
    instance: Instance, solution: Solution, bound: str | None, limits: Limits
) -> Solution:
    """Add what is proven in advance, and a bound where one is wanted."""
    from ..guarantees import Facts
    from ..solver import a_priori, with_bound
    from ..solver import bound as bound_by

    if bound is not None:
        found = bound_by(instance, bound, limits=limits).bound_latency_s
        assert found is not None
        solution = with_bound(solution, found)
    promise = a_priori(solution, Facts(instance))
    return msgspec.structs.replace(solution, meta=solution.meta | {"guarantee": promise._asdict()})


def methods() -> int:
    """List the methods with their options."""
    from ..solver import find_method, method_names

    tuned: dict[type, tuple[Any, list[str]]] = {}
    for name in method_names():
        try:
            method = find_method(name)
        except InputError as error:
            # Somebody's package is broken: the others can be used all the same.
            _print(f"{name:<18} {error}")
            continue
        _print(f"{name:<18} {method.summary}")
        for option, default in method.option_defaults().items():
            _print(f"{'':<18}   --option {option}={default}")
        if (tuning := method.tuning()) is not None:
            tuned.setdefault(type(tuning), (tuning, []))[1].append(name)
    # Methods may have them in common: once for all.
    for kind, (tuning, names) in tuned.items():
        _print(f"\nand of {', '.join(names)} (see {kind.__module__}):")
        for option, default in dataclasses.asdict(tuning).items():
            text = ",".join(map(str, default)) if isinstance(default, tuple) else default
            _print(f"  --option {option}={text}")
    return 0


def evaluate(instance: str, solution: str, json: bool) -> int:
    """Value and feasibility of a solution, by the evaluator alone."""
    from ..problem.evaluate import evaluate as value_of

    loaded = read_instance(instance)
    value = value_of(loaded, _placement(loaded, solution)[1])
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
    if json:
        _print_json(result)
        return 0
    _print(f"feasible             {'yes' if value.feasible else 'no'}")
    for name in ("latency_s", "latency_empty_s", "saving_s"):
        _print(f"{name.removesuffix('_s').replace('_', ' '):<20} {result[name]:.9g} s")
    for n, (used, room) in enumerate(zip(value.used_bytes, loaded.capacity_bytes, strict=True)):
        mark = "  EXCEEDED" if used > room else ""
        _print(f"{loaded.server_names[n]:<20.20} {used / 1e9:.4g} of {room / 1e9:.4g} GB{mark}")
    return 0


def bound(instance: str, method: str, time_limit: float | None, threads: int, json: bool) -> int:
    """Lower bound on the latency of every placement."""
    from ..method import Limits
    from ..solver import bound as bound_by
    from ..solver import bound_of, find_method

    chosen = find_method(method)
    bound_of(chosen)
    limits = Limits(_seconds(time_limit), threads=threads)
    found = bound_by(read_instance(instance), chosen, limits=limits, progress=True)
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
        _print_json(result)
        return 0
    _print(f"lower bound on latency  {found.bound_latency_s:.9g} s")
    _print(f"status                  {result['status']} (stopped by: {found.stopped_by})")
    if pricing := found.meta.get("pricing"):
        layers = ", ".join(f"{count} {name}" for name, count in pricing.items())
        _print(f"layers                  {layers}")
    _print(f"time                    {found.seconds:.3g} s")
    return 0


def study(
    instances: list[str],
    methods: str | None,
    seed: list[int] | None,
    time_limit: float | None,
    memory_limit: int | None,
    reference: str | None,
    set: list[str],  # noqa: A002
    sweep: list[str],
    instance_seed: list[int] | None,
    jobs: int,
    scheduler: str | None,
    output: str,
) -> int:
    """Run instances x methods x seeds; go on where an earlier run stopped."""
    from ..studies.study_file import read_study, study_of_words

    words: dict[str, Any] = {
        "methods": None if methods is None else _words(methods),
        "seeds": seed,
        "time_limit_s": time_limit,
        "memory_mb": memory_limit,
        "reference": reference,
        "scenario": [_pairs(set, "set")] if set or sweep else None,
        "sweep": {k: _words(v) for k, v in _pairs(sweep, "sweep").items()} or None,
        "instance_seeds": instance_seed,
    }
    given = {name: value for name, value in words.items() if value is not None}
    if len(instances) == 1 and instances[0].endswith(".toml"):
        if given:
            raise InputError(f"{instances[0]}: says it all; no other options of the study")
        run = read_study(instances[0])
    else:
        run = study_of_words(given | {"instances": instances}, sys.argv[1:])
    table = run.run(output, jobs=jobs, scheduler=scheduler)
    _print(table)
    _print(f"\nwritten to {output}: results.csv, report.html and the figures")
    return 0


def replay(
    instance: str,
    solutions: list[str],
    trace: str,
    sequences: str | None,
    part: str,
    users: str | None,
    json: bool,
) -> int:
    """Replay recorded tokens under placements."""
    from ..instances.trace import read_trace
    from ..studies.replay import replay_table

    loaded = read_instance(instance)
    placements = {path: _placement(loaded, path)[1] for path in solutions}
    if users is not None:
        check_writable(users)
    recorded = read_trace(trace, sequences)
    table, each = replay_table(loaded, placements, recorded, part)
    if users is not None:
        write_bytes(users, each.to_csv(index=False).encode())
    _print(table.to_json(orient="records") if json else table.to_string(index=False))
    return 0


def draw(instance: str, solution: str, output: str) -> int:
    """Draw a placement."""
    from ..reports.placement_figure import placement_figure

    loaded = read_instance(instance)
    placement = _placement(loaded, solution)[1]
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: {error.strerror or error}") from None
    placement_figure(loaded, placement, Path(output), "placement")
    _print(f"drawn into {output}")
    return 0


def suite_list() -> int:
    """List the suites."""
    from ..instances.suites import SUITES

    for suite in SUITES.values():
        count = f"v{suite.version} {len(suite.recipes):>3} instances"
        _print(f"{suite.name:<13} {count}  {suite.summary}")
    return 0


def suite_build(name: str, output: str) -> int:
    """Write the instances of a suite."""
    from ..instances.suites import build_suite, find_suite

    paths = build_suite(find_suite(name), output)
    _print(f"wrote {len(paths)} instances and SHA256SUMS to {output}")
    return 0


def suite_check(solution: str, json: bool) -> int:
    """Compare a solution of a suite's instance with the best known one."""
    from ..instances.records import check

    verdict = check(read_solution(solution))
    record = verdict.record
    if json:
        _print_json(verdict)
        return 0
    _print(f"{record.instance}: {verdict.outcome}")
    _print(f"saving        {verdict.saving_s:.9g} s")
    _print(f"best known    {record.saving_s:.9g} s ({record.status}; {record.date})")
    _print(f"found by      {record.command}")
    _print(f"bound allows  {record.latency_s + record.saving_s - record.bound_latency_s:.9g} s")
    return 0


def export(instance: str, format: str, formulation: str, output: str) -> int:  # noqa: A002
    """Write the exact model for other solvers."""
    from ..formulations.export import export_model

    check_writable(output)
    export_model(read_instance(instance), output, format=format, formulation=formulation)  # type: ignore[arg-type]
    _print(f"wrote {output}")
    return 0


def _scenario(models: tuple[str, ...], fields: dict[str, Any]) -> Scenario:
    given = {_FIELDS[name]: value for name, value in fields.items() if name in _FIELDS}
    changes = {name: value for name, value in given.items() if value is not None}
    changes.update(_pairs(fields["set"], "set"))
    if "models" in changes:
        raise InputError("models: use --model")
    return Scenario(models=models).replace(**changes)


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--{option}: expected KEY=VALUE, got {text!r}")
        if key in pairs:
            raise InputError(f"--{option}: {key} is given twice")
        pairs[key] = value
    return pairs


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _seconds(time_limit: float | None) -> float:
    return math.inf if time_limit is None else time_limit


def _at_least_one(value: int | None, name: str) -> int | None:
    if value is not None and value < 1:
        raise InputError(f"--{name}: must be >= 1, got {value}")
    return value


def _placement(instance: Instance, path: str) -> tuple[Solution, Placement]:
    solution = read_solution(path)
    placement = solution.placement or Placement.empty()
    try:
        placement.cached(instance)
        return solution, placement
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _write(instance: Instance, output: str) -> int:
    write_instance(instance, output)
    _print(
        f"wrote {output}: {len(instance.models)} models, {instance.items} experts, "
        f"{instance.servers} servers, {instance.users} users, {len(instance.requests)} requests"
    )
    return 0


def _print(text: str) -> None:
    print(text, flush=True)


def _print_json(value: object) -> None:
    _print(msgspec.json.encode(value).decode())
