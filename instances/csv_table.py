"""Tables of recorded data: CSV with a header, columns in any order and any case."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..problem.errors import InputError
from ..problem.files import read_bytes


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes
    ----------
    rows : tuple of dict
        The values of each row that are not empty, by column.
    line : tuple of int
        Line of the file in which each row ends.
    unused : tuple of str
        Columns that nobody asked for.
    """

    rows: tuple[dict[str, str], ...]
    line: tuple[int, ...]
    unused: tuple[str, ...]


def read_table(path: str | Path, columns: Mapping[str, Sequence[str]]) -> Table:
    """Read a table.

    Parameters
    ----------
    path : path
    columns : mapping
        Each column that is read, and what it may be called, the best first.

    Raises
    ------
    InputError
        If the file is no CSV, has no rows, repeats a column, or a row is too short or too long.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    header = [name.strip() for name in lines[0][1]] if lines else []
    spelled = [name.lower() for name in header]
    place = {}
    for column, names in columns.items():
        for name in reversed(names):
            if spelled.count(name) > 1:
                raise InputError(f"{path}: the column {name!r} is repeated")
            if name in spelled:
                place[column] = spelled.index(name)
    rows, line = [], []
    for end, row in lines[1:]:
        if not row:
            continue
        where = f"{path}: line {end}"
        if any(row[len(header) :]):
            # A decimal comma makes two values of one.
            raise InputError(f"{where}: {len(row)} values, but {len(header)} columns")
        if len(row) <= max(place.values(), default=0):
            raise InputError(f"{where}: too short, {len(row)} values")
        values = {column: row[at].strip() for column, at in place.items()}
        rows.append({column: value for column, value in values.items() if value})
        line.append(end)
    if not rows:
        raise InputError(f"{path}: has no rows")
    unused = [name for at, name in enumerate(header) if name and at not in place.values()]
    return Table(tuple(rows), tuple(line), tuple(unused))
