"""Each method's share of the optimal saving, on instances of fresh seeds.

    python benchmarks/quality.py [--seeds 5] [--first-seed 1001] [--proof-time 60] [--jobs 2]

An instance is compared with its proved optimum or, where `milp` does not prove one in time, with
the saving that its bound leaves open (then a share is too small, never too large).
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.method import Limits
from expertcache.solver import find_method, solve
from tqdm import tqdm

METHODS = {
    "greedy": {},
    "pipage": {},
    "enumeration-greedy": {"depth": 1},
    "successive": {},
    "max-convolution": {"epsilon": 0.1},
    "ascent": {},
    "local-search": {},
}
_BASE = Scenario(users=6, capacity=0.2, area_m=500)
_SWITCH = _BASE.replace(models=("switch-base-8",), layers=6)
_DBRX = _BASE.replace(models=("dbrx",), tokens=6)
FAMILIES = {
    "K=1": {
        "switch-base-8, 3 servers": _SWITCH.replace(servers=3),
        "switch-base-8, 4 servers, 2 local": _SWITCH.replace(servers=4, local=2),
        "switch-base-32, 4 servers": _SWITCH.replace(
            models=("switch-base-32",), layers=4, servers=4
        ),
        "switch-base-8 and 32, 3 servers": _SWITCH.replace(
            models=("switch-base-8", "switch-base-32"), layers=3, servers=3
        ),
    },
    "K=2": {
        "mixtral, dense, 2 servers": _BASE.replace(layers=4, servers=2),
        "mixtral, dense, 3 servers": _BASE.replace(layers=3, servers=3),
        "mixtral, dense, 4 servers": _BASE.replace(layers=2, servers=4),
        "mixtral, sparse, 4 servers": _BASE.replace(layers=4, servers=4, tokens=6),
        "mixtral, dense, 4 servers, 2 local": _BASE.replace(layers=6, servers=4, local=2),
        "mixtral and phi of 8, 3 servers": _BASE.replace(
            models=("mixtral-8x7b", "phi-3.5-moe"), layers=1, experts=8, servers=3
        ),
    },
    "K=3": {
        "dbrx of 8, dense, 3 servers": _BASE.replace(
            models=("dbrx",), layers=1, experts=8, top_k=3, servers=3, capacity=0.4
        ),
        "dbrx of 8, sparse, 3 servers": _DBRX.replace(layers=3, experts=8, top_k=3, servers=3),
        "dbrx of 8, sparse, 3 servers, 2 local": _DBRX.replace(
            layers=3, experts=8, top_k=3, servers=3, local=2
        ),
    },
    "K=4": {
        "dbrx, sparse, 2 servers": _DBRX.replace(layers=3, servers=2, capacity=0.3),
        "dbrx, sparse, 3 servers, 3 local": _DBRX.replace(layers=2, servers=3, local=3),
        "gpt-oss of 16, sparse, 3 servers": _DBRX.replace(
            models=("gpt-oss-20b",), layers=2, experts=16, servers=3, capacity=0.4
        ),
    },
}


def measure(cell: tuple[str, str, int, float]) -> list[dict[str, object]]:
    """Rows of one instance."""
    group, family, seed, proof_time = cell
    instance = generate(FAMILIES[group][family], seed, name=f"{family}, seed {seed}")
    exact = solve(instance, "milp", limits=Limits(time_s=proof_time))
    proved = exact.status == "optimal"
    assert exact.bound_latency_s is not None
    most = exact.latency_empty_s - exact.bound_latency_s
    rows = []
    for method, options in METHODS.items():
        if find_method(method).unsupported(instance):
            continue
        result = solve(instance, method, limits=Limits(time_s=10), options=options)
        assert result.saving_s is not None
        rows.append(
            {
                "K": group,
                "family": family,
                "seed": seed,
                "method": method,
                "ratio": result.saving_s / most if most > 0 else math.nan,
                "proved": proved,
                "seconds": result.seconds,
                "milp_seconds": exact.seconds,
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1001)
    parser.add_argument("--proof-time", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", help="CSV of every cell")
    arguments = parser.parse_args()
    cells = [
        (group, family, arguments.first_seed + k, arguments.proof_time)
        for group, families in FAMILIES.items()
        for family in families
        for k in range(arguments.seeds)
    ]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        done = tqdm(pool.map(measure, cells), total=len(cells), disable=None)
        rows = pd.DataFrame([row for part in done for row in part])
    if arguments.output:
        rows.to_csv(arguments.output, index=False)
    instances = rows.drop_duplicates(["family", "seed"])
    for by in (["K"], ["K", "family"]):
        ratio = rows.groupby([*by, "method"], sort=False)["ratio"].agg(["mean", "min"])
        text = ratio.map("{:.4f}".format).agg(" / ".join, axis=1).unstack("method")[list(METHODS)]
        counts = instances.groupby(by, sort=False)["proved"]
        text.insert(0, "proved", counts.sum().astype(str) + " of " + counts.size().astype(str))
        print(text.fillna("-").to_string(), "\n")


if __name__ == "__main__":
    main()
