"""Shared instances and the brute force that everything is compared with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from expertcache.problem.evaluate import evaluate
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.placement import Placement
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")

#: Relative agreement of values computed in different ways.
TOLERANCE = 1e-6


def make_random_instance(
    seed: int,
    *,
    top_k: int = 2,
    models: int = 1,
    servers: int = 2,
    users: int = 3,
    layers: int = 2,
    experts: int = 3,
    rows: int = 12,
    local: float = 0.2,
    unreachable: float = 0.2,
    equal_sizes: bool = False,
    capacity: float | None = None,
) -> Instance:
    """A tiny instance with everything that is legal in it.

    Servers may be slower than the cloud or than the device, devices slower than the cloud,
    latencies may be equal, rates 0, rows repeated, capacities 0 or large enough for all.
    """
    rng = np.random.default_rng(seed)
    specs = tuple(
        Model(f"m{m}", layers, experts, min(top_k, experts), 2 if equal_sizes else 2 + 3 * m)
        for m in range(models)
    )
    items = sum(spec.items for spec in specs)
    total = sum(spec.items * spec.expert_bytes for spec in specs)
    shares = rng.choice([0.0, 0.2, 0.4, 0.6, 1.0], size=servers, p=[0.1, 0.3, 0.3, 0.2, 0.1])
    if capacity is not None:
        shares[:] = capacity
    # Few distinct values, so that ties happen.
    server = rng.integers(1, 9, size=(users, servers, models)) / 8.0
    server[rng.random(server.shape) < unreachable] = np.inf
    experts_of = np.full((rows, top_k), -1)
    for row in experts_of:
        size = (
            rng.integers(1, min(top_k, experts) + 1) if rng.random() < 0.3 else min(top_k, experts)
        )
        row[:size] = rng.choice(experts, size=size, replace=False)
    return Instance(
        models=specs,
        capacity_bytes=(shares * total).astype(np.int64),
        server_latency_s=server,
        cloud_latency_s=rng.integers(6, 12, size=(users, models)) / 8.0,
        local_latency_s=rng.integers(1, 12, size=(users, models)) / 8.0,
        local=rng.random((users, items)) < local,
        requests=Requests(
            user=rng.integers(0, users, rows),
            model=rng.integers(0, models, rows),
            layer=rng.integers(0, layers, rows),
            experts=experts_of,
            rate=rng.random(rows) * (rng.random(rows) < 0.9),
        ),
        name=f"random-{seed}",
    )


def naive_latency_s(instance: Instance, cached: np.ndarray) -> float:
    """The definition, word for word and without any array operation."""
    total = 0.0
    requests = instance.requests
    for r in range(len(requests)):
        user, model = int(requests.user[r]), int(requests.model[r])
        slowest = 0.0
        for expert in requests.experts[r]:
            if expert < 0:
                continue
            item = instance.item(model, int(requests.layer[r]), int(expert))
            best = instance.cloud_latency_s[user, model]
            if instance.local[user, item]:
                best = min(best, instance.local_latency_s[user, model])
            for n in range(instance.servers):
                if cached[n, item]:
                    best = min(best, instance.server_latency_s[user, n, model])
            slowest = max(slowest, best)
        total += float(requests.rate[r]) * slowest
    return total


def brute_force_latency_s(instance: Instance) -> float:
    """Latency of the best placement, by trying all maximal choices of every server."""
    choices = []
    for room in instance.capacity_bytes.tolist():
        sets = np.array(list(product([False, True], repeat=instance.items)))
        fits = sets @ instance.item_bytes <= room
        sets = sets[fits]
        # Caching more never hurts, so only sets that no other fitting set contains.
        sizes = sets.sum(axis=1)
        inside = (sets.astype(int) @ sets.T.astype(int)) == sizes[:, None]
        maximal = (inside & (sizes[:, None] < sizes)).sum(axis=1) == 0
        choices.append(sets[maximal])
    best = np.inf
    for rows in product(*choices):
        cached = np.array(rows).reshape(instance.servers, instance.items)
        best = min(best, evaluate(instance, Placement.of(instance, cached)).latency_s)
    return best


@pytest.fixture(scope="session")
def random_instance() -> Callable[..., Instance]:
    return make_random_instance


@pytest.fixture(scope="session")
def naive_latency() -> Callable[[Instance, np.ndarray], float]:
    return naive_latency_s


@pytest.fixture(scope="session")
def brute_force_latency() -> Callable[[Instance], float]:
    return brute_force_latency_s


@pytest.fixture
def two_servers() -> Instance:
    """One user, one layer of three experts, top-2, no local expert.

    Server 0 (0.1 s) and server 1 (0.2 s) hold one expert each, the cloud is at 1 s. Sets {0, 1}
    (rate 0.75) and {1, 2} (rate 0.25): the best is one of 0 and 1 on each server, latency
    0.75 * 0.2 + 0.25 * 1 = 0.4 s.
    """
    return Instance(
        models=(Model("toy", 1, 3, 2, 10),),
        capacity_bytes=np.array([10, 10]),
        server_latency_s=np.array([[[0.1], [0.2]]]),
        cloud_latency_s=np.array([[1.0]]),
        local_latency_s=np.array([[0.05]]),
        local=np.zeros((1, 3), dtype=bool),
        requests=Requests(
            user=np.array([0, 0]),
            model=np.array([0, 0]),
            layer=np.array([0, 0]),
            experts=np.array([[0, 1], [1, 2]]),
            rate=np.array([0.75, 0.25]),
        ),
        name="two-servers",
    )
