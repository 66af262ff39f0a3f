"""A study in a TOML file, and the same from the words of a command line."""

from __future__ import annotations

import itertools
import math
import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..instances.recipe import Generated, Recipe, Recorded, file_sum, stored
from ..instances.scenario import Scenario
from ..instances.suites import SUITES
from ..problem.errors import InputError
from ..problem.files import read_bytes
from ..problem.validation import convert
from .study import Reference, Study, Variant

#: Files of a recorded trace.
_FILES = ("trace", "sequences", "sites", "points")


class TraceFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of a recorded trace, and what to keep of it."""

    trace: str
    sites: str
    points: str
    sequences: str | None = None
    sets: int | None = None


class StudyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study is made from.

    Attributes
    ----------
    methods : tuple of str or Variant
    instances : tuple of str
        Suites and instance files.
    scenario : tuple of dict
        Fields of `Scenario` to generate instances from, and: ``name``, for tables and pictures;
        ``trace``, `TraceFiles` to take the requests from.
    sweep : dict
        Fields of `Scenario` with the values they take: every scenario with every combination.
    instance_seeds : tuple of int
        Seeds of the generated instances.
    seeds : tuple of int
        Seeds of the methods.
    time_limit_s, memory_mb, reference
        See `Study`.
    """

    methods: tuple[str | Variant, ...]
    instances: tuple[str, ...] = ()
    scenario: tuple[dict[str, Any], ...] = ()
    sweep: dict[str, tuple[Any, ...]] = {}
    instance_seeds: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    time_limit_s: float = 60.0
    memory_mb: int | None = None
    reference: Reference = "milp"


def read_study(path: str | Path) -> Study:
    """Read a study; paths in it are relative to its folder.

    Raises
    ------
    InputError
        If the file is no valid study.
    """
    path = Path(path)
    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error})") from None
    file = convert(table, StudyFile, str(path))
    return make_study(file, path.parent, f"expertcache study {path.name} --output DIR")


def study_of_words(words: Mapping[str, Any], arguments: Sequence[str]) -> Study:
    """Make a study from a command line's words; values may be strings.

    Parameters
    ----------
    words : mapping
        Fields of `StudyFile`.
    arguments : sequence of str
        The command line itself, for the report.
    """
    if "methods" not in words:
        raise InputError("study: --methods is missing")
    if words.get("instances") and "scenario" in words:
        raise InputError(
            "study: --set and --sweep make instances of their own and do not change "
            f"{words['instances'][0]}; leave one of the two out, or write a study.toml"
        )
    file = convert(words, StudyFile, "study")
    return make_study(file, Path(), shlex.join(["expertcache", *arguments]))


def make_study(file: StudyFile, folder: Path, command: str) -> Study:
    """Make a study.

    Parameters
    ----------
    file : StudyFile
    folder : Path
        Paths are relative to it.
    command : str
        How to run it again.
    """
    if not file.scenario and (file.sweep or file.instance_seeds != (0,)):
        raise InputError("study: sweep and instance_seeds need a scenario")
    recipes: list[Recipe] = []
    for name in file.instances:
        if name in SUITES:
            recipes += SUITES[name].recipes
        elif os.path.isfile(folder / name):  # noqa: PTH113 - Path.is_file raises on overlong names
            recipes.append(stored(folder / name))
        else:
            raise InputError(f"{name}: neither a file nor a suite ({', '.join(SUITES)})")
    sums: dict[str, str] = {}
    for number, fields in enumerate(file.scenario):
        recipes += _of_scenario(fields, number, file, folder, sums)
    return Study(
        recipes=tuple(recipes),
        methods=file.methods,
        seeds=file.seeds,
        time_limit_s=file.time_limit_s,
        memory_mb=file.memory_mb,
        reference=file.reference,
        command=command,
    )


def _of_scenario(
    given: Mapping[str, Any], number: int, file: StudyFile, folder: Path, sums: dict[str, str]
) -> Iterator[Recipe]:
    fields = dict(given)
    group = str(fields.pop("name", f"scenario-{number + 1}"))
    trace = fields.pop("trace", None)
    files = {}
    if trace is not None:
        wanted = convert(trace, TraceFiles, f"scenario {group}: trace")
        named = {name: getattr(wanted, name) for name in _FILES}
        files = {name: str(folder / path) for name, path in named.items() if path is not None}
        for path in files.values():
            sums.setdefault(path, file_sum(path))
    for values, seed in itertools.product(_combinations(file.sweep), file.instance_seeds):
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


def _combinations(sweep: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    for field, values in sweep.items():
        if not values:
            raise InputError(f"sweep: {field} has no values")
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def _plain(value: object) -> Any:
    """Value of a field as JSON has it: infinity is a word."""
    return str(value) if value == math.inf else msgspec.to_builtins(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "+".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
