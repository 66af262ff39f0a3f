"""``results.csv``: a row for each cell, made from its result and that of the reference."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..problem.file_kind import FileKind
from ..problem.files import write_bytes
from ..problem.solution import Status, closes, latency_gap
from .results import Result

COLUMNS = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "latency_empty_s",
    "limitless_saving_s", "saving_s", "bound_latency_s", "ratio", "gap", "seconds", "reference",
    "guarantee", "guarantee_because", "error", "models", "servers", "users", "layers", "experts",
    "top_k", "requests",
)  # fmt: skip

_RESULTS_FILE = FileKind("results file", ",".join(COLUMNS[:3]).encode())


def row_of(result: Result, reference: Result | None) -> dict[str, Any]:
    """Columns of a cell but for those that name it.

    Parameters
    ----------
    result : Result
    reference : Result, optional
        Of the method that ratios are measured against.
    """
    row: dict[str, Any] = {
        "status": result.status.value,
        "stopped_by": result.stopped_by.value,
        "latency_s": result.latency_s,
        "saving_s": result.saving_s,
        "seconds": result.seconds,
        "guarantee": result.guarantee,
        "guarantee_because": result.guarantee_because,
        "error": result.error,
        **result.sizes,
    }
    bounds = [r.bound_latency_s for r in (result, reference) if r and r.bound_latency_s is not None]
    bound = max(bounds, default=None)
    if reference is not None and reference.bound_latency_s is not None:
        row["reference"] = "optimum" if reference.status is Status.OPTIMAL else "bound"
    if result.latency_s is not None and bound is not None:
        bound = min(bound, result.latency_s)
        row["ratio"] = _ratio(result, reference)
        row["gap"] = latency_gap(result.latency_s, bound)
    row["bound_latency_s"] = bound
    return row


def _ratio(result: Result, reference: Result | None) -> float | None:
    """Saving as a share of the largest that may be possible; None where nothing can be saved."""
    assert result.saving_s is not None
    if reference is not None and reference.status is Status.OPTIMAL:
        assert reference.saving_s is not None
        most_s = reference.saving_s
    else:
        bounds = [r.bound_saving_s for r in (result, reference) if r]
        most_s = max(result.saving_s, min(bound for bound in bounds if bound is not None))
    idle = closes(0.0, most_s, result.sizes["limitless_saving_s"])
    return None if idle else result.saving_s / most_s


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """Write ``results.csv`` whole; see `rows_bytes`."""
    write_bytes(path, rows_bytes(rows, labels), _RESULTS_FILE)


def rows_bytes(rows: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> bytes:
    """Content of ``results.csv``.

    Parameters
    ----------
    rows : iterable of dict
    labels : sequence of str
        Columns beyond `COLUMNS`.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, (*COLUMNS, *labels), lineterminator="\n")
    table.writeheader()
    for row in rows:
        # One line for each row: an error message may have several.
        flat = {k: " ".join(v.split()) if isinstance(v, str) else v for k, v in row.items()}
        table.writerow(flat)
    return text.getvalue().encode()
