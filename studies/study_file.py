"""A study in a TOML file, and the same from the words of a command line."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..instances.combinations import combinations
from ..instances.recipe import Recipe, stored
from ..instances.suite_folder import is_suite, stored_suite
from ..instances.suites import SUITES
from ..problem.errors import InputError
from ..problem.files import decode_toml
from ..problem.validation import convert
from .study import Reference, Study, Variant

#: How the files of a folder without a manifest end.
_ENDINGS = (".json", ".json.gz")


class StudyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study is made from.

    Attributes
    ----------
    methods : tuple of str or Variant
    instances : tuple of str
        Suites, instance files, folders of them, and patterns of files or folders.
    scenario, sweep, instance_seeds
        What to generate instances from; see `combinations`.
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
    file = decode_toml(path, StudyFile)
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
        recipes += SUITES[name].recipes if name in SUITES else _stored(name, folder)
    recipes += combinations(file.scenario, file.sweep, file.instance_seeds, folder)
    return Study(
        recipes=tuple(recipes),
        methods=file.methods,
        seeds=file.seeds,
        time_limit_s=file.time_limit_s,
        memory_mb=file.memory_mb,
        reference=file.reference,
        command=command,
    )


def _stored(name: str, folder: Path) -> list[Recipe]:
    """Instances that a path stands for: a file, a folder, or a pattern of both."""
    path = folder / name
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises on overlong names
        return [stored(path)]
    if os.path.isdir(path):  # noqa: PTH112 - likewise
        return _in_folder(path)
    recipes: list[Recipe] = []
    for found in sorted(glob.glob(name, root_dir=folder)):  # noqa: PTH207 - takes absolute ones, too
        each = folder / found
        recipes += _in_folder(each) if each.is_dir() else [stored(each)]
    if not recipes:
        known = ", ".join(SUITES)
        raise InputError(f"{name}: neither a file, a folder, a pattern nor a suite ({known})")
    return recipes


def _in_folder(folder: Path) -> list[Recipe]:
    """All instances of a set, checked against its manifest; without one, of every file."""
    if is_suite(folder):
        return list(stored_suite(folder).recipes)
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.lower().endswith(_ENDINGS))
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if not paths:
        raise InputError(f"{folder}: has no instance files")
    return [stored(path) for path in paths]
