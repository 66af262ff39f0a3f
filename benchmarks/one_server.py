"""One server: `successive` and `max-convolution` against the proved optimum, many random cases.

    python benchmarks/one_server.py [--cases 3000]

Random instances with one server, K up to 3, up to 10 experts in a layer, one to three models of
different sizes, devices with local experts, any capacity. Prints the largest relative differences.
"""

from __future__ import annotations

import argparse

import numpy as np
from expertcache import Instance, Model, Requests, solve
from tqdm import trange


def random_instance(rng: np.random.Generator) -> Instance:
    """One server, anything else at random."""
    models = tuple(
        Model(f"m{m}", int(rng.integers(1, 4)), int(rng.integers(3, 11)), 3, int(size))
        for m, size in enumerate(rng.integers(1, 30, rng.integers(1, 4)))
    )
    M, U, R = len(models), int(rng.integers(1, 5)), int(rng.integers(1, 80))
    items = sum(model.items for model in models)
    total = sum(model.items * model.expert_bytes for model in models)
    model = rng.integers(0, M, R)
    experts = np.full((R, 3), -1)
    for row, m in zip(experts, model, strict=True):
        size = rng.integers(1, 4)
        row[:size] = rng.choice(models[m].experts, size, replace=False)
    return Instance(
        models=models,
        capacity_bytes=np.array([int(rng.random() * total)]),
        server_latency_s=rng.random((U, 1, M)),
        cloud_latency_s=0.5 + rng.random((U, M)),
        local_latency_s=rng.random((U, M)),
        local=rng.random((U, items)) < rng.choice([0, 0.2]),
        requests=Requests(
            user=rng.integers(0, U, R),
            model=model,
            layer=np.array([rng.integers(models[m].layers) for m in model]),
            experts=experts,
            rate=rng.random(R),
        ),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=3000)
    cases = parser.parse_args().cases
    rng = np.random.default_rng(2024)
    worst = {"successive": 0.0, "max-convolution": 0.0}
    least = {0.01: 1.0, 0.1: 1.0, 0.5: 1.0}
    for _ in trange(cases, disable=None):
        instance = random_instance(rng)
        best = solve(instance, "milp")
        assert best.status == "optimal"
        assert best.saving_s is not None
        for method, known in worst.items():
            found = solve(instance, method)
            assert found.saving_s is not None
            off = abs(found.saving_s - best.saving_s) / best.latency_empty_s
            worst[method] = max(known, off)
        for epsilon, known in least.items():
            near = solve(instance, "max-convolution", options={"epsilon": epsilon})
            assert near.saving_s is not None
            if best.saving_s > 0:
                least[epsilon] = min(known, near.saving_s / best.saving_s)
    print(f"{cases} cases")
    for method, off in worst.items():
        print(f"{method:<16} largest difference to the optimum: {off:.2g} of the latency")
    for epsilon, share in least.items():
        print(f"epsilon = {epsilon:<6} smallest share of the optimum: {share:.4f}")


if __name__ == "__main__":
    main()
