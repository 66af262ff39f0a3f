"""A set of one's own: scenarios and seeds in a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..problem.errors import InputError
from ..problem.files import decode_toml
from ..problem.names import check_name
from .combinations import combinations
from .suites import SUITES, Suite


class SuiteFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a set is made from.

    Attributes
    ----------
    name, summary : str
    version : int
        To be raised when an instance changes.
    scenario, sweep, instance_seeds
        As in a study; see `combinations`.
    """

    name: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    scenario: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1)]
    summary: str = ""
    sweep: dict[str, tuple[Any, ...]] = {}
    instance_seeds: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (0,)


def read_suite(path: str | Path) -> Suite:
    """Read a set; paths in the file are relative to its folder.

    Raises
    ------
    InputError
        If the file is no valid set, two instances have the same name, or the set has the name of
        one of ours.
    """
    path = Path(path)
    file = decode_toml(path, SuiteFile)
    for field in ("name", "summary"):
        check_name(getattr(file, field), f"{path}: {field}")
    if file.name in SUITES:
        raise InputError(f"{path}: name: {file.name!r} is a set of expertcache; take another name")
    try:
        recipes = combinations(file.scenario, file.sweep, file.instance_seeds, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Suite(file.name, file.summary, file.version, tuple(recipes))
