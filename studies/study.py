"""The gap study: instances x methods x seeds, row by row safe on disk."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd
from tqdm import tqdm

from ..instances.recipe import Recipe
from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import decode, read_bytes, write_bytes
from ..problem.solution import Solution, Status, latency_gap, read_solution, write_solution
from ..reports.figure import ratio_figure
from ..reports.page import write_page
from ..reports.placement_figure import placement_figure
from ..reports.sweep_figure import sweep_figure
from ..reports.table import gap_table, table_text
from ..solver import find_method
from . import executors
from .cell import Answer, Cell
from .executors import Place
from .results import Key, Results

_SETTINGS_FILE = FileKind("study's settings", rb'\s*\{\s*"study":')

#: What ratios are measured against: the optimum (or the bound) of `milp`, the linear relaxation, or
#: nothing but what a method proves itself.
Reference = Literal["milp", "exact", "decomposition", "lp", "none"]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method with its options, under a name of its own in the study."""

    method: str
    label: str = ""
    options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Label, or the method's name."""
        return self.label or self.method


@dataclass(frozen=True)
class Study:
    """A study: every instance with every method and every seed.

    Parameters
    ----------
    recipes : tuple of Recipe
        How to make the instances; with distinct names.
    choices : tuple of Choice
        Methods, with distinct names.
    seeds : tuple of int
    time_limit_s : float
        For every cell and every reference; a process that does not keep it is killed after twice
        the time and `grace_s`.
    memory_mb : int, optional
        MiB that a cell may take.
    reference : {"milp", "exact", "decomposition", "lp", "none"}
        What ratios are measured against.
    grace_s : float
        Seconds for making an instance and for ending in time.
    command : str
        How the study was called, for the report.

    Raises
    ------
    InputError
        If a name is unknown or repeated, or a number is out of range.
    """

    recipes: tuple[Recipe, ...]
    choices: tuple[Choice, ...]
    seeds: tuple[int, ...] = (0,)
    time_limit_s: float = 60.0
    memory_mb: int | None = None
    reference: Reference = "milp"
    grace_s: float = 60.0
    command: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        names: dict[str, list[object]] = {
            "instance": [recipe.name for recipe in self.recipes],
            "method": [choice.name for choice in self.choices],
            "seed": list(self.seeds),
        }
        for what, values in names.items():
            if not values:
                raise InputError(f"study: no {what}")
            repeated = {str(value) for value in values if values.count(value) > 1}
            if repeated:
                raise InputError(f"study: {what} {', '.join(sorted(repeated))} is repeated")
        for choice in self.choices:
            find_method(choice.method).options(choice.options)
        if min(self.seeds) < 0 or max(self.seeds) >= 2**31:
            raise InputError("study: seeds must be between 0 and 2**31 - 1")
        for what, value in (("time limit", self.time_limit_s), ("grace", self.grace_s)):
            if not 0 < value < math.inf:
                raise InputError(f"study: the {what} must be > 0 and finite")
        if self.memory_mb is not None and self.memory_mb < 1:
            raise InputError("study: the memory limit must be >= 1 MiB")

    def run(self, folder: str | Path, *, jobs: int = 1, scheduler: str | None = None) -> str:
        """Run what is missing in a folder, then write the table, the figures and the page.

        Parameters
        ----------
        folder : path
        jobs : int
            Processes of this machine.
        scheduler : str, optional
            Address of a Dask scheduler, to run on its cluster instead.

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
        results = Results(folder / "results.csv", self._label_columns())
        place: AbstractContextManager[Place]
        if scheduler is None:
            place = executors.local(jobs, self.grace_s, self.memory_mb)
        else:
            place = executors.dask(scheduler, self.grace_s, self.memory_mb)
        with (
            place as here,
            tqdm(total=len(self._keys()), initial=len(results.done), unit="cell", disable=None)
            as bar,
        ):  # fmt: skip
            for row in _Run(self, folder, results.done).rows(here):
                results.append(row)
                bar.update()
        results.sort(self._keys())
        rows = pd.read_csv(results.path)
        table = gap_table(rows)
        ratio_figure(rows, folder)
        sweep_figure(rows, folder)
        drawn = self._draw_a_placement(rows, folder)
        write_page(rows, table, folder, self._settings() | {"command": self.command}, drawn)
        return table_text(rows, table)

    def _draw_a_placement(self, rows: pd.DataFrame, folder: Path) -> str:
        """Draw the best placement of the first instance that has one; its name."""
        for number, recipe in enumerate(self.recipes):
            mine = rows[rows["instance"] == recipe.name].dropna(subset=["latency_s"])
            for row in mine.sort_values("latency_s", kind="stable").itertuples():
                path = self.solution_path(folder, number, str(row.method), int(str(row.seed)))
                if path.exists():
                    instance = recipe.make()
                    placement = read_solution(path).placement
                    assert placement is not None
                    placement_figure(instance, placement, folder, "placement")
                    return recipe.name
        return ""

    def solution_path(self, folder: Path, number: int, method: str, seed: int) -> Path:
        """File of a cell's solution."""
        place = [choice.name for choice in self.choices].index(method)
        return folder / "solutions" / f"{number}-{place}-{seed}.json.gz"

    def _keys(self) -> list[Key]:
        """All cells, in the order of the results."""
        return [(r.name, c.name, s) for r in self.recipes for c in self.choices for s in self.seeds]

    def _label_columns(self) -> list[str]:
        """Columns for what the recipes' labels tell."""
        return list(dict.fromkeys(name for recipe in self.recipes for name in recipe.labels))

    def _settings(self) -> dict[str, Any]:
        return {
            "study": 2,
            "instances": msgspec.to_builtins(self.recipes),
            "methods": msgspec.to_builtins(self.choices),
            "seeds": list(self.seeds),
            "time_limit_s": self.time_limit_s,
            "memory_mb": self.memory_mb,
            "reference": self.reference,
        }

    def _claim(self, folder: Path) -> None:
        """Make the folder this study's own, or refuse."""
        try:
            for name in ("references", "solutions"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror or error}") from None
        path = folder / "study.json"
        settings = self._settings()
        if not path.exists():
            if (folder / "results.csv").exists():
                raise InputError(
                    f"{folder}: has results.csv but no study.json; take another folder"
                )
            text = msgspec.json.format(msgspec.json.encode(settings)) + b"\n"
            write_bytes(path, text, _SETTINGS_FILE)
            return
        found = decode(path, read_bytes(path), dict[str, Any])
        ours = msgspec.json.decode(msgspec.json.encode(settings))
        other = [k for k in ours if found.get(k) != ours[k]]
        if other:
            raise InputError(
                f"{folder}: belongs to a study with other {', '.join(other)}; take another folder"
            )


