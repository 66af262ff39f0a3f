"""Commands that show what a study has found: `table` and `figure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problem.errors import InputError
from ..problem.files import check_writable
from .output import print_text
from .words import inches, split

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..reports.text_table import Format


def table(study: str, methods: str | None, compare: str | None, format: Format) -> int:  # noqa: A002
    """Print a study's gap table, or differences between its methods."""
    from ..reports.comparison import comparison_table, comparison_title, paired_differences
    from ..reports.table import gap_numbers, gap_table, gap_title, grouped
    from ..reports.text_table import WRITERS

    rows = _rows(study, methods, compare)
    numbers = gap_numbers(rows) if compare is None else paired_differences(rows, compare)
    if format == "csv":
        print_text(numbers.to_csv(index=False).rstrip("\n"))
    elif compare is None:
        print_text(WRITERS[format](grouped(gap_table(rows)), gap_title(rows)))
    else:
        print_text(WRITERS[format](comparison_table(numbers), comparison_title(compare)))
    return 0


def figure(study: str, kind: str, methods: str | None, width: str | None, output: str) -> int:
    """Draw a figure of a study."""
    from ..reports.drawing import PICTURE_FILE, kind_of, write_figure

    kind_of(output)
    width_in = None if width is None else inches(width)
    check_writable(output, PICTURE_FILE)
    write_figure(_drawn(kind, _rows(study, methods), width_in), output)
    print_text(f"drawn into {output}")
    return 0


def _drawn(kind: str, rows: pd.DataFrame, width_in: float | None) -> Figure:
    from ..reports.figure import ratio_figure
    from ..reports.profile_figure import profile_figure
    from ..reports.sweep_figure import sweep_figure

    given = {} if width_in is None else {"width_in": width_in}
    if kind == "ratio":
        return ratio_figure(rows, **given)
    if kind == "sweep":
        drawn = sweep_figure(rows, **given)
        if drawn is None:
            raise InputError("--kind sweep: the study does not sweep one field of its scenarios")
        return drawn
    return profile_figure(rows, "time" if kind == "time-profile" else "latency", **given)


def _rows(study: str, methods: str | None, compare: str | None = None) -> pd.DataFrame:
    """Results of some methods of a study; of all where none are given."""
    from ..reports.results_table import of_methods, read_results

    rows = read_results(study)
    if rows.empty:
        raise InputError(f"{study}: has no results yet")
    if methods is None:
        return rows
    # A method that others are compared with need not be named twice.
    return of_methods(rows, [*split(methods), *([] if compare is None else [compare])])
