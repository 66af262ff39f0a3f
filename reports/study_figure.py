"""The figures of a study, by their kinds."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from ..problem.errors import InputError
from .figure import ratio_figure
from .profile_figure import profile_figure
from .sweep_figure import sweep_figure

Kind = Literal["ratio", "sweep", "profile", "time-profile"]


def study_figure(rows: pd.DataFrame, kind: Kind = "ratio", width_in: float | None = None) -> Figure:
    """Draw a figure of a study.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    kind : {"ratio", "sweep", "profile", "time-profile"}
        Every cell's share of the optimum; latency and share over a swept field; performance
        profiles of the latency, or of the time to a proof.
    width_in : float, optional
        In inches; text has its size in print.

    Returns
    -------
    matplotlib.figure.Figure
        For `write_figure`.

    Raises
    ------
    InputError
        If a sweep is wanted and there is none.
    """
    if kind == "sweep":
        figure = sweep_figure(rows, width_in)
        if figure is None:
            raise InputError("sweep: the study does not sweep one field of its scenarios")
        return figure
    if kind == "ratio":
        return ratio_figure(rows, width_in or 7.2)
    return profile_figure(rows, "time" if kind == "time-profile" else "latency", width_in or 6.4)
