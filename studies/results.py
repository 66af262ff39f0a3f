"""What a finished cell leaves on disk: one small file, its placement and its events beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..events import read_events, write_events
from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import decode, read_bytes, write_bytes
from ..problem.solution import Status, StoppedBy, write_solution
from ..watch import Event
from .cell import Answer

_CELL_FILE = FileKind("study's cell", rb'\s*\{\s*"time_limit_s":')


class Key(NamedTuple):
    """Which cell: positions of the instance and of the method in the study, and the seed.

    The seed is None for a method in which nothing is random.
    """

    instance: int
    method: int
    seed: int | None

    def __str__(self) -> str:
        return "-".join(str(part) for part in self if part is not None)


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came out of a cell, but for the placement.

    Attributes
    ----------
    time_limit_s, memory_mb
        The limits it ran with.
    status, stopped_by, latency_s, saving_s, bound_latency_s, bound_saving_s, seconds
        See `Solution`; without a solution `StoppedBy.TIME` says that the process was killed for
        its time.
    sizes : dict
        Of the instance, and its latency without cache.
    guarantee, guarantee_because
        What is proven in advance.
    error : str
        Why the cell failed, empty if it did not.
    """

    time_limit_s: float
    memory_mb: int | None
    status: Status
    stopped_by: StoppedBy
    latency_s: float | None = None
    saving_s: float | None = None
    bound_latency_s: float | None = None
    bound_saving_s: float | None = None
    seconds: float | None = None
    sizes: dict[str, Any] = {}
    guarantee: float | None = None
    guarantee_because: str = ""
    error: str = ""

    def was_stopped_by_less(self, time_limit_s: float, memory_mb: int | None) -> bool:
        """Whether limits smaller than these have kept the cell from its end.

        Any failure under a limit of the memory may be due to it: it comes in many guises.
        """
        if self.stopped_by is StoppedBy.TIME and self.time_limit_s < time_limit_s:
            return True
        return bool(self.error) and (self.memory_mb or math.inf) < (memory_mb or math.inf)


class Results:
    """The finished cells of a study, each in a file that is written whole or not at all.

    Parameters
    ----------
    folder : Path
        Of the study; results are in ``cells/``, placements in ``solutions/``, events in
        ``events/``.

    Raises
    ------
    InputError
        If the folder cannot be used, or a file in it is no result.
    """

    def __init__(self, folder: Path) -> None:
        self._cells, self._solutions = folder / "cells", folder / "solutions"
        self._events = folder / "events"
        try:
            for part in (self._cells, self._solutions, self._events):
                part.mkdir(exist_ok=True)
            paths = sorted(self._cells.glob("*.json"))
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror or error}") from None
        self._known = {path.stem: decode(path, read_bytes(path), Result) for path in paths}

    def get(self, key: Key) -> Result | None:
        """Result of a cell, None if it has not finished."""
        return self._known.get(str(key))

    def solution_path(self, key: Key) -> Path:
        """File of a cell's solution; there is none without a placement."""
        return self._solutions / f"{key}.json.gz"

    def events(self, key: Key) -> list[Event]:
        """Events of a cell; none where it has no solution, or was run without keeping them."""
        path, result = self._events / f"{key}.jsonl", self.get(key)
        return read_events(path) if result and result.seconds is not None and path.exists() else []

    def add(self, key: Key, answer: Answer, time_limit_s: float, memory_mb: int | None) -> Result:
        """See the answer of a cell, and the limits it had, onto the disk."""
        solution = answer.solution
        if solution is not None and solution.placement is not None:
            write_solution(solution, self.solution_path(key))
        if solution is not None:
            path = self._events / f"{key}.jsonl"
            write_events(path, answer.events, solution.instance, solution.method)
        result = _result(answer, time_limit_s, memory_mb)
        # Last: without this file the cell has not been.
        write_bytes(self._cells / f"{key}.json", msgspec.json.encode(result) + b"\n", _CELL_FILE)
        self._known[str(key)] = result
        return result


#: What a result takes from the solution.
_COPIED = (
    "status", "stopped_by", "latency_s", "saving_s", "bound_latency_s", "bound_saving_s", "seconds",
)  # fmt: skip


def _result(answer: Answer, time_limit_s: float, memory_mb: int | None) -> Result:
    values: dict[str, Any] = {
        "status": Status.NONE,
        "stopped_by": answer.stopped_by,
        "sizes": answer.sizes,
        "error": answer.error,
    }
    if answer.guarantee is not None:
        values["guarantee"], values["guarantee_because"] = answer.guarantee
    if answer.solution is not None:
        solution = answer.solution
        values |= {name: getattr(solution, name) for name in _COPIED}
        values["error"] = solution.meta.get("error", "")
    return Result(time_limit_s=time_limit_s, memory_mb=memory_mb, **values)
