"""Standard output is ours alone: solvers print banners whatever their options say."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator

#: Descriptors belong to the whole process: two threads must not exchange them at once.
_exchange = threading.Lock()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drop what any code writes to the descriptors of standard output and standard error.

    Meanwhile other threads are not heard either: for moments, not for a solver's whole run.
    """
    with _exchange, contextlib.ExitStack() as restored:
        _flush()
        for descriptor in (1, 2):
            # A descriptor that is closed has nothing to keep clean.
            with contextlib.suppress(OSError):
                restored.callback(_point_back, os.dup(descriptor), descriptor)
                _discard(descriptor)
        try:
            yield
        finally:
            _flush()


def reserve_stdout() -> None:
    """From now on only Python's own ``print`` reaches standard output; for a process of ours."""
    with contextlib.suppress(OSError):
        ours = os.dup(1)
        sys.stdout = open(ours, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: PTH123, SIM115
        _discard(1)


def discard_stdout() -> None:
    """Nothing of this process reaches standard output; for worker processes."""
    with contextlib.suppress(OSError):
        _discard(1)


def _discard(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _point_back(saved: int, descriptor: int) -> None:
    os.dup2(saved, descriptor)
    os.close(saved)


def _flush() -> None:
    """Empty the buffers of C, which are not Python's."""
    ctypes.CDLL(None).fflush(None)
