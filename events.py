"""Where the events of a run go: a line on the terminal, a file of JSON lines, a short list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from .problem.errors import InputError
from .problem.file_kind import json_kind
from .problem.files import check_writable, decode, read_bytes, write_bytes
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
        self._header = _Header(FORMAT, 1, instance, method)
        check_writable(path, _EVENTS_FILE)
        if self._path.suffix.lower() == ".gz":
            raise InputError(f"{path}: events are written line by line, not compressed")

    def __enter__(self) -> Self:
        try:
            self._file: IO[bytes] = self._path.open("wb")
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None
        self._write(_line(self._header))
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        """Add an event."""
        self._write(_line(event))

    def _write(self, line: bytes) -> None:
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None


class EventSample:
    """Events in memory, however many there are: the first, the last, some of those between.

    A callback for `expertcache.solve`.

    Parameters
    ----------
    most : int
        So many, and the last.
    """

    def __init__(self, most: int = 100) -> None:
        self._most, self._every, self._seen = most, 1, 0
        self._kept: list[Event] = []
        self._last: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Take up an event."""
        self._last = [event]
        if self._seen % self._every == 0:
            self._kept.append(event)
            if len(self._kept) > self._most:
                self._kept = self._kept[::2]
                self._every *= 2
        self._seen += 1

    @property
    def events(self) -> tuple[Event, ...]:
        """The sample, in the order of time."""
        return tuple(dict.fromkeys([*self._kept, *self._last]))


class _Header(msgspec.Struct):
    format: str
    version: int
    instance: str
    method: str


def _line(content: _Header | Event) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def write_events(path: str | Path, events: Sequence[Event], instance: str, method: str) -> None:
    """Write the file that `EventFile` writes, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written, or another one is there.
    """
    lines = [_line(_Header(FORMAT, 1, instance, method)), *map(_line, events)]
    write_bytes(path, b"".join(lines), _EVENTS_FILE)


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
