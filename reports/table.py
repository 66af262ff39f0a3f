"""The gap table: what each method reaches, as a share of the optimal saving."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd


def gap_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise the rows of a study.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.

    Returns
    -------
    DataFrame
        One row for each method, in the study's order: ``cells``, and how many are ``solved``; for
        K = 1 and for K >= 2 the ratio's mean, its standard deviation over the cells, the smallest,
        and the smallest that is proven in advance; ``optimal``, the share of cells that reach the
        optimum, the mean latency gap and the median time in seconds. Where nothing can be saved
        there is no ratio to count.
    """
    lines = []
    for method, cells in rows.groupby("method", sort=False):
        solved = int(cells["saving_s"].notna().sum())
        line: dict[str, object] = {"method": method, "solved": solved, "cells": len(cells)}
        able = cells[~nothing_to_save(cells)]
        for label, mine in (("K=1", able["top_k"].eq(1)), ("K>=2", able["top_k"].gt(1))):
            if not (rows["top_k"].eq(1) if label == "K=1" else rows["top_k"].gt(1)).any():
                continue
            # Of a cell that failed, nobody knows K.
            mine = mine.fillna(False).astype(bool)
            ratio = able.loc[mine, "ratio"]
            line[f"{label} mean"] = ratio.mean()
            line[f"{label} sd"] = ratio.std()
            line[f"{label} min"] = ratio.min()
            # As the ratios: cells without a result do not count.
            promised = able.loc[mine & able["saving_s"].notna(), "guarantee"]
            line[f"{label} proven"] = promised.min()
        reached = able["ratio"].ge(1 - 1e-6)
        line["optimal"] = reached.mean() if able["ratio"].notna().any() else math.nan
        line["mean gap"] = able["gap"].mean()
        # The median by its quantile: older versions of pandas warn of a median of nothing.
        line["median time"] = float(cells["seconds"].quantile(0.5))
        lines.append(line)
    return pd.DataFrame(lines)


def gap_table(rows: pd.DataFrame) -> pd.DataFrame:
    """`gap_numbers` as text, with ``solved`` as a share of the cells."""
    numbers = gap_numbers(rows)
    columns = {}
    for name, values in numbers.items():
        column = str(name)
        if column == "solved":
            values = values.astype(str) + "/" + numbers["cells"].astype(str)
        elif column not in ("method", "cells"):
            values = values.map(_FORMS.get(column) or _FORMS[column.partition(" ")[2]])
        columns[column] = values
    return pd.DataFrame(columns).drop(columns="cells", errors="ignore")


def nothing_to_save(rows: pd.DataFrame) -> pd.Series[bool]:
    """Which rows have a result but no ratio, because no placement can save anything."""
    return rows["saving_s"].notna() & rows["bound_latency_s"].notna() & rows["ratio"].isna()


def gap_title(rows: pd.DataFrame, missing: int = 0) -> str:
    """Line above the gap table: how many instances there are, and how many cells are missing."""
    counts = rows.drop_duplicates("instance")["reference"].value_counts()
    idle = rows.loc[nothing_to_save(rows), "instance"].nunique()
    return (
        f"saving as a share of the optimum; {rows['instance'].nunique()} instances, "
        f"{counts.get('optimum', 0)} proved optimal"
        + (f", {idle} with nothing to save" if idle else "")
        + (f"; {missing} cells missing" if missing else "")
    )


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """Gap table with what is said of K = 1 and of K >= 2 under a heading of its own."""
    table = table.copy()
    table.columns = pd.MultiIndex.from_tuples([_heads(str(name)) for name in table.columns])
    return table


def _heads(name: str) -> tuple[str, str]:
    group, _, column = name.partition(" ")
    return (group, column) if group.startswith("K") else ("", name)


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.4f}"


def _promise(value: float) -> str:
    return "-" if pd.isna(value) or value == 0 else f"{value:.2f}"


def _seconds(value: float) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.3f} s" if value >= 1e-3 else "<0.001 s"


def _percent(share: float, digits: int = 0) -> str:
    return "-" if pd.isna(share) else f"{100 * share:.{digits}f} %"


#: How each column is written; those of K = 1 and K >= 2 by their last word.
_FORMS: dict[str, Callable[[float], str]] = {
    "mean": _number,
    "sd": _number,
    "min": _number,
    "proven": _promise,
    "optimal": _percent,
    "mean gap": lambda share: _percent(share, digits=2),
    "median time": _seconds,
}
