"""The gap study: instances x methods x seeds, row by row safe on disk."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
from tqdm import tqdm

from ..guarantees import Facts
from ..instances.errors import InputError, UnsupportedError
from ..instances.evaluate import latency_empty_s
from ..instances.instance import Instance
from ..instances.instance_file import instance_bytes
from ..instances.solution import Solution, Status, latency_gap, read_solution, write_solution
from ..instances.storage import decode, read_bytes, write_bytes
from ..method import Limits
from ..solver import a_priori, find_method, solve
from .figure import ratio_figure
from .page import write_page
from .table import gap_table

COLUMNS = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "latency_empty_s",
    "saving_s", "bound_latency_s", "ratio", "gap", "seconds", "reference", "guarantee",
    "guarantee_because", "error",
    "models", "servers", "users", "layers", "experts", "top_k", "requests",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A study: every instance with every method and every seed.

    For each instance the exact optimum, or the best bound that `milp` reaches within the time
    limit, is the reference of all ratios and gaps.

    Parameters
    ----------
    instances : tuple of Instance
        With distinct names.
    methods : tuple of str
    seeds : tuple of int
    time_limit_s : float
        For every cell and every reference.
    source : tuple of str
        What the instances were named on the command line, for the report.

    Raises
    ------
    InputError
        If a name is unknown or repeated, or a number is out of range.
    """

    instances: tuple[Instance, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    time_limit_s: float
    source: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [instance.name for instance in self.instances]
        for what, values in (
            ("instance", names), ("method", self.methods), ("seed", self.seeds)
        ):  # fmt: skip
            if not values:
                raise InputError(f"study: no {what}")
            repeated = {str(value) for value in values if list(values).count(value) > 1}
            if repeated:
                raise InputError(f"study: {what} {', '.join(sorted(repeated))} is repeated")
        for method in self.methods:
            find_method(method)
        if min(self.seeds) < 0 or max(self.seeds) >= 2**31:
            raise InputError("study: seeds must be between 0 and 2**31 - 1")
        if not 0 < self.time_limit_s < math.inf:
            raise InputError("study: the time limit must be > 0 and finite")

    def run(self, folder: str | Path) -> str:
        """Run what is missing in a folder, then write the table, the figure and the page.

        Returns
        -------
        str
            The gap table as text.

        Raises
        ------
        InputError
            If the folder cannot be used, or belongs to a study with other settings.
        """
        folder = Path(folder)
        self._claim(folder)
        path = folder / "results.csv"
        done = _finished(path)
        total = len(self.instances) * len(self.methods) * len(self.seeds)
        with tqdm(total=total, initial=len(done), unit="cell", disable=None) as bar:
            for number, instance in enumerate(self.instances):
                for row in self._rows(instance, done, folder / "references" / f"{number}.json"):
                    _append(path, row)
                    bar.update()
        rows = pd.read_csv(path, keep_default_na=True)
        table = gap_table(rows)
        ratio_figure(rows, folder)
        write_page(rows, table, folder, self._settings())
        return table

    def _settings(self) -> dict[str, Any]:
        return {
            "study": 1,
            "instances": [
                {"name": i.name, "sha256": hashlib.sha256(instance_bytes(i)).hexdigest()}
                for i in self.instances
            ],
            "methods": list(self.methods),
            "seeds": list(self.seeds),
            "time_limit_s": self.time_limit_s,
            "source": list(self.source),
        }

    def _claim(self, folder: Path) -> None:
        """Make the folder this study's own, or refuse."""
        try:
            (folder / "references").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror or error}") from None
        path = folder / "study.json"
        settings = self._settings()
        if not path.exists():
            if (folder / "results.csv").exists():
                raise InputError(
                    f"{folder}: has results.csv but no study.json; take another folder"
                )
            write_bytes(path, msgspec.json.format(msgspec.json.encode(settings)) + b"\n")
            return
        found = decode(path, read_bytes(path), dict[str, Any])
        # How the instances were named does not matter, what they are does.
        other = [k for k in settings if k != "source" and found.get(k) != settings[k]]
        if other:
            raise InputError(
                f"{folder}: belongs to a study with other {', '.join(other)}; take another folder"
            )

    def _rows(
        self, instance: Instance, done: set[tuple[str, str, int]], reference_path: Path
    ) -> Iterator[dict[str, Any]]:
        cells = [(m, s) for m in self.methods for s in self.seeds]
        missing = [cell for cell in cells if (instance.name, *cell) not in done]
        if not missing:
            return
        limits = Limits(time_s=self.time_limit_s)
        reference = self._reference(instance, limits, reference_path)
        facts = Facts(instance)
        for method, seed in missing:
            error = ""
            solution = None
            if method == "milp" and seed == self.seeds[0]:
                solution = reference
            if solution is None:
                try:
                    solution = solve(instance, method, limits=limits, seed=seed)
                except UnsupportedError as refused:
                    error = str(refused)
            row = _row(instance, method, seed, solution, reference, error)
            if solution is not None:
                row["guarantee"], row["guarantee_because"] = a_priori(solution, facts)
            yield row

    def _reference(self, instance: Instance, limits: Limits, path: Path) -> Solution | None:
        """Return the milp solution with the first seed; None where the model is too large."""
        if path.exists():
            return read_solution(path)
        try:
            solution = solve(instance, "milp", limits=limits, seed=self.seeds[0])
        except UnsupportedError:
            return None
        write_solution(solution, path)
        return solution


