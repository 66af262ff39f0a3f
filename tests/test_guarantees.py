from itertools import product

import numpy as np
import pytest
from expertcache.guarantees import coverage_share, latency_factor
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate
from expertcache.problem.layers import split_layers
from expertcache.problem.placement import Placement
from expertcache.problem.terms import coverage_terms
from expertcache.responses.saving_bound import saving_bound_s
from expertcache.solver import METHODS, a_priori, find_method, solve, with_bound
from expertcache.structure import Structure
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=60)
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


@settings(max_examples=80)
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


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    models=st.integers(1, 2),
    servers=st.integers(1, 3),
    equal_sizes=st.booleans(),
    start=st.sampled_from(["cloud-only", "random"]),
)
def test_any_start_of_ascent_and_what_it_says_about_the_best(
    seed, models, servers, equal_sizes, start, random_instance, brute_force_latency
):
    instance = random_instance(
        seed, top_k=1, models=models, servers=servers, layers=1, equal_sizes=equal_sizes,
        unreachable=0.5,
    )  # fmt: skip
    structure = Structure(instance)
    first = solve(instance, start, seed=seed)
    most = first.latency_empty_s - brute_force_latency(instance)
    assert saving_bound_s(instance, first.placement) >= most - 1e-9
    solution = solve(instance, "ascent", start=first.placement)
    promise = a_priori(solution, structure)
    if solution.saving_s > 0 and solution.status != "optimal":
        assert promise.ratio == pytest.approx(1 / (1 + structure.total_curvature))
    assert solution.saving_s >= promise.ratio * most - 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), servers=st.integers(1, 3), local=st.sampled_from([0.0, 0.5]))
def test_total_curvature_is_that_of_its_definition(seed, servers, local, random_instance):
    instance = random_instance(
        seed, top_k=1, models=2, servers=servers, layers=1, local=local, unreachable=0.6
    )

    def saving(cached):
        return evaluate(instance, Placement.of(instance, cached)).saving_s

    everything = instance.item_bytes <= instance.capacity_bytes[:, None]
    worst = 0.0
    for n, i in np.argwhere(everything):
        alone = np.zeros_like(everything)
        alone[n, i] = True
        if saving(alone) > 0:
            lost = saving(everything) - saving(everything & ~alone)
            worst = max(worst, 1 - lost / saving(alone))
    assert Structure(instance).total_curvature == pytest.approx(worst, abs=1e-9)


@pytest.mark.parametrize(
    ("sizes", "rooms", "exchange"),
    [((3, 3), (6, 6), 1), ((2, 5), (9, 9), 3), ((2, 5), (9, 4), 3), ((2, 5), (4, 4), 1)],
)
def test_experts_that_make_room_for_one(sizes, rooms, exchange, two_servers):
    models = tuple(
        type(two_servers.models[0])(f"m{m}", 1, 2, 1, size) for m, size in enumerate(sizes)
    )
    requests = type(two_servers.requests)(
        np.zeros(4), np.array([0, 0, 1, 1]), np.zeros(4), np.array([[0], [1], [0], [1]]), np.ones(4)
    )
    instance = two_servers.replace(
        models=models,
        capacity_bytes=np.array(rooms),
        server_latency_s=np.full((1, 2, 2), 0.1),
        cloud_latency_s=np.ones((1, 2)),
        local_latency_s=np.ones((1, 2)),
        local=np.zeros((1, 4), dtype=bool),
        requests=requests,
    )
    assert Structure(instance).exchange == exchange


def test_more_servers_for_a_request_keep_less():
    assert coverage_share(1) == 1
    assert coverage_share(2) == 0.75
    assert 1 - 1 / np.e < coverage_share(1000) < 0.633


