import numpy as np
import pytest
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import METHODS, a_priori, find_method, solve, with_bound
from expertcache.structure import Structure
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 2),
    servers=st.integers(1, 2),
    equal_sizes=st.booleans(),
    local=st.sampled_from([0.0, 0.2, 0.6]),
)
def test_every_promise_is_kept(
    seed, top_k, models, servers, equal_sizes, local, random_instance, brute_force_latency
):
    instance = random_instance(
        seed, top_k=top_k, models=models, servers=servers, layers=1,
        equal_sizes=equal_sizes, local=local,
    )  # fmt: skip
    structure = Structure(instance)
    best = brute_force_latency(instance)
    for method in METHODS:
        if not find_method(method).places or find_method(method).unsupported(instance):
            continue
        solution = solve(instance, method, seed=seed)
        promise = a_priori(solution, structure)
        assert 0 <= promise.ratio <= 1
        assert promise.because
        most = solution.latency_empty_s - best
        assert solution.saving_s >= promise.ratio * most - 1e-9, (method, promise)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    servers=st.integers(2, 4),
    local=st.sampled_from([0.0, 0.3, 0.7]),
)
def test_curvature_bounds_every_gain(seed, top_k, servers, local, random_instance):
    instance = random_instance(seed, top_k=top_k, servers=servers, layers=1, local=local)
    curvature = Structure(instance).curvature
    if top_k == 1:
        assert curvature == 0
    rng = np.random.default_rng(seed)

    def saving(cached):
        return evaluate(instance, Placement.of(instance, cached)).saving_s

    for _ in range(20):
        n = rng.integers(servers)
        more = rng.random((servers, instance.items)) < rng.random()
        more[n] = False
        fewer = more & (rng.random(more.shape) < rng.random())
        fits = instance.item_bytes <= instance.capacity_bytes[:, None]
        more, fewer = more & fits, fewer & fits
        added = np.zeros_like(more)
        added[n] = (rng.random(instance.items) < rng.random()) & fits[n]
        on_fewer = saving(fewer | added) - saving(fewer)
        on_more = saving(more | added) - saving(more)
        assert on_fewer >= (1 - curvature) * on_more - 1e-9


def test_a_cheaper_curvature_is_still_a_bound(random_instance, monkeypatch):
    between = 0
    for seed in range(300):
        instance = random_instance(seed, servers=3, layers=1, local=0.6)
        exact = Structure(instance).curvature
        with monkeypatch.context() as patch:
            patch.setattr("expertcache.structure._TABLE_ENTRIES", 0)
            assert exact <= Structure(instance).curvature <= 1
        between += 0 < exact < 1
    assert between > 0


def test_a_promise_between_nothing_and_half(random_instance):
    """Experts that pay alone too: the curvature is below 1, and K = 2 has a guarantee."""
    found = [
        a_priori(solve(instance, "successive"), structure)
        for instance in (random_instance(seed, layers=1, local=0.6) for seed in range(300))
        if 0 < (structure := Structure(instance)).curvature < 1 and structure.servers > 1
    ]
    assert found
    assert all(0 < promise.ratio < 0.5 for promise in found)
    assert all("curvature" in promise.because for promise in found)


def test_nothing_is_promised_where_experts_pay_only_together(two_servers):
    structure = Structure(two_servers)
    assert structure.curvature == 1
    for method in ("greedy", "successive", "popularity"):
        assert a_priori(solve(two_servers, method), structure).ratio == 0
    assert a_priori(solve(two_servers, "milp"), structure).ratio == 1


def test_nothing_is_promised_when_time_is_over(random_instance):
    instance = random_instance(1, top_k=1, servers=3, equal_sizes=True, capacity=0.5)
    structure = Structure(instance)
    assert a_priori(solve(instance, "successive"), structure).ratio == 0.5
    for method in ("greedy", "successive"):
        stopped = solve(instance, method, limits=Limits(time_s=1e-9))
        assert a_priori(stopped, structure).ratio == 0


def test_a_bound_from_elsewhere(two_servers):
    solution = solve(two_servers, "successive")
    worse = with_bound(two_servers, solution, 0.9)
    assert (worse.status, worse.bound_latency_s) == ("feasible", pytest.approx(0.1))
    assert worse.certified_ratio == pytest.approx(solution.saving_s / 0.9)
    best = solve(two_servers, "milp")
    proved = with_bound(two_servers, best, 1.0)
    assert proved.bound_latency_s == best.bound_latency_s
    found = solve(two_servers, "local-search", options={"patience": "1"})
    closed = with_bound(two_servers, found, 0.6)
    assert (closed.status, closed.gap) == ("optimal", pytest.approx(0))
