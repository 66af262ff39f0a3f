"""``results.csv`` as a table whose columns have their types."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..problem.errors import InputError
from ..problem.files import read_bytes

#: Types of the columns; all others are labels: the scenario is text, swept values are as they are.
DTYPES: dict[str, str] = {
    "instance": "str", "method": "str", "seed": "Int64", "status": "str", "stopped_by": "str",
    "latency_s": "float64", "latency_empty_s": "float64", "limitless_saving_s": "float64",
    "saving_s": "float64", "bound_latency_s": "float64", "ratio": "float64", "gap": "float64",
    "seconds": "float64", "reference": "str", "guarantee": "float64", "guarantee_because": "str",
    "error": "str", "models": "str", "servers": "Int64", "users": "Int64", "layers": "Int64",
    "experts": "Int64", "top_k": "Int64", "requests": "Int64",
}  # fmt: skip


def read_results(folder: str | Path) -> pd.DataFrame:
    """Read what a study has found so far.

    Parameters
    ----------
    folder : path
        Of the study.

    Returns
    -------
    DataFrame
        A row for each finished cell, columns as in docs/formats.md: numbers are ``float64``, counts
        and the seed ``Int64``, all others text; NaN or NA where there is none.

    Raises
    ------
    InputError
        If the folder has no ``results.csv``, or it is no table of results.
    """
    path = Path(folder) / "results.csv"
    if not path.is_file():
        raise InputError(f"{folder}: is no folder of a study: there is no results.csv")
    return parse_results(path, read_bytes(path))


def parse_results(path: str | Path, data: bytes) -> pd.DataFrame:
    """Parse the content of ``results.csv``; see `read_results`."""
    types: dict[str, Any] = {**DTYPES, "scenario": "str"}
    try:
        # Nothing but an empty field is missing, whatever an instance is called.
        rows = pd.read_csv(io.BytesIO(data), dtype=types, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: no results of a study ({error})") from None
    if absent := [name for name in DTYPES if name not in rows]:
        raise InputError(f"{path}: no results of a study: there is no column {absent[0]!r}")
    return rows


def of_methods(rows: pd.DataFrame, methods: Sequence[str] | None) -> pd.DataFrame:
    """Rows of some methods, in their order; None for all.

    Raises
    ------
    InputError
        If the study has no such method; the message lists those that it has.
    """
    if methods is None:
        return rows
    known = list(rows["method"].drop_duplicates())
    for name in methods:
        if name not in known:
            raise InputError(f"the study has no method {name!r}, it has: {', '.join(known)}")
    place = {name: k for k, name in enumerate(dict.fromkeys(methods))}
    mine = rows[rows["method"].isin(list(place))]
    order = np.argsort(mine["method"].map(place).to_numpy(dtype=np.int64), kind="stable")
    return mine.iloc[order]
