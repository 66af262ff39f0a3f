"""Pictures of a placement: a map, and a grid of layers and experts for each server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..problem.arrays import sums
from ..problem.evaluate import evaluate
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement
from .drawing import save

#: Dark is much; safe for the colour-blind and in print.
_MAP = "cividis_r"


def placement_figure(instance: Instance, placement: Placement, folder: Path, name: str) -> None:
    """Draw ``NAME-map`` and ``NAME-grid``, each as SVG and PNG.

    Parameters
    ----------
    instance : Instance
    placement : Placement
    folder : Path
    name : str
    """
    if has_map(instance):
        save(_map(instance, placement), folder, f"{name}-map")
    save(_grid(instance, placement), folder, f"{name}-grid")


def has_map(instance: Instance) -> bool:
    """Whether somebody has a position."""
    users, servers = instance.user_position_m, instance.server_position_m
    assert users is not None
    assert servers is not None
    return bool(np.isfinite(np.concatenate([users, servers])).all(axis=1).any())


def _map(instance: Instance, placement: Placement) -> Figure:
    """Servers by what they cache, users by what they save."""
    before = evaluate(instance, Placement.empty()).user_latency_s
    after = evaluate(instance, placement).user_latency_s
    saved = np.divide(before - after, before, out=np.zeros_like(before), where=before > 0)
    demand = _demand(instance)
    held = placement.cached(instance) @ demand / max(float(demand.sum()), 1e-300)
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    scale = Normalize(0, 1)
    users, servers = instance.user_position_m, instance.server_position_m
    assert users is not None
    assert servers is not None
    axes.scatter(
        users[:, 0], users[:, 1], c=saved, cmap=_MAP, norm=scale, s=45, edgecolors="black",
        linewidths=0.6, label="user: share of the latency saved", zorder=4,
    )  # fmt: skip
    squares = axes.scatter(
        servers[:, 0], servers[:, 1], c=held, cmap=_MAP, norm=scale, s=230, marker="s",
        edgecolors="black", linewidths=1.4, zorder=2,
        label="server: share of the demand for experts that it caches",
    )  # fmt: skip
    for n, (x, y) in enumerate(servers):
        if np.isfinite(x) and np.isfinite(y):
            colour = "white" if held[n] > 0.5 else "black"
            axes.annotate(
                str(n), (x, y), ha="center", va="center", fontsize=8, color=colour, zorder=3
            )
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    figure.colorbar(squares, ax=axes, label="share", shrink=0.8)
    figure.legend(loc="outside upper center", frameon=False, fontsize=8.5)
    return figure


def _grid(instance: Instance, placement: Placement) -> Figure:
    """One panel for each server and model; cached experts shaded by their demand."""
    demand = _demand(instance)
    N, M = instance.servers, len(instance.models)
    columns = min(max(N, 1), 5) if M == 1 else M
    lines = -(-max(N, 1) * M // columns)
    tallest = max(model.layers for model in instance.models)
    figure = Figure(
        figsize=(2.3 * columns + 1, lines * max(1.9, 1.1 + 0.055 * min(tallest, 40)) + 0.7),
        layout="constrained",
    )
    axes = figure.subplots(lines, columns, squeeze=False)
    image = None
    cached = placement.cached(instance)
    for axis in axes.flat:
        axis.set_visible(False)
    for n in range(N):
        for m, model in enumerate(instance.models):
            axis = axes.flat[n * M + m]
            axis.set_visible(True)
            mine = slice(int(instance.item_offset[m]), int(instance.item_offset[m + 1]))
            shape = (model.layers, model.experts)
            weight = demand[mine].reshape(shape)
            top = weight.max(axis=1, keepdims=True)
            share = np.divide(weight, top, out=np.zeros_like(weight), where=top > 0)
            held = cached[n, mine].reshape(shape)
            image = axis.imshow(
                np.where(held, share, np.nan), cmap=_MAP, vmin=0, vmax=1, aspect="auto",
                interpolation="nearest",
            )  # fmt: skip
            axis.set_facecolor("0.93")
            title = f"{n}: {instance.server_names[n]}"[:27]
            axis.set_title(title if M == 1 else f"{title}: {model.name}", fontsize=8.5)
            axis.tick_params(labelsize=7)
            axis.set_xlabel("expert", fontsize=8)
            axis.set_ylabel("layer", fontsize=8)
            for which, count in ((axis.xaxis, model.experts), (axis.yaxis, model.layers)):
                step = max(1, -(-count // 8))
                which.set_ticks(np.arange(0, count, step))
    if image is not None:
        figure.colorbar(image, ax=axes).set_label("demand\n(layer's largest: 1)", fontsize=8)
    figure.legend(
        handles=[Patch(facecolor="0.93", label="not cached")], loc="outside upper left",
        frameon=False, fontsize=8,
    )  # fmt: skip
    return figure


def _demand(instance: Instance) -> FloatArray:
    """How often each item is needed; [I]."""
    items = instance.request_items
    rate = np.repeat(instance.requests.rate, items.shape[1])
    return sums(items.ravel(), rate, instance.items + 1)[:-1]
