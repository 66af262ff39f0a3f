"""Picture of how near the bound by prices is to the optimum, by the number of layers.

    python benchmarks/depth.py benchmarks/results/depth.csv docs/depth.png

The results are those of the studies benchmarks/studies/depth.toml and depth-trace.toml; of their
results.csv the columns that are needed:

    python benchmarks/depth.py --collect RESULTS.csv RESULTS.csv > benchmarks/results/depth.csv
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import TOLERANCE, gaps

_COLUMNS = [
    "instance", "method", "status", "latency_empty_s", "saving_s", "bound_latency_s", "layers",
    "scenario",
]  # fmt: skip

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_MARKERS = "os^Dv"

#: Panels: title, and the scenarios in it.
_PANELS = (
    ("servers (K = 2, layers of 8)", ("N = 1", "N = 2", "N = 3, K = 2, E = 8")),
    ("experts (3 servers)", ("N = 3, K = 2, E = 8", "K = 1", "K = 3", "E = 4", "E = 12")),
    (
        "co-activation, trace (3 servers)",
        ("N = 3, K = 2, E = 8", "co-activation 0", "co-activation 4", "gpt-oss-20b trace"),
    ),
)


def draw(found: pd.DataFrame, picture: str) -> None:
    """Mean gap over the seeds; whole layers above, half a layer more below."""
    figure = Figure(figsize=(11, 6))
    figure.subplots_adjust(0.08, 0.09, 0.99, 0.95, wspace=0.08, hspace=0.12)
    axes = figure.subplots(2, len(_PANELS), sharex=True, sharey=True)
    for row, half in enumerate((False, True)):
        for axis, (title, scenarios) in zip(axes[row], _PANELS, strict=True):
            for number, name in enumerate(s for s in scenarios if s in set(found["scenario"])):
                mine = found[(found["scenario"] == name) & (found["half"] == half)]
                mean = mine.groupby("layers")["gap"].mean()
                style = {"color": _COLOURS[number], "marker": _MARKERS[number]}
                zero = mean < TOLERANCE
                axis.plot(
                    mean.index, mean.mask(zero), label=name, linewidth=1.4, markersize=5, **style
                )
                axis.plot(
                    mean.index[zero], np.full(zero.sum(), TOLERANCE), linestyle="", clip_on=False,
                    markerfacecolor="white", markersize=12 - 2 * number, zorder=5 + 0.1 * number,
                    **style,
                )  # fmt: skip
            _guides(axis)
            if row == 0:
                axis.set_title(title, fontsize=10)
                axis.legend(frameon=False, fontsize=8, loc="lower left")
            else:
                axis.set_xlabel("layers, L")
    axes[0, 0].set_ylabel("gap, room for whole layers\n(hollow: 0)")
    axes[1, 0].set_ylabel("gap, half a layer more\n(hollow: 0)")
    figure.savefig(picture, dpi=150)


def _guides(axis: Axes) -> None:
    layers = np.array([4.0, 66.0])
    for exponent in (1, 2):
        axis.plot(layers, 0.08 * (layers / 4) ** -exponent, color="0.75", linestyle=":", zorder=0)
        axis.annotate(
            f"$L^{{-{exponent}}}$", (66, 0.08 * 16.5**-exponent), color="0.5", fontsize=9,
            xytext=(-22, 4), textcoords="offset points",
        )  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(TOLERANCE, 0.12)
    axis.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
    axis.grid(color="0.92")
    axis.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Draw, or collect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="print columns of results.csv")
    parser.add_argument("files", nargs="+", help="results, and the picture")
    arguments = parser.parse_args()
    if arguments.collect:
        rows = pd.concat([pd.read_csv(path)[_COLUMNS] for path in arguments.files])
        rows.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        results, picture = arguments.files
        draw(gaps(pd.read_csv(results)), picture)


if __name__ == "__main__":
    main()
