"""Recipes from a table in TOML: scenarios, every one with every combination of swept values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..problem.errors import InputError
from ..problem.validation import convert
from .recipe import Generated, Recipe, Recorded, file_sum
from .scenario import Scenario

#: Files of a recorded trace.
_FILES = ("trace", "sequences", "sites", "points")


class TraceFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of a recorded trace, and what to keep of it."""

    trace: str
    sites: str
    points: str
    sequences: str | None = None
    sets: int | None = None


def combinations(
    scenarios: Sequence[Mapping[str, Any]],
    sweep: Mapping[str, Sequence[Any]],
    seeds: Sequence[int],
    folder: Path,
) -> list[Recipe]:
    """Recipes of all combinations.

    Parameters
    ----------
    scenarios : sequence of mapping
        Fields of `Scenario`, and: ``name``, for tables and pictures; ``trace``, `TraceFiles` to
        take the requests from.
    sweep : mapping
        Fields of `Scenario` with the values they take.
    seeds : sequence of int
        Of the instances.
    folder : Path
        Paths are relative to it.

    Raises
    ------
    InputError
        If a field is unknown, has no values or does not take its value, or a file is missing.
    """
    for field, values in sweep.items():
        if not values:
            raise InputError(f"sweep: {field} has no values")
    swept = [dict(zip(sweep, each, strict=True)) for each in itertools.product(*sweep.values())]
    recipes: list[Recipe] = []
    sums: dict[str, str] = {}
    for number, fields in enumerate(scenarios):
        recipes += _of_scenario(fields, f"scenario-{number + 1}", swept, seeds, folder, sums)
    return recipes


def _of_scenario(
    given: Mapping[str, Any],
    unnamed: str,
    swept: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    folder: Path,
    sums: dict[str, str],
) -> Iterator[Recipe]:
    fields = dict(given)
    group = str(fields.pop("name", unnamed))
    trace = fields.pop("trace", None)
    files = {}
    if trace is not None:
        wanted = convert(trace, TraceFiles, f"scenario {group}: trace")
        named = {name: getattr(wanted, name) for name in _FILES}
        files = {name: str(folder / path) for name, path in named.items() if path is not None}
        for path in files.values():
            sums.setdefault(path, file_sum(path))
    for values, seed in itertools.product(swept, seeds):
        changed = fields | values
        try:
            scenario = Scenario().replace(**changed)
        except InputError as error:
            raise InputError(f"scenario {group}: {error}") from None
        # The values as they are understood: "0.10" from a command line is 0.1.
        values = {field: _plain(getattr(scenario, field)) for field in values}
        changed = {field: _plain(getattr(scenario, field)) for field in changed}
        labels = {"scenario": group, **{f"sweep_{k}": _text(v) for k, v in values.items()}}
        parts = [group, *(f"{k}={_text(v)}" for k, v in values.items()), f"s{seed}"]
        name = " ".join(parts)
        if files:
            hashes = {key: sums[path] for key, path in files.items()}
            yield Recorded(name, files, hashes, changed, seed, wanted.sets, labels)
        else:
            yield Generated(name, changed, seed, labels)


def _plain(value: object) -> Any:
    """Value of a field as JSON has it: infinity is a word."""
    return str(value) if value == math.inf else msgspec.to_builtins(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "+".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
