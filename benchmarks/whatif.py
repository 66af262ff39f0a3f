"""How good the answers of `whatif` are: by prices alone, and by solves in little time.

    python benchmarks/whatif.py [SUITE or INSTANCE ...] [--limit 20] [--truth 60]

For each instance, by default of the suite small: a tenth of the bytes of all experts more on each
server, and the loss of each server, from the placement of `successive`. A run of `--truth` seconds tells the
values; instances of which it does not prove all are left out. Printed, over all others: Kendall's
tau of the order of the servers (pairs in the right order less pairs in the wrong one, as a share of
all whose values differ), by the bounds of the prices and by the values found in `--limit` seconds;
by how much the prices' bounds are above the values; how wide the intervals are, both as a share of
the sum of all values; and the share of the values that are proven within the limit.
"""

from __future__ import annotations

import argparse
from itertools import combinations

import pandas as pd
from expertcache import SUITES, Limits, Placement, load_instance, solve, whatif

#: Values that differ by less, as a share of the latency, are equal.
EQUAL = 1e-5

KEYS = ["change", "server"]


def compared(name: str, limit_s: float, truth_s: float) -> pd.DataFrame | None:
    """Every change with its values from both runs; None where not all are proven."""
    instance = load_instance(name)
    start = solve(instance, "successive").placement or Placement.empty()
    amount = int(instance.item_bytes.sum()) // 10
    truth = whatif(instance, start, [amount], limits=Limits(time_s=truth_s))
    if not truth.changes["proven"].all():
        return None
    short = whatif(instance, start, [amount], limits=Limits(time_s=limit_s))
    known = truth.changes[[*KEYS, "value_s"]].rename(columns={"value_s": "true_s"})
    return short.changes.merge(known, on=KEYS).assign(
        instance=instance.name,
        now_s=truth.latency_s,
        group="K = 1" if instance.top_k == 1 else "K >= 2",
    )


def tau(rows: pd.DataFrame, column: str) -> float:
    """Kendall's tau of a column with the truth, over the pairs of servers of each instance."""
    right = wrong = 0
    for _, mine in rows.groupby(["instance", "change"]):
        for a, b in combinations(mine.to_dict("records"), 2):
            true = a["true_s"] - b["true_s"]
            if abs(true) > EQUAL * a["now_s"]:
                found = (a[column] - b[column]) * true
                right, wrong = right + (found > 0), wrong + (found < 0)
    return (right - wrong) / max(1, right + wrong)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["small"])
    parser.add_argument("--limit", type=float, default=20.0)
    parser.add_argument("--truth", type=float, default=60.0)
    arguments = parser.parse_args()
    names: list[str] = []
    for name in arguments.names:
        names += [recipe.name for recipe in SUITES[name].recipes] if name in SUITES else [name]
    parts = [compared(name, arguments.limit, arguments.truth) for name in names]
    rows = pd.concat([part for part in parts if part is not None])
    print("group   change  instances  tau, prices  tau, solves  prices above  width  proven")
    for (group, change), mine in rows.groupby(["group", "change"], sort=False):
        size = max(mine["true_s"].abs().sum(), 1e-300)
        above = (mine["priced_most_s"] - mine["true_s"]).sum() / size
        width = (mine["value_most_s"] - mine["value_least_s"]).sum() / size
        print(
            f"{group:<7} {change:<7} {mine['instance'].nunique():>9} "
            f"{tau(mine, 'priced_most_s'):>12.2f} {tau(mine, 'value_s'):>12.2f} "
            f"{above:>13.1%} {width:>6.1%} {mine['proven'].mean():>7.0%}"
        )


if __name__ == "__main__":
    main()
