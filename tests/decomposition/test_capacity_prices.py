"""Bounds by prices at any capacities."""

import numpy as np
import pytest
from expertcache import InputError, Limits
from expertcache.decomposition.capacity_prices import capacity_prices
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), models=st.integers(1, 2))
@settings(max_examples=15)
def test_prices_bound_any_capacities(seed, top_k, models, random_instance, brute_force_latency):
    instance = random_instance(seed, top_k=top_k, models=models, layers=1, experts=3, rows=8)
    rng = np.random.default_rng(seed)
    most = instance.capacity_bytes + rng.integers(0, 8, 2)
    asked = np.stack([instance.capacity_bytes, most])
    nothing = np.zeros((2, instance.items), dtype=bool)
    prices = capacity_prices(instance, asked, nothing, Limits())
    others = np.stack([asked[0], most, *(rng.integers(0, most + 1) for _ in range(2))])
    empty = evaluate(instance, Placement.empty()).latency_s
    for capacity, bound in zip(others, prices.bound_s(others), strict=True):
        best = brute_force_latency(instance.replace(capacity_bytes=capacity))
        assert empty - best <= bound + 1e-9 * empty


def test_prices_are_tight_for_one_size_and_k_1(random_instance, brute_force_latency):
    # The problem of one server is a linear program then, and its dual has no gap.
    instance = random_instance(1, top_k=1, servers=1, equal_sizes=True, capacity=0.4, rows=20)
    capacities = instance.capacity_bytes + 2 * np.arange(4)[:, None]
    nothing = np.zeros((1, instance.items), dtype=bool)
    found = capacity_prices(instance, capacities, nothing, Limits()).bound_s(capacities)
    empty = evaluate(instance, Placement.empty()).latency_s
    for capacity, bound in zip(capacities, found, strict=True):
        best = brute_force_latency(instance.replace(capacity_bytes=capacity))
        assert bound == pytest.approx(empty - best, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_prices_of_layers_too_large_for_a_tree(seed, random_instance):
    instance = random_instance(seed, top_k=2, experts=18, rows=80, users=5, capacity=0.2)
    asked = np.stack([instance.capacity_bytes, instance.capacity_bytes * 3 // 2])
    nothing = np.zeros((2, instance.items), dtype=bool)
    prices = capacity_prices(instance, asked, nothing, Limits(time_s=10))
    less = np.stack([*asked, instance.capacity_bytes // 2])
    for capacity, bound in zip(less, prices.bound_s(less), strict=True):
        best = solve(instance.replace(capacity_bytes=capacity), "milp")
        assert best.status == "optimal"
        assert best.saving_s <= bound * (1 + 1e-9)
        assert bound <= 1.2 * best.saving_s or (capacity != asked).any(axis=1).all()


def test_prices_do_not_hold_beyond(two_servers):
    asked = two_servers.capacity_bytes[None]
    prices = capacity_prices(two_servers, asked, np.zeros((2, 3), dtype=bool), Limits())
    with pytest.raises(InputError, match="larger than the prices hold for"):
        prices.bound_s(asked + 1)
