"""The page of a recorded trace: what its routing is like, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..problem.file_kind import FileKind
from ..problem.files import write_bytes
from .drawing import COLOURS, MARKERS, drawn

TRACE_PAGE_FILE = FileKind("page of a trace", rb"<!DOCTYPE html>.*<title>Recorded routing of ")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recorded routing of {name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 1rem auto;
  padding: 0 1rem; }}
pre {{ background: #f5f5f5; padding: .8rem; overflow-x: auto; }}
figure {{ margin: 1.5rem 0; }}
figcaption {{ font-size: .9rem; color: #555; }}
svg {{ max-width: 100%; height: auto; }}
</style>
</head>
<body>
<h1>{name}</h1>
<figure>{svg}<figcaption>Means over the layers. Left: the load of the most popular experts; dotted:
if all were equally popular. Middle: how often all {top_k} experts of a token are among the most
popular; dashed: if they came together by popularity only. Right: hit rates of caches that hold so
many experts of each layer: the most popular of the other half of the trace (static), those used
last (LRU), and a cache that knows the future (Belady); dotted: experts chosen at random.
</figcaption></figure>
<pre>{text}</pre>
</body>
</html>
"""


def write_trace_page(values: Mapping[str, Any], text: str, path: str | Path, name: str) -> None:
    """Write the page of a trace.

    Parameters
    ----------
    values : mapping
        Fields of a description of the trace: ``experts``, ``load_share``, ``whole_set`` and so on.
    text : str
        The same as tables.
    path : path
    name : str
        Of the trace.
    """
    svg = drawn(trace_figure(values), "svg").decode()
    page = _PAGE.format(
        name=escape(name),
        svg=svg[svg.index("<svg") :],
        top_k=values["top_k"],
        text=escape(text),
    )
    write_bytes(path, page.encode(), TRACE_PAGE_FILE)


def trace_figure(values: Mapping[str, Any]) -> Figure:
    """Draw load, sets and hit rates over the share of the experts; see `write_trace_page`."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    load, sets, hits = figure.subplots(1, 3, sharey=True)
    share = np.arange(1, values["experts"] + 1) / values["experts"]
    even = {"color": "0.5", "linestyle": ":", "linewidth": 1.2}
    load.plot(share, values["load_share"], color=COLOURS[0])
    load.plot([0, 1], [0, 1], **even)
    load.set_title("load of the most popular experts")
    sets.plot(share, values["whole_set"], color=COLOURS[0], label="recorded")
    sets.plot(
        share, values["whole_set_independent"], "--", color=COLOURS[1], label="by popularity only"
    )
    sets.set_title(f"all {values['top_k']} among the most popular")
    sets.legend(frameon=False)
    size = np.array(values["cache_sizes"]) / values["experts"]
    policies = {"Belady": "belady", "LRU": "lru", "static": "static"}
    for (label, key), colour, marker in zip(policies.items(), COLOURS[2:], MARKERS, strict=False):
        hits.plot(size, values[key], color=colour, marker=marker, markersize=5, label=label)
    hits.plot([0, 1], [0, 1], **even)
    hits.set_title("hit rate of a cache in each layer")
    hits.legend(frameon=False)
    for axes in (load, sets, hits):
        _finish(axes)
    return figure


def _finish(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("share of the experts")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
