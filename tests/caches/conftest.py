"""Small instances, tokens and a plain statement of every policy."""

import numpy as np
import pytest
from expertcache.caches.arrivals import Arrivals
from expertcache.problem.instance import Instance, Model, Requests


@pytest.fixture(scope="session")
def small():
    """Instance, experts of tokens, arrivals and a static part, the same for the same seed."""

    def make(seed, *, servers=None, users=None, top_k=None, layers=None, tokens=25):
        rng = np.random.default_rng(seed)
        N = rng.integers(0, 4) if servers is None else servers
        U = rng.integers(1, 5) if users is None else users
        E = int(rng.integers(3, 6))
        K = int(rng.integers(1, 4)) if top_k is None else top_k
        L = int(rng.integers(1, 4)) if layers is None else layers
        # Few values: many ties.
        reach = rng.choice([1.0, 2.0, 3.0, 6.0, np.inf], (U, N, 1))
        static = rng.random((N, L * E)) < 0.1
        instance = Instance(
            models=(Model("m", L, E, K, 10),),
            capacity_bytes=static.sum(axis=1) * 10 + rng.integers(0, 10 * L * E, N),
            server_latency_s=reach,
            cloud_latency_s=rng.choice([4.0, 5.0], (U, 1)),
            local_latency_s=rng.choice([0.5, 1.0, 2.5, 6.0], (U, 1)),
            local=rng.random((U, L * E)) < 0.2,
            requests=Requests(
                *(np.zeros((0,), dtype=np.int32),) * 3, np.zeros((0, 1)), np.zeros(0)
            ),
        )
        taste = rng.random((1, L, E)) * 2
        ids = (taste + rng.random((tokens, L, E))).argsort(axis=2)[:, :, :K]
        arriving = Arrivals(rng.integers(0, tokens, tokens), rng.integers(0, U, tokens))
        return instance, ids, arriving, static

    return make
