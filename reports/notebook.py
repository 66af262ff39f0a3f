"""What notebooks show of an instance, a placement and a solution: HTML with a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution
from ..problem.summary import summary_of
from .drawing import COLOURS, drawn
from .map_figure import has_map, map_figure

#: Colours of an expert that a server does not hold, and of one that it holds.
_HELD = ListedColormap(["0.93", COLOURS[0]])

#: More layers and experts than this are not drawn: nobody could tell them apart.
_MOST_COLUMNS = 20_000


def instance_html(instance: Instance) -> str:
    """Summary of an instance and, where somebody has a position, its map."""
    models = ", ".join(
        f"{m.name} ({m.layers} layers of {m.experts} experts, top-{m.top_k})"
        for m in instance.models
    )
    summary = summary_of(instance)
    rows = [
        ("instance", instance.name),
        ("models", models),
        ("servers", str(instance.servers)),
        *summary.rows(),
        *(("warning", text) for text in summary.warnings()),
    ]
    return _page(rows, map_figure(instance) if has_map(instance) else None)


def placement_html(placement: Placement) -> str:
    """How many experts each server caches, and which."""
    servers, counts = np.unique(placement.rows[:, 0], return_counts=True)
    rows = [
        (f"server {n}", f"{count} experts")
        for n, count in zip(servers.tolist(), counts.tolist(), strict=True)
    ]
    return _page(rows or [("placement", "nothing is cached")], _held_figure(placement))


def solution_html(solution: Solution) -> str:
    """Summary of a solution and which experts its servers cache."""
    placement = solution.placement
    return _page(solution.rows(), None if placement is None else _held_figure(placement))


def _held_figure(placement: Placement) -> Figure | None:
    """One panel for each model: a line for each server, its layers one after the other."""
    rows = placement.rows
    if not len(rows):
        return None
    server, model, layer, expert = rows.T
    servers, models = int(server.max()) + 1, np.unique(model).tolist()
    shapes = [(int(layer[model == m].max()) + 1, int(expert[model == m].max()) + 1) for m in models]
    if sum(L * E for L, E in shapes) > _MOST_COLUMNS:
        return None
    high = 0.5 + min(0.25 * servers, 4)
    figure = Figure(figsize=(6.4, high * len(models) + 0.3), layout="constrained")
    panels = figure.subplots(len(models), 1, squeeze=False)[:, 0]
    for axes, m, (layers, experts) in zip(panels, models, shapes, strict=True):
        held = np.zeros((servers, layers * experts))
        mine = model == m
        held[server[mine], layer[mine] * experts + expert[mine]] = 1
        axes.imshow(held, cmap=_HELD, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.vlines(
            np.arange(1, layers) * experts - 0.5, -0.5, servers - 0.5, color="white", linewidth=1.2
        )
        step = max(1, -(-layers // 16))
        axes.set_xticks((np.arange(0, layers, step) + 0.5) * experts - 0.5, range(0, layers, step))
        axes.set_yticks(np.arange(0, servers, max(1, -(-servers // 16))))
        axes.tick_params(labelsize=8, length=0)
        axes.set_xlabel("layer" if len(models) == 1 else f"layer of model {m}", fontsize=8)
        axes.set_ylabel("server", fontsize=8)
        axes.spines[:].set_visible(False)
    return figure


def _page(rows: Sequence[tuple[str, str]], figure: Figure | None) -> str:
    cell = 'style="text-align: left; padding: 1px 12px 1px 0"'
    lines = "".join(
        f"<tr><th {cell}>{escape(name.strip())}</th><td {cell}>{escape(value)}</td></tr>"
        for name, value in rows
    )
    picture = ""
    if figure is not None:
        svg = drawn(figure, "svg").decode()
        # A picture by itself: white behind it also where the notebook is dark.
        picture = (
            f'<div style="background: white; max-width: 600px">{svg[svg.index("<svg") :]}</div>'
        )
    return f"<div><table>{lines}</table>{picture}</div>"
