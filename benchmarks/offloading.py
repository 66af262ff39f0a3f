"""One GPU in front of its host: what is gained over caching by frequency, on tokens kept out.

    python benchmarks/offloading.py FOLDER

FOLDER holds the trace of docs/recorded.md. Placements are made on four fifths of the sequences
and evaluated on the others. "Slowest" placements count a layer's slowest missing expert, "added up"
ones all of them, as one link does: each is evaluated in both ways.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from expertcache import Instance, Machine, evaluate, import_machine, read_trace, solve
from expertcache.instances.trace_split import split_trace

SEED, TEST_SHARE = 1, 0.2
LINKS = {
    "PCIe, 25 GB/s": {},
    "CPU computes, 80 GB/s, 100 us a layer": {"host_s": 100e-6, "host_bytes_per_s": 80e9},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", type=float, nargs="+", default=[2.0, 4.0, 6.0])
    parser.add_argument("--layers", type=int)
    arguments = parser.parse_args()
    trace = read_trace(arguments.folder / "gpt_oss_20b_topk.npz")
    parts = {part: split_trace(trace, TEST_SHARE, SEED, part) for part in ("train", "test")}

    def instance(part: str, memory: float, parallel: bool, link: dict[str, float]) -> Instance:
        machine = Machine(
            precision="mxfp4", memory_gib=memory, parallel=parallel, layers=arguments.layers, **link
        )
        return import_machine(parts[part], machine, "gpt-oss-20b")

    rows = []
    for name, link in LINKS.items():
        for memory in arguments.memory:
            ways = {"added up": False, "slowest": True}
            tests = {way: instance("test", memory, each, link) for way, each in ways.items()}
            frequency = solve(instance("train", memory, False, link), "popularity").placement
            placements = {"frequency": frequency} | {
                way: solve(instance("train", memory, each, link), "successive").placement
                for way, each in ways.items()
            }
            for made, placement in placements.items():
                value = {
                    f"{way}, ms": 1e3 * evaluate(test, placement).latency_s
                    for way, test in tests.items()
                }
                rows.append({"link": name, "GiB": memory, "placement": made, **value})
                print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
