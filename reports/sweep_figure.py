"""The figure of a sweep: latency and share of the optimum over one field of the scenario."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .drawing import legend_columns, line_style, style

#: Axis labels of the fields that are swept most.
_LABELS = {
    "capacity": "storage of each server\n(share of all experts)",
    "servers": "servers",
    "users": "users",
    "top_k": "experts of a token\nin each layer, K",
    "skew": "skew of the popularity (Zipf exponent)",
    "coactivation": "co-activation (log odds of a pair)",
    "cloud_s": "way to the cloud (s)",
    "local": "experts of each layer on a device",
}


#: A panel narrower than this, in inches, tells nothing.
_LEAST_PANEL_IN = 1.6


def sweep_figure(rows: pd.DataFrame, width_in: float | None = None) -> Figure | None:
    """Draw latency and the share of the largest saving, for a study that sweeps one field.

    Above the latency, below the share; a column for each scenario, or a row where the width is too
    small for that. Lines are means over the seeds, with the range between the smallest and the
    largest.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    width_in : float, optional
        In inches; by default as wide as the scenarios need.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where there is no one swept field.
    """
    fields = [name for name in rows.columns if name.startswith("sweep_")]
    if len(fields) != 1:
        return None
    count = rows["scenario"].dropna().nunique()
    width = width_in or max(5.0, 3.0 * count)
    with style(width) as size:
        return _drawn(rows, fields[0], width, size)


def _drawn(rows: pd.DataFrame, field: str, width_in: float, size: float) -> Figure:
    # Read as text: numbers may stand beside words.
    values = list(dict.fromkeys(rows[field].dropna().astype(str)))
    try:
        position = {value: float(value) for value in values}
        numeric = True
    except ValueError:
        position = {value: float(place) for place, value in enumerate(values)}
        numeric = False
    scenarios = list(dict.fromkeys(rows["scenario"].dropna()))
    methods = list(dict.fromkeys(rows["method"]))
    across = width_in >= _LEAST_PANEL_IN * len(scenarios)
    height = 5.6 if across else 0.9 + 1.7 * len(scenarios)
    figure = Figure(
        figsize=(width_in, height * size / 10 if across else height), layout="constrained"
    )
    if across:
        axes = figure.subplots(2, len(scenarios), sharex=True, sharey="row", squeeze=False)
    else:
        axes = figure.subplots(len(scenarios), 2, sharex=True, sharey="col", squeeze=False).T
    rows = rows.assign(position=rows[field].astype(str).map(position))
    for column, scenario in enumerate(scenarios):
        mine = rows[rows["scenario"] == scenario]
        for number, method in enumerate(methods):
            cells = mine[mine["method"] == method]
            for axis, name in zip(axes[:, column], ("latency_s", "ratio"), strict=True):
                _line(axis, cells, name, number, method, size)
        axes[0, column].set_title(scenario)
        if not numeric or all(at.is_integer() for at in position.values()):
            axes[1, column].set_xticks(list(position.values()), list(position))
    label = _LABELS.get(field.removeprefix("sweep_"), field)
    for axis in axes[1, :] if across else axes[:, -1]:
        axis.set_xlabel(label, fontsize="small")
    for each, text in zip(
        axes, ("latency of a token (s)", "share of the optimal saving"), strict=True
    ):
        for axis in each[:1] if across else each:
            axis.set_ylabel(text, fontsize="medium" if across else "small")
    axes[0, 0].set_ylim(bottom=0)
    axes[1, 0].set_ylim(-0.03, 1.03)
    for axis in axes.flat:
        axis.grid(color="0.92")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize="small")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=min(len(methods), legend_columns(methods, width_in, size)),
        frameon=False,
    )
    return figure


def _line(
    axis: Axes, cells: pd.DataFrame, name: str, number: int, method: str, size: float
) -> None:
    known = cells.dropna(subset=[name])
    over = known.groupby("position")[name].agg(["mean", "min", "max"]).sort_index()
    look = line_style(number)
    x = over.index.to_numpy(dtype=np.float64)
    axis.fill_between(x, over["min"], over["max"], color=look["color"], alpha=0.15, linewidth=0)
    thick = max(1.2, 3.6 - 0.5 * number) * size / 10
    axis.plot(
        x, over["mean"], **look, markersize=size / 2, linewidth=thick, label=method,
        zorder=3 + 0.1 * number,
    )  # fmt: skip
