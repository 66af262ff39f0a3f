"""The gap table: what each method reaches, as a share of the optimal saving."""

from __future__ import annotations

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
        for K >= 2 the mean and smallest ratio and the smallest that is proven in advance; the share
        of cells that reach the optimum, the mean latency gap and the median time.
    """
    lines = []
    for method, cells in rows.groupby("method", sort=False):
        solved = int(cells["saving_s"].notna().sum())
        line: dict[str, object] = {"method": method, "solved": f"{solved}/{len(cells)}"}
        for label, mine in (("K=1", cells["top_k"] == 1), ("K>=2", cells["top_k"] > 1)):
            if not (rows["top_k"].eq(1) if label == "K=1" else rows["top_k"].gt(1)).any():
                continue
            ratio = cells.loc[mine, "ratio"]
            line[f"{label} mean"] = _number(ratio.mean())
            line[f"{label} min"] = _number(ratio.min())
            # As the ratios: cells without a result do not count.
            promised = cells.loc[mine & cells["saving_s"].notna(), "guarantee"]
            line[f"{label} proven"] = _promise(promised.min())
        line["optimal"] = _percent((cells["ratio"] >= 1 - 1e-6).mean())
        line["mean gap"] = _percent(cells["gap"].mean(), digits=2)
        line["median time"] = _seconds(cells["seconds"].median())
        lines.append(line)
    return pd.DataFrame(lines)


def table_text(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return the gap table for a terminal, with a title."""
    counts = rows.drop_duplicates("instance")["reference"].value_counts()
    title = (
        f"saving as a share of the optimum; {rows['instance'].nunique()} instances, "
        f"{counts.get('optimum', 0)} proved optimal"
    )
    # pandas aligns to the right only; names read better on the left.
    width = int(table["method"].str.len().max())
    aligned = table.assign(method=table["method"].str.ljust(width))
    return title + "\n" + aligned.to_string(index=False)


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
