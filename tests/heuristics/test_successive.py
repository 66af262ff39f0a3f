from itertools import product

import numpy as np
import pytest
from expertcache.heuristics.layer_knapsack import split_capacity
from expertcache.heuristics.profile import model_profiles
from expertcache.heuristics.successive import _device_latency_s
from expertcache.instances.errors import UnsupportedError
from expertcache.instances.evaluate import evaluate
from expertcache.instances.placement import Placement
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=80)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 4), models=st.integers(1, 2))
def test_one_server_is_solved_exactly(seed, top_k, models, random_instance, brute_force_latency):
    instance = random_instance(
        seed, top_k=top_k, models=models, servers=1, layers=3 - models, experts=4
    )
    solution = solve(instance, "successive")
    assert solution.latency_s == pytest.approx(brute_force_latency(instance), abs=1e-12)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2))
def test_half_of_the_optimum_with_one_expert(seed, models, random_instance, brute_force_latency):
    instance = random_instance(seed, top_k=1, models=models, layers=1)
    solution = solve(instance, "successive")
    best = solution.latency_empty_s - brute_force_latency(instance)
    assert solution.saving_s >= best / 2 - 1e-9


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3))
def test_profile_is_the_best_of_all_sets(seed, top_k, random_instance):
    instance = random_instance(seed, top_k=top_k, servers=1, layers=2, experts=4)
    rows = np.arange(len(instance.requests))
    profiles = model_profiles(instance, 0, 0, _device_latency_s(instance), rows)
    for layer, k in product(range(2), range(5)):
        best = 0.0
        for members in product([False, True], repeat=4):
            if sum(members) == k:
                cached = np.zeros((1, instance.items), dtype=bool)
                cached[0, 4 * layer : 4 * layer + 4] = members
                best = max(best, evaluate(instance, Placement(cached)).saving_s)
        assert profiles.gain_s[layer, k] == pytest.approx(best, abs=1e-12)
        assert int(profiles.best[layer, k]).bit_count() == k


@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    capacity=st.integers(0, 40),
)
def test_capacity_is_split_best(seed, sizes, capacity):
    rng = np.random.default_rng(seed)
    gains = []
    for _ in sizes:
        steps = rng.integers(0, 4, size=(2, 3)) * rng.random((2, 3))
        gains.append(np.column_stack([np.zeros(2), np.cumsum(steps, axis=1)]))
    counts = split_capacity(gains, sizes, capacity)

    def gain(choice):
        return sum(
            table[layer, k]
            for table, ks in zip(gains, choice, strict=True)
            for layer, k in enumerate(ks)
        )

    def used(choice):
        return sum(size * sum(ks) for size, ks in zip(sizes, choice, strict=True))

    per_model = list(product(range(4), repeat=2))
    best = max(gain(c) for c in product(per_model, repeat=len(sizes)) if used(c) <= capacity)
    chosen = [count.tolist() for count in counts]
    assert used(chosen) <= capacity
    assert gain(chosen) == pytest.approx(best)


def test_too_many_experts_are_refused_with_a_way_out(random_instance):
    instance = random_instance(0, experts=21)
    with pytest.raises(UnsupportedError, match=r"21 experts.*greedy"):
        solve(instance, "successive")


def test_blocks_of_layers_give_the_same(random_instance, monkeypatch):
    instance = random_instance(2, layers=5, experts=4, rows=40)
    whole = solve(instance, "successive").placement
    monkeypatch.setattr("expertcache.heuristics.profile._TABLE_ENTRIES", 2 << 4)
    assert solve(instance, "successive").placement == whole
