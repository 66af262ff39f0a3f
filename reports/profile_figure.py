"""Performance profiles: on which share of the instances a method is within a factor of the best.

Dolan, Moré 2002, doi:10.1007/s101070100263. A profile depends on which methods are compared; of
more than two it does not tell the second best (Gould, Scott 2016, doi:10.1145/2950048).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..problem.solution import Status
from .drawing import legend_columns, line_style, style

Measure = Literal["latency", "time"]

_LABELS: dict[Measure, str] = {
    "latency": "latency / least latency of these methods",
    "time": "time to proof / least time of these methods",
}


def performance_profile(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Cost of every method on every instance as a multiple of the least.

    The cost is the latency of the placement, or the time until it is proved optimal; over several
    seeds their mean. Without a placement, or without a proof, it is infinite.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    measure : {"latency", "time"}

    Returns
    -------
    DataFrame
        A row for each instance, a column for each method in the order of the rows; >= 1. Infinite
        for all where no method has a finite cost. A method's profile at a factor is the share of
        its column that is not above it.
    """
    if measure == "latency":
        cost = rows["latency_s"]
    else:
        cost = rows["seconds"].where(rows["status"] == Status.OPTIMAL.value)
    rows = rows.assign(cost=cost.astype(np.float64).fillna(np.inf))
    table = rows.pivot_table("cost", "instance", "method", aggfunc="mean", sort=False)
    # A method that has not run on an instance yet has not failed on it.
    table = table.dropna()[list(dict.fromkeys(rows["method"]))]
    least = table.min(axis=1)
    multiple = table.div(least, axis=0).where(np.isfinite(table), np.inf)
    # Only a cost of 0 is as good as a cost of 0.
    return multiple.mask(table.eq(0), 1.0)


def profile_figure(rows: pd.DataFrame, measure: Measure, width_in: float = 6.4) -> Figure:
    """Draw a performance profile.

    Parameters
    ----------
    rows, measure
        See `performance_profile`.
    width_in : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    multiple = performance_profile(rows, measure)
    values = multiple.to_numpy()
    finite = values[np.isfinite(values)]
    most = float(finite.max(initial=1.0))
    # So far that the last step can be seen, and times on a scale of factors.
    end = most**1.05 * 1.01 if measure == "time" else most + 0.05 * max(most - 1, 0.02)
    with style(width_in) as size:
        names = [str(name) for name in multiple.columns]
        columns = min(max(len(names), 1), legend_columns(names, width_in, size))
        legend_in = 0.02 * size * -(-len(names) // columns)
        figure = Figure(figsize=(width_in, 0.55 * width_in + legend_in), layout="constrained")
        axes = figure.add_subplot()
        for number, (method, column) in enumerate(multiple.items()):
            solved = np.sort(column[np.isfinite(column)].to_numpy())
            steps = np.array([1.0, *solved, end])
            share = np.searchsorted(solved, steps, side="right") / max(len(column), 1)
            look = line_style(number)
            axes.step(
                steps, share, where="post", label=str(method), linewidth=0.18 * size,
                color=look["color"], linestyle=look["linestyle"], zorder=3 + 0.1 * number,
                marker=look["marker"], markevery=(0.03 * number, 0.3), markersize=size / 2,
            )  # fmt: skip
        if measure == "time":
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(1.0, end)
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel(_LABELS[measure])
        axes.set_ylabel(f"share of {len(multiple)} instances")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", frameon=False, ncols=columns)
        return figure
