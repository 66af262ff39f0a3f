"""How large an instance can be proved optimal, and what is certified beyond.

    python benchmarks/frontier.py cells.csv [--time-limit 600] [--picture docs/frontier.png]

Layers of 8 experts, 12 users, each server with room for a fifth of all experts (0.3 from K = 3 on);
3 or 5 servers; layers double. Method `exact` for a minute on every cell, then up to the limit
on those that were not proved. A run that stands in the file already is not made again.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
from pathlib import Path

import pandas as pd
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.method import Limits
from expertcache.solver import solve
from matplotlib.figure import Figure

LAYERS = (1, 2, 4, 8, 16, 32, 64)
SERVERS = (3, 5)
_BASE = Scenario(users=12, area_m=500, experts=8)
SCENARIOS = {
    1: _BASE.replace(models=("switch-base-8",)),
    2: _BASE.replace(models=("mixtral-8x7b",)),
    3: _BASE.replace(models=("dbrx",), top_k=3, capacity=0.3),
    4: _BASE.replace(models=("dbrx",), top_k=4, capacity=0.3),
}
FIELDS = ["K", "servers", "layers", "limit", "proved", "seconds", "gap"]

#: Seconds of the first runs.
_FIRST_S = 60.0


def measure(K: int, servers: int, layers: int, limit_s: float) -> list[object]:
    """One run: whether it proved, in which time, and the certified gap of the saving."""
    scenario = SCENARIOS[K].replace(servers=servers, layers=layers)
    solution = solve(generate(scenario, 1), "exact", limits=Limits(time_s=limit_s))
    assert solution.latency_s is not None
    assert solution.bound_latency_s is not None
    most = solution.latency_empty_s - solution.bound_latency_s
    gap = (solution.latency_s - solution.bound_latency_s) / most if most > 0 else 0.0
    proved = solution.status == "optimal"
    return [K, servers, layers, limit_s, int(proved), round(solution.seconds, 3), gap]


def run(path: Path, limit_s: float) -> None:
    """Fill the file."""
    measure(2, 2, 1, _FIRST_S)  # the first solve also imports
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    for limit, servers, K, layers in product((_FIRST_S, limit_s), SERVERS, SCENARIOS, LAYERS):
        known = pd.read_csv(path)
        cell = known["K"].eq(K) & known["servers"].eq(servers) & known["layers"].eq(layers)
        here = known[cell]
        if not here["proved"].any() and not (here["limit"] >= limit).any():
            row = measure(K, servers, layers, limit)
            with path.open("a") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(*row, flush=True)


def draw(cells: pd.DataFrame, picture: Path, limit_s: float) -> None:
    """Time to the proof; hollow, with the certified gap, where there is none."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    panels = figure.subplots(1, len(SERVERS), sharex=True, sharey=True)
    colours = dict(zip(SCENARIOS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))
    markers = dict(zip(SCENARIOS, "os^D", strict=True))
    for panel, servers in zip(panels, SERVERS, strict=True):
        for K, colour in colours.items():
            mine = cells[(cells["K"] == K) & (cells["servers"] == servers)]
            style = {"color": colour, "marker": markers[K]}
            proved = mine["seconds"].where(mine["proved"] == 1)
            panel.plot(mine["layers"], proved, label=f"K = {K}", **style)
            for row in mine[mine["proved"] == 0].itertuples():
                panel.plot(row.layers, row.seconds, markerfacecolor="white", **style)
                panel.annotate(
                    f"{100 * row.gap:.2g} %", (row.layers, row.seconds), xytext=(0, 7),
                    textcoords="offset points", ha="center", fontsize=8, color=colour,
                )  # fmt: skip
        for limit in (_FIRST_S, limit_s):
            panel.axhline(limit, color="0.7", linestyle=":", zorder=0)
        panel.set_title(f"{servers} servers", fontsize=11)
        panel.set_yscale("log")
        panel.set_xscale("log", base=2)
        panel.set_xticks(LAYERS, [str(layers) for layers in LAYERS])
        panel.set_xlabel("layers of 8 experts")
        panel.grid(color="0.92")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds to the proof\n(dotted: 60 s, 600 s; hollow: gap left)")
    panels[0].legend(frameon=False, loc=(0.02, 0.72), ncols=2)
    figure.savefig(picture, dpi=150)


def main() -> None:
    """Measure, and draw if wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=Path, help="CSV, made or continued")
    parser.add_argument("--time-limit", type=float, default=600.0)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    run(arguments.cells, arguments.time_limit)
    cells = pd.read_csv(arguments.cells).sort_values(["layers", "limit"])
    cells = cells.drop_duplicates(["K", "servers", "layers"], keep="last")
    for (servers, K), mine in cells.groupby(["servers", "K"]):
        proved = mine[mine["proved"] == 1]
        within = [
            proved.loc[proved["seconds"] <= seconds, "layers"].tolist()
            for seconds in (_FIRST_S, arguments.time_limit)
        ]
        print(f"{servers} servers, K = {K}: layers proved in 60 s {within[0]}, later {within[1]}")
    if arguments.picture:
        draw(cells, arguments.picture, arguments.time_limit)


if __name__ == "__main__":
    main()
