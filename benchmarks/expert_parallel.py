"""Expert parallelism on the recorded trace: latency and balance of `eplb` and `expert-parallel`.

    python benchmarks/expert_parallel.py FOLDER

FOLDER holds the trace of docs/recorded.md. Placements are made on four fifths of the sequences;
latency and imbalance are those of the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from expertcache import Instance, Machine, evaluate, import_machine, read_trace, solve
from expertcache.expert_parallelism.balance import told
from expertcache.instances.trace_split import split_trace

SEED, TEST_SHARE = 1, 0.2
#: GPUs, nodes, slots of each GPU in each layer.
SETS = [(4, 1, 9), (8, 1, 5), (8, 2, 5)]
PLACEMENTS = {
    "eplb": ("eplb", {}),
    "eplb on nodes": ("eplb", {"nodes": 2, "groups": 2}),
    "expert-parallel, most_load=1.1": ("expert-parallel", {"most_load": 1.1}),
    "expert-parallel": ("expert-parallel", {}),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int)
    arguments = parser.parse_args()
    trace = read_trace(arguments.folder / "gpt_oss_20b_topk.npz")
    rows = []
    for gpus, nodes, slots in SETS:
        machine = Machine(precision="mxfp4", gpus=gpus, nodes=nodes, layers=arguments.layers)
        made: dict[str, Instance] = {
            part: import_machine(split_trace(trace, TEST_SHARE, SEED, part), machine, "gpt-oss-20b")
            for part in ("train", "test")
        }
        model = made["test"].models[0]
        for name, (method, options) in PLACEMENTS.items():
            if options.get("nodes", nodes) != nodes:
                continue
            found = solve(made["train"], method, options={"slots": slots, **options})
            cached = found.placement.cached(made["test"])
            cached = cached.reshape(gpus, model.layers, model.experts)
            even = told(made["test"], cached, slots)["imbalance"]
            rows.append(
                {
                    "GPUs": gpus,
                    "nodes": nodes,
                    "slots": slots,
                    "placement": name,
                    "latency, us": 1e6 * evaluate(made["test"], found.placement).latency_s,
                    "imbalance": even["mean"],
                    "worst layer": max(even["layers"]),
                    "seconds": found.seconds,
                }
            )
            print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
