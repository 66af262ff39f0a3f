"""The bound by splits: how it grows, and what its parts are worth.

    python benchmarks/splitting.py growth [--seconds 6] [--output docs/growth.png]
    python benchmarks/splitting.py parts INSTANCE ... [--seconds 12]

`growth`: layers of 8 to 512 experts, 2 to 20 servers, 10 to 1,000 users, one changed at a time; the
time after which the bound is within 1 % of the largest fractional saving that was found, and what
is left between both at the end. Written as a table, and drawn. `parts`: the bound after the same
time without one part of the method after the other.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
from expertcache import Instance, Limits, Scenario, generate, read_instance
from expertcache.decomposition.master import RestrictedMaster
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.splitting import layer_split, primal_dual
from expertcache.splitting.layer_path import Paths
from expertcache.splitting.primal_dual import Splitting
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results" / "growth.csv"

#: One scenario, and what is changed in it.
_BASE = Scenario(models=("qwen3-30b-a3b",), layers=12, experts=64, top_k=4, servers=5, users=20)
_GROWTH: dict[str, tuple[int, ...]] = {
    "experts": (8, 16, 32, 64, 128, 256, 512),
    "servers": (2, 3, 5, 8, 12, 20),
    "users": (10, 30, 100, 300, 1000),
}

_SOLID: dict[str, Any] = {"color": "#0072B2", "marker": "o"}
_DASHED: dict[str, Any] = {"color": "#D55E00", "marker": "s", "linestyle": "--"}
_TIMES = (
    ("within_one_percent_s", "bound within 1 %", _SOLID),
    ("first_s", "first bound", _DASHED),
)
_GAPS = (("gap", "bound and fractional placement", _SOLID),)


def run(instance: Instance, seconds: float) -> dict[str, Any]:
    """Bound for some seconds; when it was how close, and where it ended."""
    layers = split_layers(instance, coverage_terms(instance))
    master = RestrictedMaster(instance, layers)
    began = time.perf_counter()
    splitting = Splitting(Paths(layers), master.weight, master.room)
    log = [
        (time.perf_counter() - began, bound)
        for bound in splitting.rounds(Limits(time_s=seconds).deadline(), 1e-4)
    ]
    close = [second for second, bound in log if bound <= 1.01 * splitting.value_s]
    return {
        "first_s": log[0][0],
        "within_one_percent_s": close[0] if close else float("nan"),
        "seconds": log[-1][0],
        "iterations": splitting.iterations,
        "bound_s": splitting.bound_s,
        "gap": 1 - splitting.value_s / splitting.bound_s,
    }


def growth(seconds: float, output: Path) -> None:
    """Change one size at a time; write and draw."""
    rows = []
    for name, values in _GROWTH.items():
        for value in values:
            instance = generate(_BASE.replace(**{name: value}), 1)
            row = {"what": name, "value": value, "terms": len(coverage_terms(instance))}
            row |= run(instance, seconds)
            rows.append(row)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS, index=False, float_format="%.6g")
    draw(table, output)


def draw(table: pd.DataFrame, output: Path) -> None:
    """Times above, gaps below, for each size."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    panels = figure.subplots(2, 3, sharey="row")
    for column, (name, part) in enumerate(table.groupby("what", sort=False)):
        above, below = panels[:, column]
        for panel, rows in ((above, _TIMES), (below, _GAPS)):
            for key, label, style in rows:
                factor = 100 if panel is below else 1
                panel.plot(part["value"], factor * part[key], label=label, **style)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xticks(part["value"], [str(value) for value in part["value"]])
            panel.minorticks_off()
            panel.grid(color="0.92")
            panel.spines[["top", "right"]].set_visible(False)
        below.set_xlabel({"experts": "experts of a layer"}.get(str(name), str(name)))
    panels[0, 0].set_ylabel("seconds")
    panels[0, 0].set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    panels[1, 0].set_ylabel("gap of the saving, %")
    for panel in panels[:, 0]:
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(output, dpi=150)


#: What is set to leave out a part of the method.
_WITHOUT: dict[str, dict[tuple[Any, str], Any]] = {
    "nothing": {},
    "restarts": {
        (primal_dual, "_FALLEN"): -1.0, (primal_dual, "_STALLED"): -1.0,
        (primal_dual, "_LONG"): float("inf"),
    },
    "weights of the steps": {(primal_dual, "_WEIGHT"): 1.0},
    "faster prices": {(primal_dual, "_PRICE_STEP"): 1.0},
    "sets of servers": {(layer_split, "MOST_HOLDERS"): 0},
}  # fmt: skip


def parts(files: list[str], seconds: float) -> None:
    """Print what the bound is without each part."""
    for file in files:
        instance = read_instance(file)
        for part, changes in _WITHOUT.items():
            with ExitStack() as stack:
                for (module, name), value in changes.items():
                    stack.enter_context(patch.object(module, name, value))
                row = run(instance, seconds)
            print(f"{instance.name:<20} without {part:<22} {row}", flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("growth", "parts"))
    parser.add_argument("instances", nargs="*")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--output", type=Path, default=Path("docs/growth.png"))
    arguments = parser.parse_args()
    if arguments.what == "growth":
        growth(arguments.seconds, arguments.output)
    else:
        parts(arguments.instances, arguments.seconds)


if __name__ == "__main__":
    main()
