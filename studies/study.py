"""The gap study: instances x methods x seeds, each cell safe on disk once it has finished."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd
from tqdm.auto import tqdm
from tqdm.notebook import tqdm_notebook

from ..instances.recipe import Recipe
from ..problem.errors import InputError
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.sizes import MAX_INT
from ..problem.solution import read_solution
from ..reports.report import Report, write_report
from ..reports.results_table import parse_results
from ..solver import find_method
from ..watch import Watch, stopped_by_signals
from . import details, executors
from .cell import Cell
from .folder import claim, refuse_another
from .results import Key, Result, Results
from .rows import row_of, rows_bytes, write_rows

#: What ratios are measured against: the optimum (or the bound) of `milp`, the linear relaxation, or
#: nothing but what a method proves itself.
Reference = Literal["milp", "exact", "decomposition", "lp", "none"]

#: Seconds between two times that `results.csv` is brought up to date while cells run.
_REFRESH_S = 10.0


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method with its options, under a name of its own in the study."""

    method: str
    label: str = ""
    options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Label, or what the method calls itself."""
        return self.label or find_method(self.method).name


@dataclass(frozen=True)
class Study:
    """A study: every instance with every method and every seed.

    Parameters
    ----------
    recipes : tuple of Recipe
        How to make the instances; with distinct names.
    methods : tuple of str or Variant
        With distinct names.
    seeds : tuple of int
        A method in which nothing is random runs once.
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
    methods: tuple[str | Variant, ...]
    seeds: tuple[int, ...] = (0,)
    time_limit_s: float = 60.0
    memory_mb: int | None = None
    reference: Reference = "milp"
    grace_s: float = 60.0
    command: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        names: dict[str, list[object]] = {
            "instance": [recipe.name for recipe in self.recipes],
            "method": [variant.name for variant in self.variants],
            "seed": list(self.seeds),
        }
        for what, values in names.items():
            if not values:
                raise InputError(f"study: no {what}")
            repeated = {str(value) for value in values if values.count(value) > 1}
            if repeated:
                raise InputError(f"study: {what} {', '.join(sorted(repeated))} is repeated")
        for variant in self.variants:
            find_method(variant.method).options(variant.options)
        if min(self.seeds) < 0 or max(self.seeds) > MAX_INT:
            raise InputError(f"study: seeds must be between 0 and {MAX_INT}")
        for what, value in (("time limit", self.time_limit_s), ("grace", self.grace_s)):
            if not 0 < value < math.inf:
                raise InputError(f"study: the {what} must be > 0 and finite")
        if self.memory_mb is not None and self.memory_mb < 1:
            raise InputError("study: the memory limit must be >= 1 MiB")

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The methods with their options."""
        return tuple(Variant(m) if isinstance(m, str) else m for m in self.methods)

    def run(
        self,
        folder: str | Path,
        *,
        jobs: int = 1,
        scheduler: str | None = None,
        retry_failed: bool = False,
    ) -> Report:
        """Run what is missing in a folder, then write the table, the figures and the page.

        Ctrl-C or SIGTERM drops the running cells and reports what has finished; called again, the
        study goes on.

        Parameters
        ----------
        folder : path
            Limits may be larger than those of earlier runs in it: cells that were stopped by a
            smaller one run again.
        jobs : int
            Processes of this machine.
        scheduler : str, optional
            Address of a Dask scheduler, to run on its cluster instead.
        retry_failed : bool
            Run failed cells again.

        Returns
        -------
        Report

        Raises
        ------
        InputError
            If the folder cannot be used, or belongs to a study with other settings or larger
            limits.
        """
        folder = Path(folder)
        claim(folder, self._settings())
        results = Results(folder)
        # Also what is dropped on the way, or has an older result.
        missing = {k: None for k in self._cells if self._is_due(results.get(k), retry_failed)}
        watch = Watch()
        with stopped_by_signals(watch, (signal.SIGINT, signal.SIGTERM)):
            self._solve(missing, results, folder, jobs, scheduler, watch)
        self._write_rows(results, folder)
        keys = [key for key, _ in self._reported(results)]
        return write_report(
            folder,
            self._settings() | {"command": self.command},
            drawn=self._best_placement(results),
            scenes=details.scenes(self.recipes, keys, results),
            events=details.events(keys, results),
            missing=len(missing),
            failures=self._failures(results),
        )

    def results(self, folder: str | Path) -> pd.DataFrame:
        """Results in a folder so far, also while the study runs there; runs nothing.

        Parameters
        ----------
        folder : path

        Returns
        -------
        DataFrame
            See `expertcache.read_results`.

        Raises
        ------
        InputError
            If the study has not run in the folder, or another one has.
        """
        folder = Path(folder)
        refuse_another(folder, self._settings())
        rows = rows_bytes(self._rows(Results(folder)), self._labels())
        return parse_results(folder, rows)

    @cached_property
    def _solved(self) -> tuple[Variant, ...]:
        """What runs: the methods, and the reference behind them where it is none of them."""
        if self.reference == "none" or self._reference_of(self.variants) is not None:
            return self.variants
        return (*self.variants, Variant(self.reference))

    def _reference_of(self, variants: Iterable[Variant]) -> int | None:
        """Position of the reference."""
        for place, variant in enumerate(variants):
            if variant.method == self.reference and not variant.options:
                return place
        return None

    def _seeds(self, method: int) -> tuple[int | None, ...]:
        return self.seeds if find_method(self._solved[method].method).uses_seed else (None,)

    @cached_property
    def _cells(self) -> tuple[Key, ...]:
        """All cells in the order in which they run: each instance's reference first."""
        order: dict[Key, None] = {}
        for number in range(len(self.recipes)):
            if (reference := self._reference_key(number)) is not None:
                order[reference] = None
            order |= dict.fromkeys(self._keys(number))
        return tuple(order)

    def _keys(self, number: int) -> list[Key]:
        """Cells of an instance that have a row, in the order of the rows."""
        methods = range(len(self.variants))
        return [Key(number, method, seed) for method in methods for seed in self._seeds(method)]

    def _reference_key(self, number: int) -> Key | None:
        """Cell that an instance's ratios are measured against."""
        method = self._reference_of(self._solved)
        return None if method is None else Key(number, method, self._seeds(method)[0])

    def _is_due(self, result: Result | None, retry_failed: bool) -> bool:
        """Whether a cell has to run, again or for the first time."""
        if result is None or (retry_failed and result.error):
            return True
        return result.was_stopped_by_less(self.time_limit_s, self.memory_mb)

    def _solve(
        self,
        missing: dict[Key, None],
        results: Results,
        folder: Path,
        jobs: int,
        scheduler: str | None,
        watch: Watch,
    ) -> None:
        """Run cells; each leaves `missing` as it finishes."""
        if scheduler is None:
            cluster = executors.local(jobs, self.grace_s, self.memory_mb)
        else:
            cluster = executors.dask(scheduler, self.grace_s, self.memory_mb)
        cells = {key: self._cell(key) for key in missing}
        refreshed, failed = time.monotonic(), 0
        with cluster as executor, _progress(len(self._cells), len(missing)) as bar:
            for key, answer in executor.answers(cells, watch):
                result = results.add(key, answer, self.time_limit_s, self.memory_mb)
                del missing[key]
                if result.error:
                    failed += 1
                    bar.set_postfix(failed=failed)
                bar.update()
                if time.monotonic() - refreshed > _REFRESH_S:
                    self._write_rows(results, folder)
                    refreshed = time.monotonic()

    def _cell(self, key: Key) -> Cell:
        variant = self._solved[key.method]
        return Cell(
            self.recipes[key.instance],
            variant.method,
            variant.options,
            0 if key.seed is None else key.seed,
            self.time_limit_s,
        )

    def _write_rows(self, results: Results, folder: Path) -> None:
        write_rows(folder / "results.csv", self._rows(results), self._labels())

    def _labels(self) -> tuple[str, ...]:
        """Columns that tell an instance's scenario and its swept values."""
        return tuple(dict.fromkeys(name for recipe in self.recipes for name in recipe.labels))

    def _rows(self, results: Results) -> Iterator[dict[str, Any]]:
        """Rows of all finished cells whose reference has finished, too."""
        for key, reference in self._reported(results):
            recipe, result = self.recipes[key.instance], results.get(key)
            assert result is not None
            name = self.variants[key.method].name
            names = {"instance": recipe.name, "method": name, "seed": key.seed}
            yield names | row_of(result, reference) | recipe.labels

    def _reported(self, results: Results) -> Iterator[tuple[Key, Result | None]]:
        """Cells that have a row, in its order: they and their reference have finished."""
        for number in range(len(self.recipes)):
            key = self._reference_key(number)
            reference = None if key is None else results.get(key)
            if key is None or reference is not None:
                for key in self._keys(number):
                    if results.get(key) is not None:
                        yield key, reference

    def _failures(self, results: Results) -> tuple[str, ...]:
        """Why cells failed: a line for each method and reason."""
        counts: dict[tuple[str, str], int] = {}
        for key in self._cells:
            result = results.get(key)
            if result is not None and result.error:
                hidden = key.method >= len(self.variants)
                name = ("reference " if hidden else "") + self._solved[key.method].name
                reason = (name, " ".join(result.error.split()))
                counts[reason] = counts.get(reason, 0) + 1
        return tuple(
            f"{count} {'cell' if count == 1 else 'cells'} of {name}: {error}"
            for (name, error), count in counts.items()
        )

    def _best_placement(self, results: Results) -> tuple[Instance, Placement] | None:
        """Best placement of the first instance that has one, if possible one that saves."""
        best: dict[int, tuple[float, Key]] = {}
        for key in self._cells:
            result = results.get(key)
            if result and result.saving_s is not None and results.solution_path(key).exists():
                known = best.get(key.instance)
                if known is None or result.saving_s > known[0]:
                    best[key.instance] = (result.saving_s, key)
        for _, key in sorted(best.values(), key=lambda found: found[0] <= 0):
            placement = read_solution(results.solution_path(key)).placement
            assert placement is not None
            try:
                return self.recipes[key.instance].make(), placement
            except InputError:
                continue  # its file is not there any more
        return None

    def _settings(self) -> dict[str, Any]:
        return {
            "instances": msgspec.to_builtins(self.recipes),
            "methods": msgspec.to_builtins(self.variants),
            "seeds": list(self.seeds),
            "time_limit_s": self.time_limit_s,
            "memory_mb": self.memory_mb,
            "reference": self.reference,
        }


def _progress(cells: int, missing: int) -> tqdm[Any]:
    """One line on a terminal, a bar in a notebook."""
    hidden = False if issubclass(tqdm, tqdm_notebook) else None
    return tqdm(total=cells, initial=cells - missing, unit="cell", disable=hidden)
