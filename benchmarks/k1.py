"""K = 1: `configuration` against the optimum, `exact` against the direct model, large instances.

    python benchmarks/k1.py random [--count 500]     # shares of the proved optimum, and the bound
    python benchmarks/k1.py speed                    # `exact` and `milp` in pairs: k1, 20 larger
    python benchmarks/k1.py odd [--time-limit 60]    # what `exact` certifies: models of odd sizes
    python benchmarks/k1.py large [--time-limit 600] # 20 servers, 100,000 pairs

Seconds are processor time of one process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from expertcache.instances.generate import generate
from expertcache.instances.links import link_latencies
from expertcache.instances.scenario import Scenario
from expertcache.instances.suites import find_suite
from expertcache.method import Limits
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.solver import a_priori, solve
from expertcache.structure import Structure

#: (layers, experts, bytes) of models of odd sizes.
TWO = ((12, 32, 100), (6, 16, 430))
THREE = ((8, 16, 100), (6, 8, 430), (4, 32, 257))
FOUR = ((12, 32, 100), (6, 16, 430), (12, 16, 777), (24, 10, 211))


def odd_sizes(
    seed: int,
    servers: int,
    users: int,
    models: tuple[tuple[int, int, int], ...],
    *,
    scattered: bool,
) -> Instance:
    """Every user asks for every expert of one model; experts have odd sizes.

    Parameters
    ----------
    seed, servers, users : int
    models : tuple
        Layers, experts of a layer and bytes of an expert.
    scattered : bool
        Latencies drawn at random, so that each user has an order of the servers of their own;
        else from positions.
    """
    rng = np.random.default_rng(seed)
    M = len(models)
    specs = tuple(Model(f"m{m}", L, E, 1, b) for m, (L, E, b) in enumerate(models))
    total = sum(spec.items * spec.expert_bytes for spec in specs)
    if scattered:
        server = rng.uniform(0.1, 1.0, (users, servers, 1)).repeat(M, axis=2)
        cloud, local = np.ones((users, M)), np.full((users, M), 0.05)
    else:
        scenario = Scenario(models=("switch-base-8",) * M, servers=servers, users=users)
        positions = rng.random((servers, 2)) * 1000, rng.random((users, 2)) * 1000
        links = link_latencies(scenario, *positions)
        server, cloud, local = links.server, links.cloud, links.local
    rank = [np.array([rng.permutation(E) for _ in range(L)]) for L, E, _ in models]
    rows, rates = [], []
    for u in range(users):
        m = u % M
        L, E, _ = models[m]
        popularity = (1.0 + rank[m]) ** -0.8
        popularity /= popularity.sum(axis=1, keepdims=True)
        share = rng.gamma(20 * popularity + 1e-3) + 1e-9
        rates.append((share / share.sum(axis=1, keepdims=True)).ravel() / users)
        layer, expert = np.divmod(np.arange(L * E), E)
        rows.append(np.column_stack([np.full(L * E, u), np.full(L * E, m), layer, expert]))
    user, model, layer, expert = np.concatenate(rows).T
    return Instance(
        models=specs,
        capacity_bytes=(0.2 * total * rng.uniform(0.7, 1.3, servers)).astype(np.int64),
        server_latency_s=server,
        cloud_latency_s=cloud,
        local_latency_s=local,
        local=np.zeros((users, sum(spec.items for spec in specs)), dtype=np.bool_),
        requests=Requests(user, model, layer, expert[:, None], np.concatenate(rates)),
        name=f"n{servers}-u{users}-m{M}-{'scattered' if scattered else 'positions'}-s{seed}",
    )


def small(seed: int) -> Instance:
    """A random instance that can be proved at once: two to four servers, odd sizes."""
    rng = np.random.default_rng([seed, 7])
    models = tuple(
        (int(rng.integers(1, 4)), int(rng.integers(3, 9)), int(rng.integers(50, 500)))
        for _ in range(int(rng.integers(2, 4)))
    )
    servers, users = int(rng.integers(2, 5)), int(rng.integers(4, 13))
    return odd_sizes(seed, servers, users, models, scattered=bool(seed % 2))


def larger() -> Iterator[Instance]:
    """Twenty instances larger than those of the suite k1."""
    for number in range(20):
        models = (("switch-base-32",), ("switch-base-8", "switch-base-32"))[number % 2]
        scenario = Scenario(
            models=models, layers=4 + number % 3, servers=4 + number % 5, users=20 + 2 * number,
            area_m=500 + 100 * (number % 4), local=number % 3,
        )  # fmt: skip
        yield generate(scenario, 3001 + number, name=f"larger-{number}")


def random_instances(count: int) -> None:
    """Shares of the proved optimum, and how far the bound is above it."""
    shares, gaps, promises = [], [], []
    for seed in range(count):
        instance = small(seed)
        best = solve(instance, "exact")
        assert best.status == "optimal"
        assert best.saving_s is not None
        if best.saving_s <= 0:
            continue
        found = solve(instance, "configuration")
        assert found.saving_s is not None
        assert found.bound_latency_s is not None
        shares.append(found.saving_s / best.saving_s)
        gaps.append((found.latency_empty_s - found.bound_latency_s) / best.saving_s - 1)
        promises.append(a_priori(found, Structure(instance)).ratio)
    print(
        f"configuration, {len(shares)} instances with a saving: "
        f"mean {np.mean(shares):.5f}, worst {min(shares):.5f}"
    )
    print(f"bound above the optimum: mean {np.mean(gaps):.4%}, worst {max(gaps):.4%}")
    print(f"promise: at least {min(promises):.4f}")


def speed(instances: list[Instance], limit: float) -> None:
    """Run `exact` against `milp`, which was all of `exact` for K = 1 once, in pairs."""
    ratios = []
    # What is imported once is not counted.
    for method in ("milp", "exact"):
        solve(instances[0], method, limits=Limits(time_s=limit))
    for instance in instances:
        seconds = {"milp": np.inf, "exact": np.inf}
        done = {}
        for _ in range(3):
            for method in seconds:
                began = time.process_time()
                done[method] = solve(instance, method, limits=Limits(time_s=limit))
                seconds[method] = min(seconds[method], time.process_time() - began)
            if max(seconds.values()) > 2:
                break
        ratios.append(seconds["milp"] / seconds["exact"])
        told = ", ".join(f"{m} {s:.3f} s {done[m].status}" for m, s in seconds.items())
        print(f"{instance.name:<22} {told}, {ratios[-1]:.2f} times", flush=True)
    mean = np.exp(np.mean(np.log(ratios)))
    print(f"geometric mean {mean:.2f} times as fast, at least {min(ratios):.2f}\n")


def certified(instance: Instance, method: str, limit: float, threads: int) -> None:
    """What a method certifies in a time."""
    began = time.process_time()
    solution = solve(instance, method, limits=Limits(time_s=limit, threads=threads))
    assert solution.certified_ratio is not None
    print(
        f"{instance.name:<28} {len(instance.requests)} pairs, {method}: {solution.status}, "
        f"certified {solution.certified_ratio:.4%} in {solution.seconds:.1f} s "
        f"({time.process_time() - began:.1f} s of processor time)",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["random", "speed", "odd", "large"])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    limit, threads = arguments.time_limit, arguments.threads
    if arguments.what == "random":
        random_instances(arguments.count)
    elif arguments.what == "speed":
        speed(list(find_suite("k1").instances()), limit)
        speed(list(larger()), limit)
    elif arguments.what == "odd":
        for number in range(10):
            models = (TWO, THREE)[number % 2]
            servers, users = 5 + number // 2 % 4, 30 + 10 * (number % 4)
            instance = odd_sizes(number, servers, users, models, scattered=number < 5)
            certified(instance, "exact", limit, threads)
    else:
        for scattered in (False, True):
            instance = odd_sizes(1, 20, 440, FOUR, scattered=scattered)
            for method in ("configuration", "exact"):
                certified(instance, method, limit, threads)


if __name__ == "__main__":
    main()
