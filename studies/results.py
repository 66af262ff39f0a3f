"""``results.csv``: one row for each finished cell, safe on disk at once."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import read_bytes, write_bytes

COLUMNS = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "latency_empty_s",
    "saving_s", "bound_latency_s", "ratio", "gap", "seconds", "reference", "guarantee",
    "guarantee_because", "error", "models", "servers", "users", "layers", "experts", "top_k",
    "requests",
)  # fmt: skip

_RESULTS_FILE = FileKind("results file", ",".join(COLUMNS[:3]).encode())

#: Instance, method and seed of a cell.
Key = tuple[str, str, int]


class Results:
    """The rows of a study on disk.

    Parameters
    ----------
    path : Path
    more : sequence of str
        Columns beyond `COLUMNS`.

    Attributes
    ----------
    done : set of (instance, method, seed)
        Finished cells. A row torn by a kill is cut off and not among them.

    Raises
    ------
    InputError
        If the file is no results file with these columns.
    """

    def __init__(self, path: Path, more: Sequence[str] = ()) -> None:
        self.path = path
        self.columns = (*COLUMNS, *more)
        if not path.exists():
            write_bytes(path, (",".join(self.columns) + "\n").encode(), _RESULTS_FILE)
        data = read_bytes(path)
        # A quoted field may hold a newline: the torn row is what does not parse to full length.
        whole = data[: data.rfind(b"\n") + 1]
        self.done: set[Key] = {_key(path, row) for row in self._parsed(whole)}
        if whole != data:
            write_bytes(path, whole, _RESULTS_FILE)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row and see it onto the disk."""
        try:
            with self.path.open("ab") as file:
                file.write(self._line(row))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror or error}") from None
        self.done.add(_key(self.path, row))

    def sort(self, order: Sequence[Key]) -> None:
        """Bring the rows into an order, so that it does not matter which cell finished first."""
        rows = {_key(self.path, row): row for row in self._parsed(read_bytes(self.path))}
        lines = [self._line(rows[key]) for key in order if key in rows]
        whole = b"".join([(",".join(self.columns) + "\n").encode(), *lines])
        write_bytes(self.path, whole, _RESULTS_FILE)

    def _line(self, row: Mapping[str, Any]) -> bytes:
        text = io.StringIO()
        # One line for each row: an error message may have several.
        flat = {k: " ".join(v.split()) if isinstance(v, str) else v for k, v in row.items()}
        csv.DictWriter(text, self.columns, lineterminator="\n").writerow(flat)
        return text.getvalue().encode()

    def _parsed(self, data: bytes) -> list[dict[str, str]]:
        try:
            table = list(csv.reader(io.StringIO(data.decode()), strict=True))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: not a results file ({error})") from None
        if not table or tuple(table[0]) != self.columns:
            raise InputError(f"{self.path}: not a results file with this study's columns")
        if any(len(row) != len(self.columns) for row in table[1:]):
            raise InputError(f"{self.path}: a row has a wrong number of columns")
        return [dict(zip(self.columns, row, strict=True)) for row in table[1:]]


def _key(path: Path, row: Mapping[str, Any]) -> Key:
    try:
        return (row["instance"], row["method"], int(row["seed"]))
    except ValueError:
        raise InputError(f"{path}: a seed is not a whole number") from None
