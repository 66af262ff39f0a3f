"""The report of a study: table, figures and page, drawn from ``results.csv`` in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..problem.instance import Instance
from ..problem.placement import Placement
from ..watch import Event
from .drawing import save
from .figure import ratio_figure
from .page import write_page
from .page_data import Scene, page_data
from .placement_figure import placement_figure
from .results_table import read_results
from .sweep_figure import sweep_figure
from .table import gap_table, gap_title, grouped
from .text_table import text_table


@dataclass(frozen=True, eq=False)
class Report:
    """What a study has found so far.

    Attributes
    ----------
    rows : DataFrame
        As `read_results` reads it.
    table : str
        The gap table; empty if there are no rows.
    missing : int
        Cells that have not run, or not with these limits.
    failures : tuple of str
        A line for each method and reason for which cells failed.
    """

    rows: pd.DataFrame
    table: str
    missing: int
    failures: tuple[str, ...]

    @property
    def succeeded(self) -> bool:
        """Whether some cell did not fail."""
        return bool(self.rows["error"].isna().any())

    def __str__(self) -> str:
        return self.table


def write_report(
    folder: Path,
    settings: dict[str, Any],
    drawn: tuple[Instance, Placement] | None,
    scenes: Iterable[Scene],
    events: Mapping[int, Sequence[Event]],
    missing: int,
    failures: tuple[str, ...],
) -> Report:
    """Draw what a study's folder holds; nothing if there are no rows.

    Parameters
    ----------
    folder : Path
        Has ``results.csv``.
    settings : dict
        The study's settings and its ``command``.
    drawn : tuple of Instance and Placement, optional
        What the placement's pictures show.
    scenes, events
        What the page lets explore, see `page_data`.
    missing, failures
        See `Report`.
    """
    rows = read_results(folder)
    if rows.empty:
        return Report(rows, "", missing, failures)
    table = gap_table(rows)
    save(ratio_figure(rows), folder, "ratio")
    if (sweep := sweep_figure(rows)) is not None:
        save(sweep, folder, "sweep")
    if drawn is not None:
        placement_figure(*drawn, folder, "placement")
    data = page_data(scenes, events)
    write_page(rows, table, folder, settings, drawn[0].name if drawn else "", data, missing)
    text = text_table(grouped(table), gap_title(rows, missing))
    return Report(rows, text, missing, failures)
