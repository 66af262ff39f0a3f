import numpy as np
import pytest
from expertcache.heuristics.greedy import Gains
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.problem.terms import coverage_terms
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), models=st.integers(1, 2))
def test_gains_stay_exact(seed, top_k, models, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models, servers=3)
    gains = Gains(coverage_terms(instance), instance.servers)
    cached = np.zeros((instance.servers, instance.items), dtype=bool)
    rng = np.random.default_rng(seed)
    for _ in range(6):
        saving = evaluate(instance, Placement.of(instance, cached)).saving_s
        for n in range(instance.servers):
            for i in range(instance.items):
                more = cached.copy()
                more[n, i] = True
                gain = evaluate(instance, Placement.of(instance, more)).saving_s - saving
                assert gains.gain_s[n, i] == pytest.approx(gain, abs=1e-9)
        n, i = rng.integers(instance.servers), rng.integers(instance.items)
        if not cached[n, i]:
            cached[n, i] = True
            gains.add(n, i)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_half_of_the_optimum_with_one_expert_and_equal_sizes(
    seed, random_instance, brute_force_latency
):
    instance = random_instance(seed, top_k=1, equal_sizes=True)
    solution = solve(instance, "greedy")
    best = solution.latency_empty_s - brute_force_latency(instance)
    assert solution.saving_s >= best / 2 - 1e-9


def test_fails_where_experts_pay_only_together(two_servers):
    """The reason for everything beyond greedy: no single expert gains anything."""
    assert solve(two_servers, "greedy").saving_s == 0
    assert solve(two_servers, "milp").saving_s == pytest.approx(0.6)


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3))
def test_best_is_no_worse_than_either_rule(seed, top_k, random_instance):
    instance = random_instance(seed, top_k=top_k, models=2)
    best, gain, density = (
        solve(instance, "greedy", options={"rule": rule}).saving_s
        for rule in ("best", "gain", "density")
    )
    assert best == pytest.approx(max(gain, density), abs=1e-12)


def test_never_picks_twice_and_never_breaks_a_capacity(random_instance):
    for seed in range(50):
        instance = random_instance(seed, top_k=1, models=2, servers=3)
        solution = solve(instance, "greedy")
        assert len(solution.placement) == solution.meta["picks"]
        assert evaluate(instance, solution.placement).feasible
