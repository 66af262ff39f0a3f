"""The tables of the README and of docs/ that come from stored results.

    python benchmarks/tables.py

Prints each with the page that shows it; `tests/test_docs.py` holds that the pages do. The results
in ``benchmarks/results/NAME.csv`` are those of the study ``benchmarks/studies/NAME.toml``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import expertcache as ec
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


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows).replace(" --- ", "---")


#: Tables of each page.
TABLES: dict[str, tuple[Callable[[], str], ...]] = {
    "docs/algorithms.md": (quality,),
    "docs/paper.md": (baselines,),
    "docs/studies.md": (suites,),
}

if __name__ == "__main__":
    for page, tables in TABLES.items():
        for table in tables:
            print(f"{page}\n\n{table()}\n")
