"""Commands that make an instance: `generate` and `import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..instances.generate import generate as from_scenario
from ..instances.machine import Machine
from ..instances.machine_trace import import_machine as from_machine
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
from ..problem.summary import summary_of
from .output import print_text, print_warnings
from .words import pairs


def generate(name: str | None, seed: int, output: str, set_fields: list[str], **fields: Any) -> int:
    """Make an instance from a scenario and a seed."""
    check_writable(output, INSTANCE_FILE)
    return _write(from_scenario(_scenario(fields, set_fields), seed, name=name), output)


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
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance from a recorded trace."""
    check_writable(output, INSTANCE_FILE)
    recorded = read_trace(trace, sequences)
    fields["models"] = [model or matching_model(recorded)]
    scenario = _scenario(fields, set_fields)
    recorded, split = _part(recorded, test_share, seed, part)
    instance = from_trace(
        recorded,
        scenario,
        sites,
        points,
        seed=seed,
        max_sets=sets,
        source=Path(trace).name,
        name=name,
        split=split,
    )
    if sequences and not recorded.has_sequences:
        print(f"note: {trace} has no array 'sequence': all users follow it whole", file=sys.stderr)
    return _write(instance, output)


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
    for path, content in zip(counts, read, strict=True):
        if content.empty_layers:
            print(
                f"note: {path}: left out {content.empty_layers} layers without counts",
                file=sys.stderr,
            )
    fields["models"] = [model or matching_popularity_model(tables[0])]
    instance = from_counts(
        tables,
        [Path(path).name for path in counts],
        _scenario(fields, set_fields),
        seed=seed,
        sites=sites,
        points=points,
        name=name,
    )
    return _write(instance, output)


def import_sites(
    sites: str,
    points: str,
    name: str | None,
    seed: int,
    output: str,
    set_fields: list[str],
    **fields: Any,
) -> int:
    """Make an instance with recorded positions and generated requests."""
    check_writable(output, INSTANCE_FILE)
    scenario = _scenario(fields, set_fields)
    return _write(from_sites(scenario, sites, points, seed=seed, name=name), output)


def _scenario(fields: dict[str, Any], set_fields: list[str]) -> Scenario:
    """Scenario with the fields of the options that were given, and of --set."""
    changes = pairs(set_fields, "set")
    if "models" in changes:
        raise InputError("models: use --model")
    return Scenario().replace(**_given(fields) | changes)


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


def _write(instance: Instance, output: str) -> int:
    write_instance(instance, output)
    print_text(
        f"wrote {output}: {len(instance.models)} models, {instance.items} experts, "
        f"{instance.servers} servers, {instance.users} users, {len(instance.requests)} requests"
    )
    summary = summary_of(instance)
    print_text("\n".join(summary.lines()))
    print_warnings(summary)
    return 0
