"""The figure of a study: every cell's ratio to the optimum, method by method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .drawing import COLOURS, MARKERS, legend_columns, style
from .table import nothing_to_save

_GROUPS = ("K = 1", "K = 2", "K = 3", "K ≥ 4")
_STYLE = dict(zip(_GROUPS, zip(COLOURS, MARKERS, strict=False), strict=False))


def ratio_figure(rows: pd.DataFrame, width_in: float = 7.2) -> Figure:
    """Draw a point for each cell, a line for each method.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    width_in : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style(width_in) as size:
        return _drawn(rows, width_in, size)


def _drawn(rows: pd.DataFrame, width_in: float, size: float) -> Figure:
    known = rows.dropna(subset=["ratio"])
    methods = list(rows["method"].drop_duplicates())
    figure = Figure(figsize=(width_in, size * (0.12 + 0.048 * len(methods))), layout="constrained")
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
                s=0.26 * size**2,
                c=colour,
                marker=marker,
                alpha=0.85,
                linewidths=0,
                zorder=3,
            )
            promised = cells.loc[mine, "guarantee"].min()
            if 0 < promised < 1:
                axes.plot(promised, line, marker="|", markersize=2.2 * size, color=colour, zorder=2)
        mean = cells["ratio"].mean()
        axes.plot([mean, mean], [line - 0.4, line + 0.4], color="black", linewidth=1.4, zorder=4)
    axes.set_yticks(np.arange(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("saving / optimal saving")
    axes.grid(axis="x", color="0.9", zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    present = set(known["top_k"].map(_group))
    bar: Any = {"linestyle": "none", "marker": "|", "markersize": size}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=label)
        for label, (colour, marker) in _STYLE.items()
        if label in present
    ]
    handles.append(Line2D([], [], color="black", markeredgewidth=1.4, label="mean", **bar))
    if known["guarantee"].between(0, 1, inclusive="neither").any():
        handles.append(Line2D([], [], color=COLOURS[0], label="proven in advance", **bar))
    labels = [str(handle.get_label()) for handle in handles]
    columns = legend_columns(labels, width_in, size)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)
    return figure


def _group(top_k: float) -> str:
    return f"K = {int(top_k)}" if top_k <= 3 else "K ≥ 4"
