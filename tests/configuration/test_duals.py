"""Bounds are bounds at any prices, and in every round."""

import numpy as np
import pytest
from expertcache.configuration import descent
from expertcache.configuration.clients import Clients
from expertcache.configuration.duals import BytePrices, ClientPrices, PairPrices
from expertcache.configuration.knapsacks import Knapsacks
from expertcache.configuration.server_sets import ServerSets
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate, latency_empty_s
from expertcache.problem.placement import Placement
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPE = {"top_k": 1, "layers": 1, "experts": 3, "rows": 20}


def duals(instance):
    clients = Clients.of(instance)
    knapsacks, sets = Knapsacks(instance), ServerSets(clients)
    scale = np.ones(clients.shape)
    return clients, {
        "clients": (ClientPrices(clients, knapsacks), clients.most_s.shape),
        "pairs": (PairPrices(clients, knapsacks, sets, scale), clients.shape),
        "bytes": (BytePrices(instance, clients, sets), (instance.servers,)),
    }


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2), servers=st.integers(1, 3))
def test_any_prices_give_a_bound(seed, models, servers, random_instance, brute_force_latency):
    instance = random_instance(seed, models=models, servers=servers, **SHAPE)
    most = latency_empty_s(instance) - brute_force_latency(instance)
    rng = np.random.default_rng(seed)
    for dual, shape in duals(instance)[1].values():
        for _ in range(5):
            prices = rng.random(shape) * rng.choice([0.01, 0.1, 1.0])
            prices = np.minimum(prices, dual.upper)
            at = dual(prices)
            assert at.bound_s >= most - 1e-12
            # A subgradient: the function lies above its tangent.
            other = np.minimum(prices * rng.random(shape) * 2, dual.upper)
            tangent = at.bound_s + (at.gradient * (other - prices)).sum()
            assert dual(other).bound_s >= tangent - 1e-9


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2))
def test_descent_nears_the_optimum_from_above(seed, models, random_instance, brute_force_latency):
    instance = random_instance(seed, models=models, servers=2, **SHAPE)
    most = latency_empty_s(instance) - brute_force_latency(instance)
    clients, all_ = duals(instance)
    capacity = instance.capacity_bytes
    reached = {}
    for name, (dual, shape) in all_.items():
        rounds = []

        def found(mean, rounds=rounds):
            rounds.append(mean)
            return 0.0

        start = np.minimum(np.full(shape, 0.05), dual.upper)
        result = descent.descend(
            dual, start, most, Limits().deadline(), tolerance=1e-9, found=found
        )
        assert result.converged
        assert result.bound_s >= most - 1e-12
        assert result.bound_s == dual(result.prices).bound_s
        reached[name] = result.bound_s
        if name != "bytes":
            for mean in [*rounds, result.mean]:
                # Means of caches that fit.
                assert (mean @ instance.item_bytes <= capacity * (1 + 1e-12)).all()
    scale = clients.most_s.sum()
    assert reached["pairs"] <= reached["clients"] + 5e-3 * scale


@given(seed=st.integers(0, 10**6))
def test_the_table_is_the_saving(seed, random_instance):
    instance = random_instance(seed, models=2, servers=3, **SHAPE)
    clients = Clients.of(instance)
    sets = ServerSets(clients)
    rng = np.random.default_rng(seed)
    fits = instance.item_bytes <= instance.capacity_bytes[:, None]
    for _ in range(5):
        cached = (rng.random(clients.shape) < 0.5) & fits
        number = (1 << np.arange(3)) @ cached
        saving = evaluate(instance, Placement.of(instance, cached)).saving_s
        rows = np.arange(instance.items)
        assert sets.saving_s[rows, number].sum() == pytest.approx(saving, abs=1e-12)
        lean = sets.numbers(cached)
        assert sets.lean[rows, lean].all()
        assert sets.saving_s[rows, lean].sum() == pytest.approx(saving, abs=1e-12)
        assert not (sets.cached(lean) & ~cached).any()
