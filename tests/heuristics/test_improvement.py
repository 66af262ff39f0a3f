"""`ascent` and `local-search`: never worse than their start, and how good they are."""

import numpy as np
import pytest
from expertcache.heuristics.ascent import ascend, total_latency_s
from expertcache.instances.suites import SUITES
from expertcache.method import Limits
from expertcache.problem.demand import merged_demand
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate, latency_table_s
from expertcache.problem.placement import Placement
from expertcache.responses.best_response import Memory, best_response
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st

METHODS = ("ascent", "local-search")


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 4),
    models=st.integers(1, 2),
    servers=st.integers(1, 4),
    start=st.sampled_from(["cloud-only", "random", "successive", "greedy"]),
)
def test_never_worse_than_the_start(seed, top_k, models, servers, start, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models, servers=servers, experts=5)
    first = solve(instance, start, seed=seed)
    placement = first.placement
    for method in METHODS:
        for limit in (1e-9, 10):
            better = solve(
                instance, method, start=placement, seed=seed, limits=Limits(time_s=limit)
            )
            assert better.saving_s >= first.saving_s - 1e-12
            assert evaluate(instance, better.placement).feasible


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 4), models=st.integers(1, 2))
def test_never_worse_than_successive(seed, top_k, models, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models, servers=3)
    successive = solve(instance, "successive").saving_s
    for method in METHODS:
        assert solve(instance, method, seed=seed).saving_s >= successive - 1e-12


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), models=st.integers(1, 2))
def test_local_search_finds_and_proves_tiny_optima(
    seed, top_k, models, random_instance, brute_force_latency
):
    instance = random_instance(seed, top_k=top_k, models=models, layers=3 - models)
    solution = solve(instance, "local-search", seed=seed)
    assert solution.latency_s == pytest.approx(brute_force_latency(instance), rel=1e-9)
    if solution.stopped_by == "proof":
        assert solution.status == "optimal"


def test_ascent_ends_where_no_server_improves(random_instance, brute_force_latency):
    for seed in range(20):
        instance = random_instance(seed, servers=2, layers=1)
        solution = solve(instance, "ascent", seed=seed)
        cached = solution.placement.cached(instance)
        sets = (np.arange(1 << instance.items)[:, None] >> np.arange(instance.items)) & 1 == 1
        for n in range(instance.servers):
            for row in sets[sets @ instance.item_bytes <= instance.capacity_bytes[n]]:
                other = cached.copy()
                other[n] = row
                assert (
                    evaluate(instance, Placement.of(instance, other)).latency_s
                    >= solution.latency_s - 1e-12
                )


@pytest.mark.parametrize("experts", [4, 24])
@pytest.mark.parametrize("seed", range(4))
def test_servers_that_hold_too_much_are_cleared(seed, experts, random_instance):
    instance = random_instance(
        seed, layers=2, experts=experts, models=2, servers=3, rows=60, top_k=3, capacity=0.3
    )
    everything = np.ones((3, instance.items), dtype=bool)
    deadline = Limits().deadline()
    for thorough in (True, False):
        latency, cached = ascend(
            instance, merged_demand(instance), everything, range(3), deadline, thorough=thorough
        )
        assert evaluate(instance, Placement.of(instance, cached)).feasible
        table = latency_table_s(instance, cached)
        assert latency == pytest.approx(total_latency_s(merged_demand(instance), table))
    assert everything.all()


@given(seed=st.integers(0, 10**6), experts=st.sampled_from([3, 22]), top_k=st.integers(1, 3))
@settings(max_examples=30)
def test_what_is_remembered_is_what_would_be_found(seed, experts, top_k, random_instance):
    instance = random_instance(
        seed, layers=3, experts=experts, models=2, servers=3, rows=60, top_k=top_k
    )
    demand, memory = merged_demand(instance), Memory()
    rng = np.random.default_rng(seed)
    others = rng.random((3, instance.items)) < 0.3
    for _ in range(4):
        others = others.copy()
        others[0] = False
        table = latency_table_s(instance, others)
        fresh = best_response(instance, demand, 0, table)
        known = best_response(instance, demand, 0, table, memory=memory, others=others)
        assert np.array_equal(known.cached, fresh.cached)
        assert (known.gain_s, known.upper_s) == (fresh.gain_s, fresh.upper_s)
        # Some layers change, some stay.
        others = others ^ (rng.random(others.shape) < 0.05)


def test_pairs_of_servers_where_single_servers_are_stuck(two_servers):
    # One expert each of a pair: the first server by itself gains nothing.
    assert solve(two_servers, "ascent").saving_s == 0
    assert solve(two_servers, "local-search").saving_s == pytest.approx(0.6)


def test_local_search_with_more_servers_than_columns_in_a_neighbourhood(random_instance):
    instance = random_instance(1, layers=3, experts=5, servers=70, rows=60, users=4, capacity=0.1)
    start = solve(instance, "ascent")
    found = solve(instance, "local-search", options={"iterations": "8"}, limits=Limits(time_s=20))
    assert found.saving_s >= start.saving_s > 0


def test_local_search_beats_ascent_on_several_layers():
    instance = next(i for i in SUITES["small"].instances() if i.name == "k4-gpt-oss")
    assert solve(instance, "ascent").saving_s == 0
    assert solve(instance, "local-search").saving_s > 0


def test_same_seed_same_placement(random_instance):
    instance = random_instance(3, servers=4, layers=6, experts=6, users=8, rows=120, capacity=0.3)
    for method in METHODS:
        options = {"iterations": "8"} if method == "local-search" else {}
        first, second = (solve(instance, method, seed=5, options=options) for _ in range(2))
        assert first.placement == second.placement
        assert first.seed == 5


def test_stopping_rules(random_instance):
    instance = random_instance(3, servers=4, layers=6, experts=6, users=8, rows=120, capacity=0.3)
    few = solve(instance, "local-search", options={"iterations": "2"})
    assert (few.meta["steps"], few.stopped_by) == (2, "finished")
    idle = solve(instance, "local-search", options={"patience": "1"})
    assert idle.stopped_by == "finished"
    best = solve(instance, "milp", limits=Limits(time_s=60))
    near = solve(
        instance,
        "local-search",
        options={"bound": str(best.bound_latency_s)},
        limits=Limits(gap=0.5),
    )
    assert (near.stopped_by, near.meta["steps"]) == ("gap", 0)
    late = solve(instance, "local-search", limits=Limits(time_s=1e-9))
    assert (late.status, late.stopped_by) == ("feasible", "time")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ascent", {"orders": "0"}),
        ("local-search", {"patience": "0"}),
        ("local-search", {"iterations": "0"}),
        ("local-search", {"bound": "x"}),
        ("local-search", {"bound": "-1"}),
        ("local-search", {"bound": "nan"}),
    ],
)
def test_bad_options_are_refused(method, options, two_servers):
    with pytest.raises(InputError):
        solve(two_servers, method, options=options)


@pytest.mark.parametrize("method", ["milp", "exact", "local-search"])
def test_with_one_expert_never_below_greedy(method, random_instance):
    for seed in range(20):
        instance = random_instance(seed, top_k=1, models=2, servers=4, experts=6, rows=60)
        options = {"iterations": 1} if method == "local-search" else {}
        solution = solve(instance, method, limits=Limits(nodes=0), options=options)
        assert solution.saving_s >= solve(instance, "greedy").saving_s - 1e-12
