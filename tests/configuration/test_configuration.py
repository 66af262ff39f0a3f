import math
import time

import numpy as np
import pytest
from expertcache import bound
from expertcache.configuration import kept_sets, server_sets
from expertcache.guarantees import Structure
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.method import Limits
from expertcache.problem.errors import UnsupportedError
from expertcache.problem.evaluate import evaluate, latency_empty_s
from expertcache.problem.placement import Placement
from expertcache.solver import a_priori, solve
from hypothesis import given, settings
from hypothesis import strategies as st

RATIO = 1 - 1 / math.e


@pytest.fixture(params=["table of server sets", "kept sets", "prices of clients"])
def regime(request, monkeypatch):
    """Few servers, or as if they were many."""
    if request.param in ("kept sets", "prices of clients"):
        monkeypatch.setattr(server_sets, "_TABLE_ENTRIES", 0)
    if request.param == "kept sets":
        # Two or three of each expert.
        monkeypatch.setattr(kept_sets, "_KEPT", 16)
    if request.param == "prices of clients":
        monkeypatch.setattr(kept_sets, "_MOST_SERVERS", -1)


@pytest.fixture(scope="module")
def large():
    """Seconds of descent."""
    scenario = Scenario(models=("switch-base-32",), layers=6, servers=16, users=60, capacity=0.1)
    return generate(scenario, 3)


@pytest.mark.parametrize("part", range(6))
def test_near_the_optimum_with_a_bound_near_it(part, regime, random_instance, brute_force_latency):
    ratios, gaps = [], []
    for seed in range(10 * part, 10 * part + 10):
        instance = random_instance(
            seed, top_k=1, models=1 + seed % 2, servers=1 + seed % 3, layers=1, rows=20
        )
        solution = solve(instance, "configuration")
        best = brute_force_latency(instance)
        most = solution.latency_empty_s - best
        assert solution.bound_latency_s <= best + 1e-12
        promise = a_priori(solution, Structure(instance))
        assert promise.ratio >= RATIO
        assert solution.saving_s >= promise.ratio * most - 1e-12
        for method in ("greedy", "successive"):
            assert solution.saving_s >= solve(instance, method).saving_s - 1e-12
        if most > 1e-9:
            ratios.append(solution.saving_s / most)
            gaps.append((solution.latency_empty_s - solution.bound_latency_s) / most - 1)
    assert np.mean(ratios) >= 0.995
    assert min(ratios) >= 0.95
    assert np.mean(gaps) <= 0.01


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_start_is_never_lost(seed, random_instance):
    instance = random_instance(seed, top_k=1, models=2, servers=3)
    start = solve(instance, "random", seed=seed)
    solution = solve(instance, "configuration", start=start.placement)
    assert solution.saving_s >= start.saving_s - 1e-12


def test_same_instance_same_placement(regime, random_instance):
    instance = random_instance(5, top_k=1, models=2, servers=3, experts=8, rows=60)
    first, second = (solve(instance, "configuration") for _ in range(2))
    assert first.placement == second.placement
    assert first.bound_latency_s == second.bound_latency_s


def test_bound_alone(regime, random_instance):
    instance = random_instance(7, top_k=1, models=2, servers=3, experts=8, rows=60)
    alone = bound(instance, "configuration")
    assert alone.stopped_by == "proof"
    assert alone.placement is None
    assert alone.bound_latency_s == solve(instance, "configuration").bound_latency_s


def test_the_time_limit_strikes(large):
    began = time.process_time()
    solution = solve(large, "configuration", limits=Limits(time_s=0.5))
    assert time.process_time() - began < 1.5
    assert (solution.status, solution.stopped_by) == ("feasible", "time")
    value = evaluate(large, solution.placement)
    assert value.feasible
    assert 0 < solution.bound_latency_s <= solution.latency_s
    promise = a_priori(solution, Structure(large))
    assert promise.ratio <= solution.certified_ratio
    at_once = solve(large, "configuration", limits=Limits(time_s=1e-6))
    assert at_once.status == "feasible"
    assert at_once.bound_latency_s <= solution.bound_latency_s


def test_sets_of_several_experts_are_refused(two_servers):
    with pytest.raises(UnsupportedError, match="K = 1"):
        solve(two_servers, "configuration")
    with pytest.raises(UnsupportedError, match="K = 1"):
        bound(two_servers, "configuration")


def test_nothing_to_save(random_instance):
    for changes in ({"rows": 0}, {"servers": 0}, {"capacity": 0.0}):
        instance = random_instance(1, top_k=1, **changes)
        solution = solve(instance, "configuration")
        assert (solution.status, solution.saving_s) == ("optimal", 0.0)
        assert solution.bound_latency_s == pytest.approx(latency_empty_s(instance))
        assert solution.placement == Placement.empty()
