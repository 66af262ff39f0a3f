"""The gap table: what each method reaches, as a share of the optimal saving."""

from __future__ import annotations

import math

import pandas as pd


def gap_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise the rows of a study.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.

    Returns
    -------
    DataFrame
        One row of text for each method, in the study's order: cells with a result; for K = 1 and
        for K >= 2 the ratio's mean, its standard deviation over the cells, the smallest, and the
        smallest that is proven in advance; the share of cells that reach the optimum, the mean
        latency gap and the median time. Where nothing can be saved there is no ratio to count.
    """
    lines = []
    for method, cells in rows.groupby("method", sort=False):
        solved = int(cells["saving_s"].notna().sum())
        line: dict[str, object] = {"method": method, "solved": f"{solved}/{len(cells)}"}
        able = cells[~nothing_to_save(cells)]
        for label, mine in (("K=1", able["top_k"] == 1), ("K>=2", able["top_k"] > 1)):
            if not (rows["top_k"].eq(1) if label == "K=1" else rows["top_k"].gt(1)).any():
                continue
            ratio = able.loc[mine, "ratio"]
            line[f"{label} mean"] = _number(ratio.mean())
            line[f"{label} sd"] = _number(ratio.std())
            line[f"{label} min"] = _number(ratio.min())
            # As the ratios: cells without a result do not count.
            promised = able.loc[mine & able["saving_s"].notna(), "guarantee"]
            line[f"{label} proven"] = _promise(promised.min())
        reached = able["ratio"].ge(1 - 1e-6)
        line["optimal"] = _percent(reached.mean() if able["ratio"].notna().any() else math.nan)
        line["mean gap"] = _percent(able["gap"].mean(), digits=2)
        # The median by its quantile: older versions of pandas warn of a median of nothing.
        line["median time"] = _seconds(float(cells["seconds"].quantile(0.5)))
        lines.append(line)
    return pd.DataFrame(lines)


def nothing_to_save(rows: pd.DataFrame) -> pd.Series[bool]:
    """Which rows have a result but no ratio, because no placement can save anything."""
    return rows["saving_s"].notna() & rows["bound_latency_s"].notna() & rows["ratio"].isna()


def table_text(rows: pd.DataFrame, table: pd.DataFrame, missing: int) -> str:
    """Return the gap table for a terminal, with a title that tells how many cells are missing."""
    counts = rows.drop_duplicates("instance")["reference"].value_counts()
    idle = rows.loc[nothing_to_save(rows), "instance"].nunique()
    title = (
        f"saving as a share of the optimum; {rows['instance'].nunique()} instances, "
        f"{counts.get('optimum', 0)} proved optimal"
        + (f", {idle} with nothing to save" if idle else "")
        + (f"; {missing} cells missing" if missing else "")
    )
    # pandas aligns to the right only; names read better on the left.
    width = int(table["method"].str.len().max())
    aligned = table.assign(method=table["method"].str.ljust(width))
    # What is said of K = 1 and of K >= 2 stands under a heading of its own.
    aligned.columns = pd.MultiIndex.from_tuples([_heads(str(name)) for name in table.columns])
    lines = aligned.to_string(index=False).splitlines()
    return "\n".join([title, *(line.rstrip() for line in lines)])


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