class _Run:
    """One run of a study: which cells wait for what."""

    def __init__(self, study: Study, folder: Path, done: set[Key]) -> None:
        self.study, self.folder = study, folder
        # Cells whose reference is there, and instances whose reference is not.
        self.ready: deque[tuple[int, Choice, int]] = deque()
        self.waiting: deque[int] = deque()
        self.cells: dict[int, list[tuple[Choice, int]]] = {}
        self.references: dict[int, Solution | None] = {}
        for number, recipe in enumerate(study.recipes):
            missing = [
                (choice, seed)
                for choice in study.choices
                for seed in study.seeds
                if (recipe.name, choice.name, seed) not in done
            ]
            if missing:
                self.cells[number] = missing
                self.waiting.append(number)

    def rows(self, place: Place) -> Iterator[dict[str, Any]]:
        """Run all cells; rows in the order in which they finish."""
        pending: dict[Future[Answer], Any] = {}
        while self.ready or self.waiting or pending:
            while len(pending) < 2 * place.slots and (self.ready or self.waiting):
                # Finished rows first: a reference only where no cell is ready.
                if self.ready:
                    number, choice, seed = self.ready.popleft()
                    future = place.submit(self._cell(number, choice, seed))
                    pending[future] = partial(self._finish, number, choice, seed)
                    continue
                number = self.waiting.popleft()
                path = self._reference_path(number)
                if self.study.reference == "none":
                    yield from self._refer(number, None)
                elif path.exists():
                    yield from self._refer(number, Answer(read_solution(path), {}))
                else:
                    choice = Choice(self.study.reference)
                    future = place.submit(self._cell(number, choice, self.study.seeds[0]))
                    pending[future] = partial(self._refer, number)
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from pending.pop(future)(future.result())

    def _cell(self, number: int, choice: Choice, seed: int) -> Cell:
        recipe, limit = self.study.recipes[number], self.study.time_limit_s
        return Cell(recipe, choice.method, choice.options, seed, limit)

    def _reference_path(self, number: int) -> Path:
        return self.folder / "references" / f"{number}.json"

    def _refer(self, number: int, answer: Answer | None) -> Iterable[dict[str, Any]]:
        """Take in a reference: the instance's cells are ready; its own cell is even finished."""
        reference = answer.solution if answer else None
        self.references[number] = reference
        path = self._reference_path(number)
        if reference is not None and not path.exists():
            write_solution(reference, path)
        own = (Choice(self.study.reference), self.study.seeds[0])
        for cell in self.cells[number]:
            # A reference that was read from disk lacks the instance's sizes: solved again.
            if cell == own and answer and answer.sizes:
                yield from self._finish(number, *cell, answer)
            else:
                self.ready.append((number, *cell))

    def _finish(
        self, number: int, choice: Choice, seed: int, answer: Answer
    ) -> Iterable[dict[str, Any]]:
        recipe = self.study.recipes[number]
        if answer.solution is not None and answer.solution.placement is not None:
            path = self.study.solution_path(self.folder, number, choice.name, seed)
            write_solution(answer.solution, path)
        row = _row(answer, self.references[number])
        row |= {"instance": recipe.name, "method": choice.name, "seed": seed, **recipe.labels}
        yield row


def _row(answer: Answer, reference: Solution | None) -> dict[str, Any]:
    """Row of a cell, without what names it."""
    solution = answer.solution
    row: dict[str, Any] = {
        **answer.sizes,
        "status": Status.NONE.value,
        "stopped_by": "error",
        "error": answer.error,
    }
    if answer.guarantee is not None:
        row["guarantee"], row["guarantee_because"] = answer.guarantee
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
            row["ratio"] = _ratio(solution, reference, solution.latency_empty_s - bound)
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
