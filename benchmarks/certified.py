"""Certified gaps at the size of real models: method `decomposition` on two cores.

    python benchmarks/certified.py [TRACE.json.gz] [--time-limit 120] [--trace-limit 600]

Mixtral-8x7B whole (32 layers of 8 experts, top-2), 5 servers, 50 users: as `generate` makes it, in
a denser area, and scattered: every user has its own latency to every server, so that hardly two
users see the servers in the same order. And an instance file, for example one of `import trace`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from expertcache import Instance, Limits, Scenario, bound, generate, read_instance, solve

_MIXTRAL = Scenario(servers=5, users=50)


def scattered(seed: int) -> Instance:
    """Mixtral where each user's latency to each server is drawn by itself, 40 % out of reach."""
    rng = np.random.default_rng(seed)
    base = generate(_MIXTRAL.replace(tokens=10, user_concentration=5.0), seed, name="scattered")
    shape = base.server_latency_s.shape
    latency = rng.uniform(0.005, 0.03, shape)
    latency[rng.random(shape) < 0.4] = np.inf
    cloud = rng.uniform(0.06, 0.12, base.cloud_latency_s.shape)
    return replace(base, server_latency_s=latency, cloud_latency_s=cloud)


def report(instance: Instance, limits: Limits) -> None:
    """Print what is certified, and the bound against time."""
    print(f"{instance.name}: {len(instance.requests)} requests")
    certified = bound(instance, "decomposition", limits=limits)
    quick = solve(instance, "successive")
    found = solve(instance, "decomposition", limits=limits)
    assert quick.saving_s is not None
    assert found.saving_s is not None
    assert found.bound_latency_s is not None
    empty = found.latency_empty_s
    for row in certified.meta["log"]:
        left = 1 - quick.saving_s / (empty - row["bound_latency_s"])
        print(f"  bound after {row['seconds']:6.1f} s: successive within {left:.3%}")
    most = empty - max(found.bound_latency_s, certified.bound_latency_s)
    for solution in (quick, found):
        assert solution.saving_s is not None
        left = 1 - solution.saving_s / most
        print(f"  {solution.method} in {solution.seconds:.1f} s: gap of the saving {left:.3%}")
    print(f"  layers {certified.meta['pricing']}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance", nargs="?", help="instance file")
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--trace-limit", type=float, default=600.0)
    arguments = parser.parse_args()
    limits = Limits(time_s=arguments.time_limit, threads=2)
    report(generate(_MIXTRAL, 1, name="as generated"), limits)
    report(generate(_MIXTRAL.replace(area_m=500), 1, name="dense"), limits)
    report(scattered(1), limits)
    if arguments.instance:
        limits = Limits(time_s=arguments.trace_limit, threads=2)
        report(read_instance(arguments.instance), limits)


if __name__ == "__main__":
    main()
