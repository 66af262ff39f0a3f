"""The picture of a run: its best placement and its bound over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ..watch import Event
from .drawing import COLOURS, save


def progress_figure(
    events: Sequence[Event], folder: Path, kinds: Sequence[str] = ("svg", "png")
) -> None:
    """Draw ``progress.svg`` and ``progress.png`` into a folder, or other kinds of files.

    Parameters
    ----------
    events : sequence of Event
        Of one run, as `expertcache.events.read_events` reads them.
    folder : Path
    kinds : sequence of str
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    end = max((event.seconds for event in events), default=0.0)
    for name, label, colour in (
        ("latency_s", "best placement", COLOURS[0]),
        ("bound_latency_s", "lower bound", COLOURS[1]),
    ):
        known = [(e.seconds, getattr(e, name)) for e in events if getattr(e, name) is not None]
        if known:
            seconds, values = zip(*known, strict=True)
            # What is known stays known until the end.
            axes.step([*seconds, end], [*values, values[-1]], where="post", color=colour)
            axes.plot(seconds, values, ".", color=colour, markersize=4)
            axes.plot([], [], color=colour, label=f"{label}: {values[-1]:.6g} s")
    axes.set_xlim(left=0.0)
    axes.set_xlabel("seconds")
    axes.set_ylabel("latency of a token in seconds")
    axes.grid(axis="y", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    save(figure, folder, "progress", kinds)