def _row(
    instance: Instance,
    method: str,
    seed: int,
    solution: Solution | None,
    reference: Solution | None,
    error: str,
) -> dict[str, Any]:
    empty = latency_empty_s(instance)
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "instance": instance.name,
        "method": method,
        "seed": seed,
        "status": Status.NONE.value,
        "stopped_by": "error",
        "latency_empty_s": empty,
        "error": error,
        "models": "+".join(model.name for model in instance.models),
        "servers": instance.servers,
        "users": instance.users,
        "layers": sum(model.layers for model in instance.models),
        "experts": instance.items,
        "top_k": instance.top_k,
        "requests": len(instance.requests),
    }
    bounds = [
        s.bound_latency_s for s in (solution, reference) if s and s.bound_latency_s is not None
    ]
    bound = max(bounds, default=None)
    if reference is not None:
        row["reference"] = "optimum" if reference.status is Status.OPTIMAL else "bound"
    if solution is not None:
        row |= {
            "status": solution.status.value,
            "stopped_by": solution.stopped_by.value,
            "latency_s": solution.latency_s,
            "saving_s": solution.saving_s,
            "seconds": solution.seconds,
            "error": solution.meta.get("error", ""),
        }
        if solution.latency_s is not None and bound is not None:
            bound = min(bound, solution.latency_s)
            row["ratio"] = _ratio(solution, reference, empty - bound)
            row["gap"] = latency_gap(solution.latency_s, bound)
    row["bound_latency_s"] = bound
    return row


def _ratio(solution: Solution, reference: Solution | None, most_s: float) -> float:
    """Saving as a share of the optimum, or of the largest saving that the bound leaves open."""
    assert solution.saving_s is not None
    if reference is not None and reference.status is Status.OPTIMAL:
        assert reference.saving_s is not None
        most_s = reference.saving_s
    return solution.saving_s / most_s if most_s > 0 else 1.0


def _finished(path: Path) -> set[tuple[str, str, int]]:
    """Finished cells of a results file; a row torn by a kill is cut off."""
    if not path.exists():
        write_bytes(path, (",".join(COLUMNS) + "\n").encode())
        return set()
    data = read_bytes(path)
    whole = data[: data.rfind(b"\n") + 1]
    try:
        table = list(csv.reader(io.StringIO(whole.decode()), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a results file ({error})") from None
    if not table or tuple(table[0]) != COLUMNS:
        raise InputError(f"{path}: not a results file of this version")
    if any(len(row) != len(COLUMNS) for row in table[1:]):
        raise InputError(f"{path}: a row has a wrong number of columns")
    if whole != data:
        write_bytes(path, whole)
    try:
        return {(row[0], row[1], int(row[2])) for row in table[1:]}
    except ValueError:
        raise InputError(f"{path}: a seed is not a whole number") from None


def _append(path: Path, row: dict[str, Any]) -> None:
    """Add one row and see it onto the disk."""
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow(row)
    try:
        with path.open("ab") as file:
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
