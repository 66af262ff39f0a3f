"""The report of a study: table, figures and page, drawn from ``results.csv`` in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..problem.instance import Instance
from ..problem.placement import Placement
from .figure import ratio_figure
from .page import write_page
from .placement_figure import placement_figure
from .sweep_figure import sweep_figure
from .table import gap_table, table_text


@dataclass(frozen=True, eq=False)
class Report:
    """What a study has found so far.

    Attributes
    ----------
    rows : DataFrame
        As in ``results.csv``.
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
    missing, failures
        See `Report`.
    """
    rows = _read(folder / "results.csv")
    if rows.empty:
        return Report(rows, "", missing, failures)
    table = gap_table(rows)
    ratio_figure(rows, folder)
    sweep_figure(rows, folder)
    if drawn is not None:
        placement_figure(*drawn, folder, "placement")
    write_page(rows, table, folder, settings, drawn[0].name if drawn else "", missing)
    return Report(rows, table_text(rows, table, missing), missing, failures)


def _read(path: Path) -> pd.DataFrame:
    """Rows of a study; nothing but an empty field is missing, whatever an instance is called."""
    types = {"seed": "Int64", "instance": "str", "method": "str"}
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
