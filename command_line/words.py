"""What the words of a command line stand for: pairs, lists, lengths, the placement in a file."""

from __future__ import annotations

import re
import sys

import numpy as np

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


def inches(text: str) -> float:
    """Length such as ``3.4in``, ``86mm``, ``8.6cm`` or ``246pt`` in inches.

    Raises
    ------
    InputError
        If it is no length, or not between 1 and 100 inches.
    """
    found = re.fullmatch(r"(\d+\.?\d*)(in|cm|mm|pt)", text.replace(" ", ""))
    if not found:
        raise InputError(f"--width: expected a length such as 3.4in, 8.6cm or 246pt, got {text!r}")
    length = float(found[1]) / {"in": 1.0, "cm": 2.54, "mm": 25.4, "pt": 72.27}[found[2]]
    if not 1 <= length <= 100:
        raise InputError(f"--width: must be between 1 and 100 inches, got {text!r}")
    return length


def placement_in(
    path: str, instance: Instance, *, feasible: bool = True, own: bool = False
) -> Placement:
    """Read the placement of a solution file.

    Says on stderr where it was made for another instance.

    Parameters
    ----------
    path : str
    instance : Instance
    feasible : bool
        Refuse a placement that exceeds a capacity.
    own : bool
        Refuse a file without a placement, and one that was made for another instance.

    Raises
    ------
    InputError
        If the file is no solution, or the placement does not fit the instance.
    """
    solution = read_solution(path)
    placement = solution.placement or Placement.empty()
    of_another = solution.instance_sha256 not in (None, instance.sha256)
    whose = f"made for another instance ({solution.instance})"
    try:
        used = placement.cached(instance) @ instance.item_bytes
    except InputError as error:
        raise InputError(f"{path}: {whose + ': ' if of_another else ''}{error}") from None
    if own and of_another:
        raise InputError(f"{path}: {whose}")
    if own and solution.placement is None:
        raise InputError(f"{path}: has no placement")
    if of_another:
        print(f"warning: {path}: {whose}", file=sys.stderr)
    over = np.flatnonzero(used > instance.capacity_bytes)
    if feasible and len(over):
        names = ", ".join(instance.server_names[n] for n in over[:3].tolist())
        raise InputError(f"{path}: the placement exceeds the capacity of {names}")
    return placement
