"""What the words of a command line stand for: pairs, lists, the placement in a file."""

from __future__ import annotations

from ..problem.errors import InputError
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import read_solution


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Pairs of a repeatable option KEY=VALUE.

    Raises
    ------
    InputError
        If a text is no pair, or a key is given twice.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--{option}: expected KEY=VALUE, got {text!r}")
        if key in found:
            raise InputError(f"--{option}: {key} is given twice")
        found[key] = value
    return found


def split(text: str) -> list[str]:
    """Words separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def placement_in(path: str, instance: Instance) -> Placement:
    """Read the placement of a solution file.

    Raises
    ------
    InputError
        If the file is no solution, or the placement does not fit the instance.
    """
    placement = read_solution(path).placement or Placement.empty()
    try:
        placement.cached(instance)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return placement
