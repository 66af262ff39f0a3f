"""One million requests: reading the file, and one call of the evaluator.

    python benchmarks/large_files.py

Prints seconds and the process' peak memory. Each figure is the median of five.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from expertcache import (
    Instance,
    Model,
    Placement,
    Requests,
    evaluate,
    read_instance,
    write_instance,
)

R, K, N, U, LAYERS, EXPERTS = 1_000_000, 8, 10, 100, 48, 128


def instance() -> Instance:
    """Uniform random requests; the file has every field that costs."""
    rng = np.random.default_rng(0)
    experts = np.argsort(rng.random((R, EXPERTS), dtype=np.float32), axis=1)[:, :K]
    items = LAYERS * EXPERTS
    return Instance(
        models=(Model("qwen3-30b-a3b", LAYERS, EXPERTS, K, 9437184),),
        capacity_bytes=np.full(N, items * 9437184 // 5),
        server_latency_s=rng.random((U, N, 1)) + 0.1,
        cloud_latency_s=np.full((U, 1), 2.0),
        local_latency_s=np.full((U, 1), 0.05),
        local=rng.random((U, items)) < 0.05,
        requests=Requests(
            user=rng.integers(0, U, R),
            model=np.zeros(R, dtype=int),
            layer=rng.integers(0, LAYERS, R),
            experts=experts,
            rate=rng.random(R),
        ),
    )


def read_and_evaluate(path: str) -> None:
    """Measure; the process' peak memory is that of reading."""
    began = time.perf_counter()
    loaded = read_instance(path)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"read {Path(path).suffix:<5} {seconds:6.2f} s, peak {peak:.2f} GiB")
    rng = np.random.default_rng(1)
    placement = Placement.of(loaded, rng.random((N, loaded.items)) < 0.2)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        evaluate(loaded, placement)
        times.append(time.perf_counter() - began)
    print(f"evaluate   {statistics.median(times):6.3f} s")


def main() -> None:
    """Write the files and measure each, every step in a small process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("large.json", "large.json.gz"):
            path = Path(folder) / name
            for step in ("write", "read"):
                subprocess.run([sys.executable, __file__, step, str(path)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_instance(instance(), sys.argv[2])
        print(f"{sys.argv[2]}: {Path(sys.argv[2]).stat().st_size / 1e6:.0f} MB", flush=True)
    elif sys.argv[1:2] == ["read"]:
        read_and_evaluate(sys.argv[2])
    else:
        main()
