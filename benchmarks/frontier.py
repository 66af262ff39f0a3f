"""Picture of how large an instance can be proved optimal, and of what is certified beyond.

    python benchmarks/frontier.py benchmarks/results/frontier.csv docs/frontier.png

The results are those of the study benchmarks/studies/frontier.toml.
"""

from __future__ import annotations

import argparse

import pandas as pd
from matplotlib.figure import Figure

_STYLES = {1: ("#0072B2", "o"), 2: ("#D55E00", "s"), 3: ("#009E73", "^"), 4: ("#CC79A7", "D")}


def draw(cells: pd.DataFrame, picture: str) -> None:
    """Time to the proof; hollow, with the certified gap of the saving, where there is none."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    servers, layers = sorted(cells["servers"].unique()), sorted(cells["layers"].unique())
    panels = figure.subplots(1, len(servers), sharex=True, sharey=True)
    for panel, n in zip(panels, servers, strict=True):
        for K, (colour, marker) in _STYLES.items():
            mine = cells[(cells["top_k"] == K) & (cells["servers"] == n)].sort_values("layers")
            style = {"color": colour, "marker": marker}
            proved = mine["status"] == "optimal"
            panel.plot(mine["layers"], mine["seconds"].where(proved), label=f"K = {K}", **style)
            for row in mine[~proved].itertuples():
                panel.plot(row.layers, row.seconds, markerfacecolor="white", **style)
                panel.annotate(
                    f"{100 * (1 - row.ratio):.2g} %", (row.layers, row.seconds), xytext=(0, 7),
                    textcoords="offset points", ha="center", fontsize=8, color=colour,
                )  # fmt: skip
        for seconds in (60, 600):
            panel.axhline(seconds, color="0.7", linestyle=":", zorder=0)
        panel.set_title(f"{n} servers", fontsize=11)
        panel.set_yscale("log")
        panel.set_xscale("log", base=2)
        panel.set_xticks(layers, [str(count) for count in layers])
        panel.set_xlabel("layers of 8 experts")
        panel.grid(color="0.92")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds to the proof\n(dotted: 60 s, 600 s; hollow: gap left)")
    panels[0].legend(frameon=False, loc=(0.02, 0.72), ncols=2)
    figure.savefig(picture, dpi=150)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", help="CSV")
    parser.add_argument("picture")
    arguments = parser.parse_args()
    draw(pd.read_csv(arguments.results), arguments.picture)


if __name__ == "__main__":
    main()
