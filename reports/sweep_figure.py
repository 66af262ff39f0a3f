"""The figure of a sweep: latency and share of the optimum over one field of the scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .drawing import COLOURS, MARKERS, save

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


def sweep_figure(rows: pd.DataFrame, folder: Path) -> bool:
    """Draw ``sweep.svg`` and ``sweep.png`` into a folder, for a study that sweeps one field.

    Above the latency, below the share of the largest saving; a column for each scenario; lines are
    means over the seeds, with the range between the smallest and the largest.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    fields = [name for name in rows.columns if name.startswith("sweep_")]
    if len(fields) != 1:
        return False
    field = fields[0]
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
    figure = Figure(figsize=(max(5.0, 3.0 * len(scenarios)), 5.6), layout="constrained")
    axes = figure.subplots(2, len(scenarios), sharex=True, sharey="row", squeeze=False)
    rows = rows.assign(position=rows[field].astype(str).map(position))
    for column, scenario in enumerate(scenarios):
        mine = rows[rows["scenario"] == scenario]
        for number, method in enumerate(methods):
            cells = mine[mine["method"] == method]
            for axis, name in zip(axes[:, column], ("latency_s", "ratio"), strict=True):
                _line(axis, cells, name, number, method)
        axes[0, column].set_title(scenario, fontsize=10)
        axes[1, column].set_xlabel(_LABELS.get(field.removeprefix("sweep_"), field), fontsize=9)
        if not numeric or all(at.is_integer() for at in position.values()):
            axes[1, column].set_xticks(list(position.values()), list(position))
    axes[0, 0].set_ylabel("latency of a token (s)")
    axes[1, 0].set_ylabel("share of the optimal saving")
    axes[0, 0].set_ylim(bottom=0)
    axes[1, 0].set_ylim(-0.03, 1.03)
    for axis in axes.flat:
        axis.grid(color="0.92")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=min(len(methods), 2 * len(scenarios)),
        frameon=False,
    )
    save(figure, folder, "sweep")
    return True


def _line(axis: Axes, cells: pd.DataFrame, name: str, number: int, method: str) -> None:
    known = cells.dropna(subset=[name])
    over = known.groupby("position")[name].agg(["mean", "min", "max"]).sort_index()
    colour = COLOURS[number % len(COLOURS)]
    x = over.index.to_numpy(dtype=np.float64)
    axis.fill_between(x, over["min"], over["max"], color=colour, alpha=0.15, linewidth=0)
    axis.plot(
        x, over["mean"], color=colour, marker=MARKERS[number % len(MARKERS)], markersize=5,
        linewidth=max(1.2, 3.6 - 0.5 * number),
        label=method, zorder=3 + 0.1 * number,
    )  # fmt: skip
