"""Where the events of a run go: a line on the terminal, a file of JSON lines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from .problem.errors import InputError
from .problem.file_kind import json_kind
from .problem.files import check_writable, decode, read_bytes
from .watch import Callback, Event

FORMAT = "expertcache/events"
_EVENTS_FILE = json_kind(FORMAT)


class ProgressLine:
    """One line that is written anew with every event: on a terminal, or in a notebook.

    A callback for `expertcache.solve`, and a context manager that wipes the line at the end.
    """

    def __enter__(self) -> Self:
        # Imported late: a notebook's version looks for the notebook.
        from tqdm.auto import tqdm

        self._line: Any = tqdm(bar_format="{desc}", leave=False, disable=None)
        return self

    def __exit__(self, *error: object) -> None:
        self._line.close()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        parts = [f"{event.seconds:8.1f} s"]
        if event.latency_s is not None:
            parts.append(f"latency {event.latency_s:.6g} s")
        if event.bound_latency_s is not None:
            parts.append(f"lower bound {event.bound_latency_s:.6g} s")
        if event.certified_ratio is not None:
            # Rounded down: what is shown must be true.
            share = math.floor(1e4 * event.certified_ratio) / 100
            parts.append(f"at least {share:g} % of the best saving")
        self._line.set_description_str("  ".join(parts))


class EventFile:
    """Events as JSON lines, each on the disk at once.

    A callback for `expertcache.solve`, and a context manager.

    Parameters
    ----------
    path : path
    instance, method : str
        Names for the first line.

    Raises
    ------
    InputError
        If the file cannot be written, or another one is there.
    """

    def __init__(self, path: str | Path, instance: str, method: str) -> None:
        self._path = Path(path)
        self._header = {"format": FORMAT, "version": 1, "instance": instance, "method": method}
        check_writable(path, _EVENTS_FILE)
        if self._path.suffix.lower() == ".gz":
            raise InputError(f"{path}: events are written line by line, not compressed")

    def __enter__(self) -> Self:
        try:
            self._file: IO[bytes] = self._path.open("wb")
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None
        self._write(self._header)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        """Add an event."""
        self._write(dataclasses.asdict(event))

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None


class _Header(msgspec.Struct):
    format: str
    version: int
    instance: str
    method: str


def read_events(path: str | Path) -> list[Event]:
    """Read a file of events; a last line that a kill has torn is left out.

    Raises
    ------
    InputError
        If the file cannot be read or is of another format.
    """
    lines = read_bytes(path).split(b"\n")
    header = decode(path, lines[0], _Header)
    if header.format != FORMAT or header.version != 1:
        raise InputError(f"{path}: expected {FORMAT!r}, version 1")
    return [decode(path, line, Event) for line in lines[1:-1]]


def all_of(callbacks: Sequence[Callback]) -> Callback:
    """Tell several callbacks; the run ends when one of them says so."""
    return lambda event: True in [callback(event) for callback in callbacks]
