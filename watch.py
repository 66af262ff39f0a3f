"""What is seen of a run while it goes on, and the wish to end it."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True)
class Event:
    """How far a run is, whenever that changes.

    Attributes
    ----------
    seconds : float
        Since the run began.
    latency_s : float or None
        Of the best placement so far.
    bound_latency_s : float or None
        No placement has less, as far as is known.
    certified_ratio : float or None
        Saving as a share of the largest that the bound leaves open.
    """

    seconds: float
    latency_s: float | None
    bound_latency_s: float | None
    certified_ratio: float | None


#: Takes an event; the run ends early when it answers True.
Callback = Callable[[Event], object]


class Watch:
    """Somebody who watches a run: is told how far it is, and may ask it to stop.

    Parameters
    ----------
    latency_empty_s : float
        Latency of the empty placement.
    limitless_saving_s : float
        No placement saves more, whatever a method says.
    callback : callable, optional
        Called with an `Event`; True asks the run to stop.
    whole : Watch, optional
        Of a run that this one is a part of: when that is to stop, so is this one.
    """

    def __init__(
        self,
        latency_empty_s: float = math.nan,
        limitless_saving_s: float = math.inf,
        callback: Callback | None = None,
        whole: Watch | None = None,
    ) -> None:
        self._empty_s, self._most_s, self._callback = latency_empty_s, limitless_saving_s, callback
        self._whole = whole
        self._began = time.monotonic()
        self._saving_s, self._bound_saving_s = -math.inf, math.inf
        self._asked = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the run is to hand back what it has."""
        return self._asked.is_set() or (self._whole is not None and self._whole.stopped)

    def stop(self) -> None:
        """Ask the run to hand back what it has."""
        self._asked.set()

    def quiet(self) -> Watch:
        """The same wish to stop, for a part of the work whose values are not those of the whole."""
        return Watch(whole=self)

    def tell(self, saving_s: float = -math.inf, bound_saving_s: float = math.inf) -> None:
        """Take up a placement's saving and an upper bound on every saving, in seconds.

        What is no better than what was told before is passed over.
        """
        saving_s = min(saving_s, self._most_s)
        if saving_s > self._saving_s or bound_saving_s < self._bound_saving_s:
            self._saving_s = max(saving_s, self._saving_s)
            self._bound_saving_s = min(bound_saving_s, self._bound_saving_s)
            if self._callback is not None and self._callback(self._event()) is True:
                self.stop()

    def _event(self) -> Event:
        saving, most = self._saving_s, self._bound_saving_s
        placed, bounded = math.isfinite(saving), math.isfinite(most)
        return Event(
            seconds=time.monotonic() - self._began,
            latency_s=self._empty_s - saving if placed else None,
            bound_latency_s=max(0.0, self._empty_s - most) if bounded else None,
            certified_ratio=min(1.0, saving / most) if placed and bounded and most > 0 else None,
        )


@contextlib.contextmanager
def stopped_by_signals(watch: Watch, signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Let the first of some signals stop a watched run; a second one does what it did before.

    Signals that are ignored stay ignored. Outside the main thread, where Python takes no signals,
    nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signals}
    # None: a handler that Python did not set and could not set again.
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def stop(number: int, frame: FrameType | None) -> None:
        watch.stop()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        restore()
