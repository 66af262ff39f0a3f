"""The picture of where servers and users are, what servers cache and what users save."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ..problem.evaluate import evaluate
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement
from .drawing import SHADES
from .grid_figure import item_demand
from .label_places import label_places

#: More users are dots of a picture inside the drawing, which would be large otherwise.
_MOST_CIRCLES = 2000

#: Size of the servers' numbers and of their halo, in points.
_LETTER_PT, _HALO_PT = 8.0, 2.5


def has_map(instance: Instance) -> bool:
    """Whether somebody has a position."""
    users, servers = _positions(instance)
    return bool(np.isfinite(np.concatenate([users, servers])).all(axis=1).any())


def map_figure(instance: Instance, placement: Placement | None = None) -> Figure:
    """Draw servers as squares with their numbers, users as circles.

    With a placement both are shaded: servers by the share of the demand that they cache, users by
    the share of their latency that they save. Servers' numbers stand above all and where they hide
    least.

    Parameters
    ----------
    instance : Instance
        With a position of somebody, see `has_map`.
    placement : Placement, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    users, servers = _positions(instance)
    # Many are small.
    circle_pt = float(np.clip(40 / max(instance.users, 1) ** 0.5, 3.4, 6.5))
    square_pt = float(np.clip(46 / max(instance.servers, 1) ** 0.5, 8, 15))
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    saved, held = (None, None) if placement is None else _shares(instance, placement)
    look: Any = {"cmap": SHADES, "norm": Normalize(0, 1), "edgecolors": "black"}
    plain: Any = {"color": "0.8", "edgecolors": "black"}
    white: Any = plain | {"color": "white"}
    squares = axes.scatter(
        servers[:, 0], servers[:, 1], s=square_pt**2, marker="s", linewidths=1.6, zorder=3,
        **(plain if held is None else {"c": held, **look}),
    )  # fmt: skip
    axes.scatter(
        users[:, 0], users[:, 1], s=circle_pt**2, linewidths=0.5, zorder=4,
        rasterized=instance.users > _MOST_CIRCLES,
        **(white if saved is None else {"c": saved, **look}),
    )  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    told = ("", "") if placement is None else (
        ": share of its latency saved", ": share of the demand for experts that it caches"
    )  # fmt: skip
    if placement is not None:
        figure.colorbar(squares, ax=axes, label="share", shrink=0.8)
    marks: Any = {"linestyle": "none", "markerfacecolor": "0.8", "markeredgecolor": "black"}
    handles = [
        Line2D([], [], marker="o", markersize=6, label=f"user{told[0]}", **marks),
        Line2D([], [], marker="s", markersize=9, label=f"server and its number{told[1]}", **marks),
    ]
    figure.legend(handles=handles, loc="outside upper center", frameon=False, fontsize=8.5)
    # Where things are on paper is known when all else has found its place.
    figure.draw_without_rendering()
    on_paper = axes.transData.transform
    known = np.flatnonzero(np.isfinite(servers).all(axis=1))
    texts = [str(n) for n in known.tolist()]
    seen = users[np.isfinite(users).all(axis=1)]
    points = 72 / figure.dpi
    places = label_places(
        on_paper(servers[known]) * points if len(known) else np.zeros((0, 2)),
        on_paper(seen) * points if len(seen) else np.zeros((0, 2)),
        np.array([[0.62 * _LETTER_PT * len(text), _LETTER_PT] for text in texts]).reshape(-1, 2),
        square_pt,
        circle_pt,
    )
    for n, text, offset in zip(known.tolist(), texts, places.tolist(), strict=True):
        axes.annotate(
            text, servers[n], xytext=offset, textcoords="offset points", ha="center", va="center",
            fontsize=_LETTER_PT, fontweight="bold", zorder=6, annotation_clip=False,
            path_effects=[withStroke(linewidth=_HALO_PT, foreground="white")],
        )  # fmt: skip
    return figure


def _shares(instance: Instance, placement: Placement) -> tuple[FloatArray, FloatArray]:
    """Share of the latency that each user saves, of the demand that each server caches."""
    before = evaluate(instance, Placement.empty()).user_latency_s
    after = evaluate(instance, placement).user_latency_s
    saved = np.divide(before - after, before, out=np.zeros_like(before), where=before > 0)
    demand = item_demand(instance)
    return saved, placement.cached(instance) @ demand / max(float(demand.sum()), 1e-300)


def _positions(instance: Instance) -> tuple[FloatArray, FloatArray]:
    users, servers = instance.user_position_m, instance.server_position_m
    assert users is not None  # Instance fills them in
    assert servers is not None
    return users, servers
