"""The best known solution of every instance of the suites."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..problem.errors import InputError
from ..problem.evaluate import evaluate
from ..problem.files import decode, read_bytes
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution
from .recipe import Recipe
from .suites import SUITES

_FOLDER = Path(__file__).parent

#: Relative differences of savings below this are rounding.
SAME = 1e-9


@dataclass(frozen=True)
class Record:
    """One line of ``records.csv``.

    Attributes
    ----------
    suite : str
    version : int
        Of the suite.
    instance : str
    sha256 : str
        Of the instance file, uncompressed.
    status : str
        ``optimal`` or ``feasible``.
    latency_s, saving_s : float
        Of the best known placement, in seconds.
    bound_latency_s : float
        Best known lower bound on the latency, in seconds.
    command, date : str
        What found the placement, and when.
    bound_command : str
        What found the bound.
    """

    suite: str
    version: int
    instance: str
    sha256: str
    status: str
    latency_s: float
    saving_s: float
    bound_latency_s: float
    command: str
    date: str
    bound_command: str


@dataclass(frozen=True)
class Verdict:
    """A solution beside the record.

    Attributes
    ----------
    outcome : str
        ``better``, ``equal``, ``worse``, or ``infeasible``.
    saving_s : float
        Of the solution, by the evaluator.
    record : Record
    """

    outcome: Literal["better", "equal", "worse", "infeasible"]
    saving_s: float
    record: Record


def records() -> dict[str, Record]:
    """Read the table, by instance name."""
    text = (_FOLDER / "records.csv").read_text(encoding="utf-8")
    types = {"version": int, "latency_s": float, "saving_s": float, "bound_latency_s": float}
    rows = (
        Record(**{key: types.get(key, str)(value) for key, value in row.items()})
        for row in csv.DictReader(io.StringIO(text))
    )
    return {row.instance: row for row in rows}


def load_instance(name: str) -> Instance:
    """Make an instance of the suites.

    Returns
    -------
    Instance
        With the record in ``meta["best_known"]``: ``latency_s``, ``saving_s``,
        ``bound_latency_s`` and ``status``.

    Raises
    ------
    InputError
        If no suite has such an instance.
    """
    instance = recipe_of(name).make()
    record = records()[name]
    known = ("latency_s", "saving_s", "bound_latency_s", "status")
    best = {field: getattr(record, field) for field in known}
    return instance.replace(meta={**instance.meta, "best_known": best})


def recipe_of(name: str) -> Recipe:
    """Recipe of a suite's instance.

    Raises
    ------
    InputError
        If no suite has such an instance.
    """
    for suite in SUITES.values():
        for recipe in suite.recipes:
            if recipe.name == name:
                return recipe
    raise InputError(f"no suite has an instance {name!r}")


def check(solution: Solution) -> Verdict:
    """Compare a solution of a suite's instance with the record.

    The instance is made anew and the placement evaluated; the solution's own values do not count.

    Raises
    ------
    InputError
        If no suite has the instance, there is no record, or the placement does not fit.
    """
    instance = recipe_of(solution.instance).make()
    record = records().get(solution.instance)
    if record is None:
        raise InputError(f"there is no record of {solution.instance!r}")
    value = evaluate(instance, solution.placement or Placement.empty())
    if not value.feasible:
        return Verdict("infeasible", value.saving_s, record)
    room = SAME * max(record.saving_s, value.latency_empty_s * SAME)
    if abs(value.saving_s - record.saving_s) <= room:
        return Verdict("equal", value.saving_s, record)
    return Verdict(
        "better" if value.saving_s > record.saving_s else "worse", value.saving_s, record
    )


def stored_placement(instance: Instance) -> Placement:
    """Placement of the record of a suite's instance.

    Raises
    ------
    InputError
        If there is none.
    """
    path = _FOLDER / "placements" / f"{instance.name}.json.gz"
    if not path.exists():
        raise InputError(f"there is no record of {instance.name!r}")
    rows = decode(path, read_bytes(path), list[list[int]])
    return Placement(rows)
