"""Caches that react: rows (token, layer) a second of each policy, with Numba and without.

    python benchmarks/policies.py [TOKENS]

Random routing of 24 layers, top-4 of 32 experts, with a taste of each of 10 servers, room for a
fifth of the experts; by default 20,000 tokens of 40 users. Seconds of the processor, after
compiling. Without Numba (`expertcache[numba]`) the same loop runs in Python, on a tenth of the
tokens.
"""

from __future__ import annotations

import subprocess
import sys
import time

if sys.argv[2:] == ["python"]:
    # As if it were not installed.
    sys.modules["numba"] = None  # type: ignore[assignment]

import numpy as np
from expertcache import Scenario, generate
from expertcache.caches.arrivals import Arrivals
from expertcache.caches.compiled import COMPILED
from expertcache.caches.policies import RULES, find_policy
from expertcache.caches.simulation import home_servers, simulate

LAYERS, EXPERTS, TOP_K = 24, 32, 4


def main(tokens: int) -> None:
    """Measure every policy."""
    instance = generate(
        Scenario(
            models=("gpt-oss-20b",), servers=10, users=40, area_m=500, radius_m=300, capacity=0.2,
            max_sets=1,
        ),
        seed=1,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    user = rng.integers(0, instance.users, tokens)
    taste = rng.random((instance.servers + 1, LAYERS, EXPERTS), dtype=np.float32)
    noise = rng.random((tokens, LAYERS, EXPERTS), dtype=np.float32)
    ids = (taste[home_servers(instance)[user]] + noise).argsort(axis=2)[:, :, -TOP_K:]
    arriving = Arrivals(np.arange(tokens), user)
    few = Arrivals(np.arange(10), user[:10])
    for name in [f"{rule}{end}" for rule in RULES for end in ("", "-by-layer")]:
        policy = find_policy(name)
        simulate(instance, policy, ids, few, window=1000)
        began = time.process_time()
        walked = simulate(instance, policy, ids, arriving, window=1000)
        seconds = time.process_time() - began
        print(
            f"{name:<16} {'Numba ' if COMPILED else 'Python'} {tokens * LAYERS:>9,} rows "
            f"{seconds:7.2f} s {tokens * LAYERS / seconds / 1e6:6.2f} million rows a second, "
            f"hit rate {walked.hits.sum() / walked.asked.sum():.4f}",
            flush=True,
        )


if __name__ == "__main__":
    count = int(float((sys.argv[1:2] or ["2e4"])[0]))
    main(count)
    if COMPILED:
        subprocess.run([sys.executable, __file__, str(count // 10), "python"], check=True)
