"""Ctrl-C and SIGTERM while a study runs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Leave the block at the first SIGINT, SIGTERM or KeyboardInterrupt, as if it were finished.

    A second signal ends the process at once; in Python a second Ctrl-C raises KeyboardInterrupt.
    Outside of the main thread signals are left alone.
    """
    with contextlib.suppress(KeyboardInterrupt):
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def stop(_number: int, _frame: FrameType | None) -> None:
            for number, handler in before.items():
                plain = handler is signal.default_int_handler
                signal.signal(number, handler if plain else signal.SIG_DFL)
            raise KeyboardInterrupt

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
