"""Bounds are bounds at any prices, and in every round."""

import numpy as np
import pytest
from expertcache.configuration import descent, kept_sets
from expertcache.configuration.clients import Clients
from expertcache.configuration.duals import BytePrices, ClientPrices, PairPrices
from expertcache.configuration.kept_sets import KeptSets
from expertcache.configuration.knapsacks import Knapsacks
from expertcache.configuration.server_sets import ServerSets
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate, latency_empty_s
from expertcache.problem.placement import Placement
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(autouse=True, scope="module")
def few_are_kept():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_sets, "_KEPT", 10)
        yield


SHAPE = {"top_k": 1, "layers": 1, "experts": 3, "rows": 20}


def duals(instance):
    clients = Clients.of(instance)
    knapsacks, sets = Knapsacks(instance), ServerSets(clients)
    scale = np.ones(clients.shape)
    return clients, {
        "clients": (ClientPrices(clients, knapsacks), clients.most_s.shape),
        "pairs": (PairPrices(clients, knapsacks, sets, scale), clients.shape),
        "bytes": (BytePrices(instance, clients, sets), (instance.servers,)),
        "kept": (BytePrices(instance, clients, kept(instance, clients)), (instance.servers,)),
    }


def kept(instance, clients, prices=None, threads=2):
    """Few sets of each expert, near some prices of bytes."""
    if prices is None:
        prices = np.full(instance.servers, 1e-3)
    sizes = instance.item_bytes.astype(float)
    return KeptSets(clients, sizes, prices, Limits().deadline(), threads)


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
        if name in ("clients", "pairs"):
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
        lean = clients.lean(cached)
        number = (1 << np.arange(3)) @ lean
        assert sets.lean[rows, number].all()
        assert sets.saving_s[rows, number].sum() == pytest.approx(saving, abs=1e-12)
        assert not (lean & ~cached).any()


@given(seed=st.integers(0, 10**6), models=st.integers(1, 2), servers=st.integers(1, 4))
def test_what_is_kept_is_exact_at_its_prices_and_a_bound_elsewhere(
    seed, models, servers, random_instance
):
    instance = random_instance(seed, models=models, servers=servers, **SHAPE)
    clients = Clients.of(instance)
    sets = ServerSets(clients)
    sizes = instance.item_bytes.astype(float)
    rng = np.random.default_rng(seed)
    prices = rng.random(servers) * rng.choice([1e-4, 1e-2, 1.0])
    near = kept(instance, clients, prices)
    assert near.complete
    assert near.best(prices, sizes)[0] == pytest.approx(sets.best(prices, sizes)[0], abs=1e-12)
    for _ in range(3):
        other = prices * rng.random(servers) * 2
        assert (near.best(other, sizes)[0] >= sets.best(other, sizes)[0] - 1e-12).all()
    # No other set loses less than is said.
    losses, all_ = near.losses(), sets.losses(prices[:, None] * sizes)
    for i in range(instance.items):
        finite = np.isfinite(losses.loss_s[i])
        number = losses.number[i, finite]
        assert losses.loss_s[i, finite] == pytest.approx(all_.loss_s[i, number], abs=1e-12)
        rest = np.setdiff1d(np.arange(2**servers), number)
        assert (all_.loss_s[i, rest] >= losses.others_s - 1e-12).all()
    one = kept(instance, clients, prices, threads=1).losses()
    assert all(np.array_equal(a, b) for a, b in zip(one, losses, strict=True))


def test_tables_after_the_deadline_are_not_looked_at(random_instance):
    instance = random_instance(1, servers=3, **SHAPE)
    clients, sizes = Clients.of(instance), instance.item_bytes.astype(float)
    late = Limits().deadline().within(-1.0)
    assert not KeptSets(clients, sizes, np.ones(3), late, 1).complete
