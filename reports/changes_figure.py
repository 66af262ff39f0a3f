"""The picture of what changes of the servers' memory are worth."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..problem.quantities import bytes_text
from .drawing import COLOURS, line_style, style

#: Height of a server's row, and of everything around the rows, in inches.
_ROW_IN, _AROUND_IN = 0.27, 1.35

#: Height of curves at least, in inches.
_CURVES_IN = 3.6


def changes_figure(changes: pd.DataFrame, width_in: float = 7.2) -> Figure:
    """Draw the certain interval and the value found of every change.

    On the left more memory, one bar for each server, or over several amounts one curve for each; on
    the right the losses.

    Parameters
    ----------
    changes : DataFrame
        See `expertcache.WhatIf`.
    width_in : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    more, lost = (changes[changes["change"] == kind] for kind in ("more", "lost"))
    amounts = sorted(set(more["memory_bytes"]))
    servers = max(more["server"].nunique(), len(lost), 1)
    height = _AROUND_IN + _ROW_IN * servers
    if len(amounts) > 1:
        height = max(height, _CURVES_IN)
    with style(width_in):
        figure = Figure(figsize=(width_in, height), layout="constrained")
        left, right = figure.subplots(1, 2)
        if len(amounts) > 1:
            _curves(left, more)
            left.set_title("more memory")
        else:
            _bars(left, more, 1.0)
            left.set_title("".join(f"{bytes_text(amount)} more" for amount in amounts))
            left.set_xlabel("saves (ms)")
        _bars(right, lost, -1.0)
        right.set_title("server lost")
        right.set_xlabel("costs (ms)")
        _legend(figure)
    return figure


def _bars(axes: Axes, rows: pd.DataFrame, sign: float) -> None:
    """A bar from the least to the most certain value of each server, the best one on top."""
    place = np.arange(len(rows))[::-1]
    ends = np.sort(1e3 * sign * rows[["value_least_s", "value_most_s"]].to_numpy(), axis=1)
    colour = COLOURS[0] if sign > 0 else COLOURS[1]
    axes.barh(place, ends[:, 1] - ends[:, 0], 0.6, ends[:, 0], color=colour, alpha=0.3)
    axes.vlines(ends.ravel(), np.repeat(place - 0.3, 2), np.repeat(place + 0.3, 2), color=colour)
    axes.plot(1e3 * sign * rows["value_s"], place, "o", color=colour)
    if sign < 0:
        axes.plot(1e3 * sign * rows["as_it_stands_s"], place, "x", color="0.2", markersize=8)
    axes.set_yticks(place, rows["server"])
    axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    _tidy(axes, "x")


def _curves(axes: Axes, rows: pd.DataFrame) -> None:
    """The value found of each server over the memory added, in its certain range."""
    for number, (server, mine) in enumerate(rows.groupby("server", sort=False)):
        ordered = mine.sort_values("memory_bytes")
        # Nothing added is worth nothing.
        gib = np.append(0.0, ordered["memory_bytes"] / 2**30)
        least, most, found = (
            np.append(0.0, 1e3 * ordered[name])
            for name in ("value_least_s", "value_most_s", "value_s")
        )
        look = line_style(number)
        axes.fill_between(gib, least, most, color=look["color"], alpha=0.15, linewidth=0)
        axes.plot(gib, found, **look, markersize=4, label=str(server))
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("added to the server (GiB)")
    axes.set_ylabel("saves (ms)")
    axes.legend(frameon=False, fontsize="small")
    _tidy(axes, "both")


def _tidy(axes: Axes, grid: Literal["x", "both"]) -> None:
    axes.grid(axis=grid, color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure) -> None:
    """What bars and marks mean."""
    marks = [
        Patch(color="0.8", label="certain range"),
        Line2D([], [], marker="o", linestyle="", color="0.3", label="found"),
        Line2D([], [], marker="x", linestyle="", color="0.3", label="nothing placed anew"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False)
