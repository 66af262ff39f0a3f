"""The figure of a study: every cell's ratio to the optimum, method by method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .drawing import COLOURS, MARKERS, save
from .table import nothing_to_save

_GROUPS = ("K = 1", "K = 2", "K = 3", "K ≥ 4")
_STYLE = dict(zip(_GROUPS, zip(COLOURS, MARKERS, strict=False), strict=False))


def ratio_figure(rows: pd.DataFrame, folder: Path) -> None:
    """Draw ``ratio.svg`` and ``ratio.png`` into a folder.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    folder : Path
    """
    known = rows.dropna(subset=["ratio"])
    methods = list(rows["method"].drop_duplicates())
    figure = Figure(figsize=(7.2, 1.2 + 0.48 * len(methods)), layout="constrained")
    axes = figure.add_subplot()
    for line, method in enumerate(methods):
        cells = known[known["method"] == method]
        if cells.empty:
            mine = rows[rows["method"] == method]
            why = "nothing to save" if nothing_to_save(mine).any() else "no result"
            axes.text(0.5, line, why, ha="center", va="center", color="0.5")
            continue
        # Instances keep their own height in every method's band, so they can be followed.
        order = cells["instance"].map({n: i for i, n in enumerate(rows["instance"].unique())})
        spread = 0.6 * (order / max(1, rows["instance"].nunique() - 1) - 0.5)
        for label, (colour, marker) in _STYLE.items():
            mine = cells["top_k"].map(_group) == label
            axes.scatter(
                cells.loc[mine, "ratio"],
                line + spread[mine],
                s=26,
                c=colour,
                marker=marker,
                alpha=0.85,
                linewidths=0,
                label=label,
                zorder=3,
            )
            promised = cells.loc[mine, "guarantee"].min()
            if 0 < promised < 1:
                axes.plot(promised, line, marker="|", markersize=22, color=colour, zorder=2)
        mean = cells["ratio"].mean()
        axes.plot([mean, mean], [line - 0.4, line + 0.4], color="black", linewidth=1.4, zorder=4)
    axes.set_yticks(np.arange(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("saving / optimal saving   (black: mean; coloured bar: proven in advance)")
    axes.grid(axis="x", color="0.9", zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles, labels = axes.get_legend_handles_labels()
    present = set(known["top_k"].map(_group))
    unique = {k: h for h, k in zip(handles, labels, strict=True) if k in present}
    if unique:
        figure.legend(
            unique.values(), unique.keys(), loc="outside upper center", ncols=4, frameon=False
        )
    save(figure, folder, "ratio")


def _group(top_k: float) -> str:
    return f"K = {int(top_k)}" if top_k <= 3 else "K ≥ 4"
