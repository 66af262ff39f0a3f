"""What changes of the servers' memory are worth, as a table of text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..problem.instance import FloatArray
from ..problem.quantities import bytes_text
from .text_table import text_table

#: Digits of the largest value in a table; all have as many places.
_DIGITS = 4


def changes_table(changes: pd.DataFrame, latency_s: float) -> str:
    """Tables for a terminal: one for each amount of memory, and one for the losses.

    Milliseconds. Bounds are rounded outwards: what is printed is true.

    Parameters
    ----------
    changes : DataFrame
        See `expertcache.WhatIf`.
    latency_s : float
        Of the best placement found, as 100 %.
    """
    more, lost = (changes[changes["change"] == kind] for kind in ("more", "lost"))
    tables = []
    for amount, rows in more.groupby("memory_bytes"):
        values = [rows[name] for name in ("value_s", "value_least_s", "value_most_s")]
        names = f"{bytes_text(int(str(amount)))} more on", "saves", "at least", "at most"
        tables.append(_table(rows, names, values, latency_s))
    if len(lost):
        # What a loss costs is its value below 0.
        values = [-lost[name] for name in ("value_s", "value_most_s", "value_least_s")]
        names = "without", "costs", "at least", "at most"
        tables.append(_table(lost, names, values, latency_s, as_it_stands=-lost["as_it_stands_s"]))
    return "\n\n".join(tables)


def _table(
    rows: pd.DataFrame,
    names: tuple[str, str, str, str],
    values: list[pd.Series[float]],
    latency_s: float,
    as_it_stands: pd.Series[float] | None = None,
) -> str:
    """One table: servers; found, least and most values; the value of the placement as it stands."""
    # Adding 0 takes its sign from a zero.
    found, least, most = (column.to_numpy() * 1e3 + 0.0 for column in values)
    places = _places(np.concatenate([found, most]))
    unit = 10.0**-places
    columns = {
        names[0]: list(rows["server"]),
        f"{names[1]} (ms)": [f"{value:.{places}f}" for value in found],
        names[2]: [f"{value:.{places}f}" for value in np.floor(least / unit) * unit],
        names[3]: [f"{value:.{places}f}" for value in np.ceil(most / unit) * unit],
        "of all": [f"{share:.2f} %" for share in found / max(latency_s * 10, 1e-300)],
        "proven": ["yes" if proven else "no" for proven in rows["proven"]],
    }
    if as_it_stands is not None:
        columns["as it stands"] = [f"{value:.{places}f}" for value in as_it_stands * 1e3]
    table = pd.DataFrame(columns)
    table.columns = pd.MultiIndex.from_product([[""], table.columns])
    return text_table(table)


def _places(values: FloatArray) -> int:
    """Places after the point that give the largest value its digits."""
    largest = float(np.abs(values).max(initial=0.0))
    return max(0, _DIGITS - 1 - int(np.floor(np.log10(largest)))) if largest > 0 else 0
