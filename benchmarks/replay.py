"""Train and test: what each method loses because tokens come that it did not see.

    python benchmarks/replay.py FOLDER [--layers 24] [--time-limit 60]

FOLDER holds the four files of docs/recorded.md. For each method: the expected latency on
the training part, the replayed latency on the test part, and what the same method reaches in
hindsight, on the test part itself; `lost` is the difference of the last two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from expertcache import Limits, Scenario, import_trace, read_geography, read_trace, solve
from expertcache.instances.trace_split import split_trace
from expertcache.studies.replay import replay

SEED, TEST_SHARE = 1, 0.2
METHODS = ("cloud-only", "random", "popularity", "greedy", "successive", "local-search")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--time-limit", type=float, default=60.0)
    arguments = parser.parse_args()
    folder = arguments.folder
    trace = read_trace(folder / "gpt_oss_20b_topk.npz", folder / "sequences.json")
    scenario = Scenario(
        models=("gpt-oss-20b",), precision="mxfp4", servers=10, users=40, radius_m=300,
        capacity=0.2, local=4, layers=arguments.layers,
    )  # fmt: skip
    geography = read_geography(
        folder / "site-optus-melbCBD.csv", folder / "users-melbcbd-generated.csv",
        servers=scenario.servers, users=scenario.users, seed=SEED,
    )  # fmt: skip
    parts, instances = {}, {}
    for part in ("train", "test"):
        parts[part] = split_trace(trace, TEST_SHARE, SEED, part)
        instances[part] = import_trace(parts[part], scenario, geography, seed=SEED)
    limits = Limits(time_s=arguments.time_limit)
    train = instances["train"]
    # Hindsight is about the servers: devices keep what was most used in training.
    test = instances["test"].replace(local=train.local)
    rows = []
    for method in METHODS:
        found = solve(train, method, limits=limits)
        hindsight = solve(test, method, limits=limits)
        walked = replay(train, found.placement, parts["test"])
        placed = hindsight.placement
        best = replay(train, placed, parts["test"])
        rows.append(
            {
                "method": method,
                "expected on train": found.latency_s,
                "replayed on test": walked.mean_s,
                "in hindsight": best.mean_s,
                "lost": walked.mean_s / best.mean_s - 1,
                **walked.percentile_s,
                **walked.hit_share,
            }
        )
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    print("\n", pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
