"""`pipage` and `enumeration-greedy`, the methods for K = 1 alone."""

import math
from itertools import combinations

import numpy as np
import pytest
from expertcache import bound
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.method import Limits
from expertcache.problem.errors import InputError, UnsupportedError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6), servers=st.integers(1, 4), experts=st.integers(3, 8))
def test_pipage_with_equal_sizes_reaches_its_share_of_the_relaxation(
    seed, servers, experts, random_instance
):
    instance = random_instance(
        seed, top_k=1, servers=servers, experts=experts, users=5, rows=40, equal_sizes=True
    )
    solution = solve(instance, "pipage")
    most = solution.latency_empty_s - bound(instance, "lp").bound_latency_s
    assert solution.saving_s >= (1 - 1 / math.e) * most - 1e-9
    ratio = solution.meta["lp_ratio"]
    assert ratio is None or ratio >= 1 - 1 / math.e - 1e-9
    assert solution.latency_empty_s - solution.bound_latency_s == pytest.approx(most, abs=1e-7)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2))
def test_pipage_keeps_capacities_with_unequal_sizes(seed, models, random_instance):
    instance = random_instance(seed, top_k=1, models=models, servers=3, experts=6, rows=40)
    solution = solve(instance, "pipage")
    assert solution.status in ("feasible", "optimal")
    assert evaluate(instance, solution.placement).feasible
    ratio = solution.meta["lp_ratio"]
    assert ratio is None or ratio <= 1 + 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), depth=st.integers(0, 3))
def test_enumeration_tries_every_start(seed, depth, random_instance):
    instance = random_instance(
        seed, top_k=1, models=2, servers=2, layers=1, experts=2, users=3, rows=20
    )
    solution = solve(instance, "enumeration-greedy", options={"depth": depth})
    pairs = list(np.ndindex(instance.servers, instance.items))
    best = 0.0
    for size in range(depth + 1):
        for chosen in combinations(pairs, size):
            cached = np.zeros((instance.servers, instance.items), dtype=bool)
            for n, i in chosen:
                cached[n, i] = True
            if (cached @ instance.item_bytes <= instance.capacity_bytes).all():
                best = max(best, naive_greedy(instance, cached))
    assert solution.saving_s == pytest.approx(best, abs=1e-9)


def naive_greedy(instance, cached):
    cached = cached.copy()
    saving = evaluate(instance, Placement.of(instance, cached)).saving_s
    while True:
        choices = []
        for n, i in np.argwhere(~cached):
            more = cached.copy()
            more[n, i] = True
            value = evaluate(instance, Placement.of(instance, more))
            if value.feasible and value.saving_s > saving + 1e-12:
                gain = (value.saving_s - saving) / instance.item_bytes[i]
                choices.append((round(gain, 12), -n, -i, more, value.saving_s))
        if not choices:
            return saving
        *_, cached, saving = max(choices, key=lambda choice: choice[:3])


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 3))
def test_enumeration_on_one_server(seed, depth, random_instance, brute_force_latency):
    instance = random_instance(seed, top_k=1, models=2, servers=1, rows=30)
    solution = solve(instance, "enumeration-greedy", options={"depth": depth})
    best = solution.latency_empty_s - brute_force_latency(instance)
    assert solution.saving_s >= depth / (depth + 1) * best - 1e-9


def test_enumeration_refuses_what_it_cannot_finish():
    instance = generate(Scenario(models=("switch-base-32",), layers=6, servers=5, users=20), 1)
    with pytest.raises(UnsupportedError, match=r"start sets.*smaller depth"):
        solve(instance, "enumeration-greedy", options={"depth": "3"}, limits=Limits(time_s=60))


@pytest.mark.parametrize("depth", ["-1", "4", "x"])
def test_bad_depth_is_refused(depth, random_instance):
    with pytest.raises(InputError, match="depth"):
        solve(random_instance(1, top_k=1), "enumeration-greedy", options={"depth": depth})


@pytest.mark.parametrize("method", ["pipage", "enumeration-greedy"])
def test_sets_of_several_experts_are_refused(method, two_servers):
    with pytest.raises(UnsupportedError, match="K = 1"):
        solve(two_servers, method)
