"""The picture of what each server holds: a grid of layers and experts."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..problem.arrays import sums
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement
from .drawing import SHADES


def grid_figure(instance: Instance, placement: Placement) -> Figure:
    """Draw one panel for each server and model; cached experts shaded by their demand.

    Parameters
    ----------
    instance : Instance
    placement : Placement

    Returns
    -------
    matplotlib.figure.Figure
    """
    demand = item_demand(instance)
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
                np.where(held, share, np.nan), cmap=SHADES, vmin=0, vmax=1, aspect="auto",
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


def item_demand(instance: Instance) -> FloatArray:
    """How often each item is needed; [I]."""
    items = instance.request_items
    rate = np.repeat(instance.requests.rate, items.shape[1])
    return sums(items.ravel(), rate, instance.items + 1)[:-1]
