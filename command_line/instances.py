"""Commands that make an instance: `generate` and `import`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..instances.generate import generate as from_scenario
from ..instances.geography import Geography, read_geography
from ..instances.machine import Machine
from ..instances.machine_trace import import_machine as from_machine
from ..instances.network import import_network as from_network
from ..instances.popularity import import_popularity as from_counts
from ..instances.popularity import matching_popularity_model, read_counts
from ..instances.scenario import Scenario
from ..instances.sites import import_sites as from_sites
from ..instances.trace import Trace, matching_model, read_trace
from ..instances.trace import import_trace as from_trace
from ..instances.trace_split import Part, split_trace
from ..problem.errors import InputError
from ..problem.files import check_writable
from ..problem.instance import Instance
from ..problem.instance_file import INSTANCE_FILE, write_instance
from ..problem.inventory import inventory
from ..problem.summary import summary_of
from .output import print_beside, print_warnings
from .words import pairs


def generate(name: str | None, seed: int, output: str, set_fields: list[str], **fields: Any) -> int:
    """Make an instance from a scenario and a seed."""
    check_writable(output, INSTANCE_FILE)
    scenario = Scenario().replace(**_changes(fields, set_fields))
    return _write(from_scenario(scenario, seed, name=name), output)


def import_trace(
    trace: str,
    sequences: str | None,
    model: str | None,
    sets: int | None,
    test_share: float | None,
    part: Part,
    sites: str,
    points: str,
    latencies: str | None,
    name: str | None,
    seed: int,
    output: str,
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance from a recorded trace."""
    check_writable(output, INSTANCE_FILE)
    recorded = read_trace(trace, sequences)
    fields["models"] = [model or matching_model(recorded)]
    changes = _changes(fields, set_fields)
    scenario = Scenario().replace(**changes)
    geography = _geography((sites, points, latencies), seed, scenario, changes)
    recorded, split = _part(recorded, test_share, seed, part)
    instance = from_trace(
        recorded,
        scenario,
        geography,
        seed=seed,
        max_sets=sets,
        source=Path(trace).name,
        name=name,
        split=split,
    )
    notes = _unused(geography.unused)
    if sequences and not recorded.has_sequences:
        notes.append(f"{trace} has no array 'sequence': all users follow it whole")
    return _write(instance, output, notes)


def import_machine(
    trace: str,
    model: str | None,
    sets: int | None,
    test_share: float | None,
    part: Part,
    name: str | None,
    seed: int,
    output: str,
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance from a recorded trace on the GPUs of a machine."""
    check_writable(output, INSTANCE_FILE)
    machine = Machine().replace(**_given(fields) | pairs(set_fields, "set"))
    recorded, split = _part(read_trace(trace), test_share, seed, part)
    instance = from_machine(
        recorded,
        machine,
        model or matching_model(recorded),
        max_sets=sets,
        source=Path(trace).name,
        name=name,
        split=split,
    )
    return _write(instance, output)


def import_popularity(
    counts: list[str],
    model: str | None,
    sites: str | None,
    points: str | None,
    latencies: str | None,
    name: str | None,
    seed: int,
    output: str,
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance from recorded counts of the experts' use."""
    check_writable(output, INSTANCE_FILE)
    read = [read_counts(path) for path in counts]
    tables = [content.table for content in read]
    fields["models"] = [model or matching_popularity_model(tables[0])]
    changes = _changes(fields, set_fields)
    scenario = Scenario().replace(**changes)
    geography = None
    if sites is not None and points is not None:
        geography = _geography((sites, points, latencies), seed, scenario, changes)
    elif (sites, points, latencies) != (None, None, None):
        raise InputError("sites and points: give both or neither, and latencies with them")
    instance = from_counts(
        tables,
        [Path(path).name for path in counts],
        scenario,
        seed=seed,
        geography=geography,
        name=name,
    )
    notes = [
        f"{path}: left out {content.empty_layers} layers without counts"
        for path, content in zip(counts, read, strict=True)
        if content.empty_layers
    ]
    return _write(instance, output, [*_unused(geography.unused if geography else {}), *notes])


def import_sites(
    sites: str,
    points: str,
    latencies: str | None,
    name: str | None,
    seed: int,
    output: str,
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance with recorded positions and generated requests."""
    check_writable(output, INSTANCE_FILE)
    changes = _changes(fields, set_fields)
    scenario = Scenario().replace(**changes)
    geography = _geography((sites, points, latencies), seed, scenario, changes)
    instance = from_sites(scenario, geography, seed=seed, name=name)
    return _write(instance, output, _unused(geography.unused))


def import_network(network: str, output: str) -> int:
    """Make the instance of a network's file."""
    check_writable(output, INSTANCE_FILE)
    made = from_network(network)
    _write(made.instance, output, _unused(made.unused))
    lines = inventory(made.instance, [str(source) for source in made.sources])
    print_beside(output, "\n".join(["", *lines]))
    return 0


def _changes(fields: dict[str, Any], set_fields: list[str]) -> dict[str, Any]:
    """Fields of a scenario that the options give, and --set."""
    changes = pairs(set_fields, "set")
    if "models" in changes:
        raise InputError("models: use --model")
    return _given(fields) | changes


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _part(
    trace: Trace, test_share: float | None, seed: int, part: Part
) -> tuple[Trace, dict[str, Any] | None]:
    """Part of a trace, and how it was split."""
    if test_share is None:
        return trace, None
    split = {"test_share": test_share, "seed": seed, "part": part}
    return split_trace(trace, test_share, seed, part), split


def _geography(
    files: tuple[str, str, str | None], seed: int, scenario: Scenario, changes: dict[str, Any]
) -> Geography:
    """All that the files have; or as many drawn as the scenario was told to have."""
    sites, points, latencies = files
    return read_geography(
        sites,
        points,
        servers=scenario.servers if "servers" in changes else None,
        users=scenario.users if "users" in changes else None,
        seed=seed,
        latencies=latencies,
    )


def _unused(unused: Mapping[str, Sequence[str]]) -> list[str]:
    """Notes about columns that were not looked at."""
    return [f"{path}: columns not used: {', '.join(names)}" for path, names in unused.items()]


def _write(instance: Instance, output: str, notes: Sequence[str] = ()) -> int:
    write_instance(instance, output)
    print_beside(
        output,
        f"wrote {output}: {len(instance.models)} models, {instance.items} experts, "
        f"{instance.servers} servers, {instance.users} users, {len(instance.requests)} requests",
    )
    summary = summary_of(instance)
    print_beside(output, "\n".join(summary.lines()))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print_warnings(summary)
    return 0
