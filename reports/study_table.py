"""The tables of a study, in the form that is wanted."""

from __future__ import annotations

import pandas as pd

from .comparison import comparison_table, comparison_title, paired_differences
from .table import gap_numbers, gap_table, gap_title, grouped
from .text_table import WRITERS, Format


def study_table(rows: pd.DataFrame, format: Format = "text", compare: str | None = None) -> str:  # noqa: A002
    """Write the gap table of a study, or how its methods differ from one of them.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    format : {"text", "latex", "markdown", "csv"}
        CSV has the numbers with all their digits.
    compare : str, optional
        The one method; see `paired_differences`.

    Raises
    ------
    InputError
        If there is no such method.
    """
    numbers = gap_numbers(rows) if compare is None else paired_differences(rows, compare)
    if format == "csv":
        return numbers.to_csv(index=False).rstrip("\n")
    if compare is None:
        return WRITERS[format](grouped(gap_table(rows)), gap_title(rows))
    return WRITERS[format](comparison_table(numbers), comparison_title(compare))
