"""The tables of docs/ that come from stored results.

    python benchmarks/tables.py

Prints each with the page that shows it; `tests/test_docs.py` holds that the pages do. The results
in ``benchmarks/results/NAME.csv`` are those of the study ``benchmarks/studies/NAME.toml``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import expertcache as ec
import numpy as np
import numpy.typing as npt
import pandas as pd

RESULTS = Path(__file__).with_name("results")

#: Methods of the table of qualities, with their headings.
_QUALITY = {
    "greedy": "`greedy`",
    "pipage": "`pipage`",
    "enumeration-greedy": "`enumeration-greedy` d = 1",
    "successive": "`successive`",
    "ascent": "`ascent`",
    "local-search": "`local-search`",
}


def quality() -> str:
    """Mean and smallest share of the optimum, for each K and method."""
    rows = pd.read_csv(RESULTS / "quality.csv")
    lines = []
    for K, mine in rows.groupby("top_k"):
        ratio = mine.groupby("method")["ratio"]
        shares = pd.DataFrame({"mean": ratio.mean(), "min": ratio.min()}).loc[list(_QUALITY)]
        text = [
            "-" if pd.isna(low) else f"{mean:.3f} / {low:.3f}" if low else f"{mean:.3f} / 0"
            for mean, low in shares.itertuples(index=False)
        ]
        lines.append([str(K), str(mine["instance"].nunique()), *text])
    return _table(["K", "instances", *_QUALITY.values()], lines)


def baselines() -> str:
    """The same beside baselines, for K = 1 and K >= 2."""
    rows = pd.read_csv(RESULTS / "methods.csv")
    rows = rows[rows["ratio"].notna()]
    names = ["popularity", "random", "greedy", "successive", "ascent", "local-search"]
    lines = []
    for label, mine in (("1", rows[rows["top_k"] == 1]), (">= 2", rows[rows["top_k"] > 1])):
        shares = mine.groupby("method")["ratio"].agg(["mean", "min"]).loc[names]
        text = [f"{mean:.3f} / {low:.3f}" for mean, low in shares.itertuples(index=False)]
        lines.append([label, str(mine["instance"].nunique()), *text])
    return _table(["K", "instances", *(f"`{name}`" for name in names)], lines)


def suites() -> str:
    """What is known of each suite."""
    known = ec.records()
    lines = []
    for suite in ec.SUITES.values():
        rows = [known[recipe.name] for recipe in suite.recipes]
        open_ = [
            row.saving_s / (row.latency_s + row.saving_s - row.bound_latency_s)
            for row in rows
            if row.status != "optimal"
        ]
        proved = str(len(rows) - len(open_))
        if len(open_) == 1:
            proved += f"; the other saves {open_[0]:.3f} of what the bound allows"
        elif open_:
            proved += f"; the others save at least {min(open_):.3f} of what the bound allows"
        lines.append([f"`{suite.name}`", str(len(rows)), proved, suite.summary])
    return _table(["suite", "instances", "proved optimal", "what for"], lines)


#: Gaps below this are within the tolerance of the proof of the optimum: they count as 0.
TOLERANCE = 1e-6


def gaps(cells: pd.DataFrame) -> pd.DataFrame:
    """How far the bound by prices is above the optimum, as a share of it, for each instance.

    Columns: scenario, layers, seed, half (whether each server has room for half a layer beside
    whole ones) and gap.
    """
    exact = cells[cells["method"] == "exact"].set_index("instance")
    prices = cells[cells["method"] == "prices"].set_index("instance").reindex(exact.index)
    assert (exact["status"] == "optimal").all()
    gap = (prices["latency_empty_s"] - prices["bound_latency_s"]) / exact["saving_s"] - 1
    return exact[["scenario", "layers"]].assign(
        seed=exact.index.str.extract(r" s(\d+)$", expand=False).astype(int),
        half=exact["layers"] % 4 > 0,
        gap=gap.where(gap >= TOLERANCE, 0.0),
    )


def depth() -> str:
    """Mean gap at the fewest and the most layers, and the exponent between them."""
    found = gaps(pd.read_csv(RESULTS / "depth.csv"))
    lines = []
    for scenario in found["scenario"].unique():
        line = [scenario]
        for half in (False, True):
            mine = found[(found["scenario"] == scenario) & (found["half"] == half)]
            line += _fall(mine.pivot_table("gap", "layers", "seed"))
        lines.append(line)
    head = ["gap (fewest, most L)", "exponent", "gaps of 0"]
    return _table(["", *head, "half a layer more: gap", *head[1:]], lines)


def _fall(gap: pd.DataFrame) -> list[str]:
    """Text for a table [layers, seeds]: the exponent is that of the mean over the seeds."""
    mean = gap.mean(axis=1)
    zeros = f"{int((gap == 0).to_numpy().sum())} of {gap.size}"
    if mean.max() == 0:
        return ["0", "-", zeros]
    first, last = mean.index[[0, -1]]
    seeds = np.random.default_rng(0).integers(0, gap.shape[1], (2000, gap.shape[1]))
    drawn = gap.to_numpy()[:, seeds].mean(axis=2)
    # Where all seeds that were drawn have no gap, there is no logarithm.
    slopes = [_slope(mean.index, column) for column in drawn.T if column.all()]
    low, high = np.percentile(slopes, [2.5, 97.5])
    return [
        f"{100 * mean[first]:.2g} % ({first}), {100 * mean[last]:.2g} % ({last})",
        f"{_slope(mean.index, mean):.1f} ({low:.1f} to {high:.1f})",
        zeros,
    ]


def _slope(layers: pd.Index, gap: npt.ArrayLike) -> float:
    return float(np.polyfit(np.log(layers), np.log(gap), 1)[0])


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows).replace(" --- ", "---")


#: Tables of each page.
TABLES: dict[str, tuple[Callable[[], str], ...]] = {
    "docs/algorithms.md": (quality, depth),
    "docs/paper.md": (baselines,),
    "docs/studies.md": (suites,),
}

if __name__ == "__main__":
    for page, tables in TABLES.items():
        for table in tables:
            print(f"{page}\n\n{table()}\n")