def all_caches(instance, groups):
    """Unions of groups of experts [C, I] that fit on each server."""
    chosen = np.array(list(product([False, True], repeat=len(groups))))
    sets = chosen @ groups
    return [sets[sets @ instance.item_bytes <= room] for room in instance.capacity_bytes]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(2, 3),
    models=st.integers(1, 2),
    equal_sizes=st.booleans(),
    local=st.sampled_from([0.0, 0.4]),
)
def test_whole_layers_keep_their_share(
    seed, top_k, models, equal_sizes, local, random_instance, brute_force_latency
):
    instance = random_instance(
        seed, top_k=top_k, models=models, layers=2 // models, local=local, equal_sizes=equal_sizes
    )
    share = Structure(instance).whole_layers
    first = np.arange(instance.items) - instance.item_expert
    needed = Structure(instance).terms.useful().any(axis=0)
    groups = (first == np.unique(first)[:, None]) & needed
    best = max(
        evaluate(instance, Placement.of(instance, np.array(rows))).saving_s
        for rows in product(*all_caches(instance, groups))
    )
    empty = evaluate(instance, Placement.empty()).latency_s
    assert best >= share * (empty - brute_force_latency(instance)) - 1e-9
    # And servers in turn save half of what whole layers do.
    assert solve(instance, "successive").saving_s >= best / 2 - 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), top_k=st.integers(2, 3), servers=st.integers(2, 3))
def test_servers_in_turn_save_half_of_what_single_servers_serve(
    seed, top_k, servers, random_instance
):
    """The largest weight of terms whose experts lie on one server, by trying some placements."""
    instance = random_instance(seed, top_k=top_k, servers=servers, layers=1)
    terms = coverage_terms(instance)
    caches = all_caches(instance, np.eye(instance.items, dtype=bool))
    reached = solve(instance, "successive").saving_s
    for rows in product(*caches):
        served = np.zeros(len(terms), dtype=bool)
        for n, row in enumerate(rows):
            alone = np.zeros((servers, instance.items), dtype=bool)
            alone[n] = row
            served |= terms.paid(alone)
        assert reached >= terms.weight_s[served].sum() / 2 - 1e-9


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), layers=st.integers(1, 3))
def test_tables_of_layers_find_the_optimum(
    seed, top_k, layers, random_instance, brute_force_latency
):
    """The program of docs/guarantees.md for few servers and experts: counts are all that ties."""
    instance = random_instance(seed, top_k=top_k, layers=layers, experts=2)
    room = instance.capacity_bytes // instance.models[0].expert_bytes
    best = {(0,) * instance.servers: 0.0}
    for layer in split_layers(instance, coverage_terms(instance)):
        table = {}
        for bits in product([False, True], repeat=instance.servers * layer.experts):
            cached = np.array(bits).reshape(instance.servers, layer.experts)
            used = tuple(cached.sum(axis=1).tolist())
            table[used] = max(table.get(used, 0.0), layer.gain_s(cached))
        joined = {}
        for (used, saving), (more, gain) in product(best.items(), table.items()):
            both = tuple(a + b for a, b in zip(used, more, strict=True))
            if (np.array(both) <= room).all():
                joined[both] = max(joined.get(both, 0.0), saving + gain)
        best = joined
    empty = evaluate(instance, Placement.empty()).latency_s
    assert max(best.values()) == pytest.approx(empty - brute_force_latency(instance), abs=1e-9)


@given(
    ratio=st.floats(0, 1), empty=st.floats(1, 100), best=st.floats(0, 0.9), more=st.floats(1, 1.1)
)
def test_a_share_of_the_saving_bounds_the_latency(ratio, empty, best, more):
    best_s = best * empty
    bound_s = min(best_s * more, 0.95 * empty)
    latency = empty - ratio * best_s
    factor = latency_factor(ratio, empty, bound_s)
    assert latency <= factor * (empty - best_s) * (1 + 1e-9)
    assert latency_factor(1.0, empty, bound_s) == pytest.approx(1)
    assert latency_factor(ratio, empty, empty) is None
