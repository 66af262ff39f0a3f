"""Measured latencies between users and servers, in place of computed ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from ..problem.errors import InputError
from ..problem.validation import convert
from .csv_table import read_table
from .links import ExpertTimes, Links

#: What stands for the cloud in the column of servers, where no server is called so.
CLOUD = "cloud"

_Milliseconds = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    server: str
    model: str | None = None
    latency_ms: _Milliseconds | None = None
    rtt_ms: _Milliseconds | None = None


class Measured(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    user : int
    server : int or None
        None is the cloud.
    model : slice
        The models that it holds for.
    seconds : float
    whole : bool
        Whether the time in the expert is part of it.
    """

    user: int
    server: int | None
    model: slice
    seconds: float
    whole: bool


def read_latencies(
    path: str | Path, users: Sequence[str], servers: Sequence[str], models: Sequence[str]
) -> tuple[Measured, ...]:
    """Read a table of measured latencies.

    Parameters
    ----------
    path : path
        CSV with columns ``user`` and ``server``, names, where the server ``cloud`` is the cloud;
        ``latency_ms``, the whole round trip of one token for one expert, or ``rtt_ms``, that of the
        network alone, to which the expert's time is added; optionally ``model``, where a row holds
        for one model.
    users, servers, models : sequence of str
        Names of the network's.

    Raises
    ------
    InputError
        If a name is unknown or ambiguous, or a pair is told twice; the message names the line.
    """
    table = read_table(path, {field: (field,) for field in _Row.__struct_fields__})
    if table.unused:
        raise InputError(f"{path}: unknown columns: {', '.join(table.unused)}")
    kinds = [("user", _numbers(users)), ("server", _numbers(servers)), ("model", _numbers(models))]
    found: dict[tuple[int | None, ...], int] = {}
    measured = []
    for values, line in zip(table.rows, table.line, strict=True):
        where = f"{path}: line {line}"
        row = convert(values, _Row, where, strict=False)
        if (row.latency_ms is None) == (row.rtt_ms is None):
            raise InputError(f"{where}: give one of latency_ms and rtt_ms")
        number: dict[str, int | None] = {}
        for kind, known in kinds:
            name = getattr(row, kind)
            if name is None or (kind == "server" and name == CLOUD and CLOUD not in known):
                number[kind] = None
            elif name not in known:
                few = ", ".join(list(known)[:10]) + (", ..." if len(known) > 10 else "")
                raise InputError(f"{where}: unknown {kind} {name!r}, known: {few}")
            elif known[name] is None:
                raise InputError(f"{where}: several {kind}s are called {name!r}")
            else:
                number[kind] = known[name]
        model = number["model"]
        for key in range(len(models)) if model is None else [model]:
            pair = (number["user"], number["server"], key)
            if pair in found:
                raise InputError(f"{where}: told already in line {found[pair]}")
            found[pair] = line
        assert number["user"] is not None
        measured.append(
            Measured(
                number["user"],
                number["server"],
                slice(None) if model is None else slice(model, model + 1),
                (row.rtt_ms if row.latency_ms is None else row.latency_ms) / 1e3,  # type: ignore[operator]
                row.latency_ms is not None,
            )
        )
    return tuple(measured)


def with_measured(links: Links, measured: Sequence[Measured], times: ExpertTimes) -> Links:
    """Links in which measured latencies stand instead of computed ones."""
    server, cloud = links.server.copy(), links.cloud.copy()
    for row in measured:
        if row.server is None:
            added = 0.0 if row.whole else times.cloud[row.model]
            cloud[row.user, row.model] = row.seconds + added
        else:
            added = 0.0 if row.whole else times.server[row.server, row.model]
            server[row.user, row.server, row.model] = row.seconds + added
    return links._replace(server=server, cloud=cloud)


def _numbers(names: Sequence[str]) -> dict[str, int | None]:
    """Number of each name; None where several have it."""
    numbers: dict[str, int | None] = {}
    for number, name in enumerate(names):
        numbers[name] = None if name in numbers else number
    return numbers
