"""Commands that show what a study has found: `table` and `figure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problem.errors import InputError
from ..problem.files import check_writable
from .output import print_text
from .words import inches, split

if TYPE_CHECKING:
    import pandas as pd

    from ..reports.study_figure import Kind
    from ..reports.text_table import Format


def table(study: str, methods: str | None, compare: str | None, format: Format) -> int:  # noqa: A002
    """Print a study's gap table, or differences between its methods."""
    from ..reports.study_table import study_table

    print_text(study_table(_rows(study, methods, compare), format, compare))
    return 0


def figure(
    study: str,
    kind: Kind,
    methods: str | None,
    width: str | None,
    format: str | None,  # noqa: A002
    output: str,
) -> int:
    """Draw a figure of a study."""
    from ..reports.drawing import PICTURE_FILE, kind_of, write_figure
    from ..reports.study_figure import study_figure

    kind_of(output, format)
    width_in = None if width is None else inches(width)
    check_writable(output, PICTURE_FILE)
    write_figure(study_figure(_rows(study, methods), kind, width_in), output, format)
    print_text(f"drawn into {output}")
    return 0


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
