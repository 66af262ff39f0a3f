"""Method `exact` with K = 1."""

import time

import numpy as np
import pytest
from expertcache.configuration import kept_sets, proof, server_sets
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate
from expertcache.solver import solve


@pytest.fixture(params=["few terms", "table of server sets", "kept sets", "prices of clients"])
def regime(request, monkeypatch):
    """So few terms that no prices are needed; few servers, or as if they were many."""
    if request.param != "few terms":
        monkeypatch.setattr(proof, "_FEW_TERMS", -1)
    if request.param in ("kept sets", "prices of clients"):
        monkeypatch.setattr(server_sets, "_TABLE_ENTRIES", 0)
    if request.param == "kept sets":
        # Two or three of each expert.
        monkeypatch.setattr(kept_sets, "_KEPT", 16)
    if request.param == "prices of clients":
        monkeypatch.setattr(kept_sets, "_MOST_SERVERS", -1)


@pytest.fixture(scope="module")
def hard():
    """Minutes to the proof: every user has an order of the servers of their own."""
    scenario = Scenario(
        models=("switch-base-32", "olmoe-1b-7b"), top_k=1, experts=32, layers=8, servers=8,
        users=60,
    )  # fmt: skip
    instance = generate(scenario, 4)
    rng = np.random.default_rng(4)
    return instance.replace(
        server_latency_s=rng.uniform(0.1, 1.0, (60, 8, 1)).repeat(2, axis=2),
        cloud_latency_s=np.ones((60, 2)),
    )


@pytest.mark.parametrize("part", range(6))
def test_the_optimum_is_proved(part, regime, random_instance):
    for seed in range(15 * part, 15 * part + 15):
        instance = random_instance(
            seed, top_k=1, models=1 + seed % 3, servers=2 + seed % 4, users=4 + seed % 3,
            experts=4, rows=40, equal_sizes=seed % 5 == 0,
        )  # fmt: skip
        known = solve(instance, "milp")
        assert known.status == "optimal"
        solution = solve(instance, "exact")
        assert (solution.status, solution.stopped_by) == ("optimal", "proof")
        assert solution.latency_s == pytest.approx(known.latency_s, rel=2e-6, abs=1e-12)
        assert solution.bound_latency_s <= known.latency_s + 1e-9
        assert evaluate(instance, solution.placement).feasible


def test_the_time_limit_strikes(hard):
    solve(hard, "exact", limits=Limits(time_s=1e-6))  # imports take time
    for limit in (1e-6, 0.3):
        began = time.process_time()
        solution = solve(hard, "exact", limits=Limits(time_s=limit))
        assert time.process_time() - began < limit + 1
        assert (solution.status, solution.stopped_by) == ("feasible", "time")
        assert 0 <= solution.bound_latency_s < solution.latency_s


def test_no_nodes_are_no_proof(hard):
    solution = solve(hard, "exact", limits=Limits(nodes=0, time_s=5))
    assert solution.status == "feasible"
    assert solution.stopped_by in ("nodes", "time")
    assert solution.saving_s >= solve(hard, "greedy").saving_s
    assert solution.certified_ratio > 0.99


def test_a_gap_is_a_reason_of_its_own(hard):
    solution = solve(hard, "exact", limits=Limits(gap=0.02))
    assert (solution.status, solution.stopped_by) == ("feasible", "gap")
    assert solution.gap <= 0.02


def test_start_is_never_lost(hard):
    start = solve(hard, "greedy")
    at_once = solve(hard, "exact", limits=Limits(time_s=1e-6), start=start.placement)
    assert at_once.saving_s >= start.saving_s - 1e-12


def test_too_many_sets_are_no_reason_to_give_up(random_instance, monkeypatch):
    monkeypatch.setattr(proof, "_FEW_TERMS", -1)
    monkeypatch.setattr(proof, "_MOST_SETS", 1)
    for seed in range(30):
        instance = random_instance(seed, top_k=1, models=2, servers=3, users=5, experts=4, rows=40)
        for some in (0, 5000):
            monkeypatch.setattr(proof, "_SOME_TERMS", some)
            assert solve(instance, "exact", limits=Limits(time_s=60)).stopped_by == "proof"
