from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import METHODS, find_method, solve
from hypothesis import given, settings
from hypothesis import strategies as st

_HEURISTICS = sorted(set(METHODS) - {"milp", "lp"})


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 2),
    servers=st.integers(0, 3),
)
def test_every_heuristic_is_feasible_and_never_hurts(seed, top_k, models, servers, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models, servers=servers)
    for method in _HEURISTICS:
        if find_method(method).unsupported(instance):
            continue
        solution = solve(instance, method, seed=seed)
        placement = solution.placement
        value = evaluate(instance, placement)
        assert value.feasible
        assert value.latency_s == solution.latency_s
        assert solution.saving_s >= -1e-12
        assert solution.placement == solve(instance, method, seed=seed).placement


def test_popularity_takes_the_most_requested(two_servers):
    # Expert 1 is in every request.
    solution = solve(two_servers, "popularity")
    assert solution.placement.rows.tolist() == [[0, 0, 0, 1], [1, 0, 0, 1]]


def test_random_depends_on_its_seed_only(random_instance):
    instance = random_instance(1, experts=8, capacity=0.5)
    placements = {solve(instance, "random", seed=s).placement for s in range(5)}
    assert len(placements) > 1
    assert solve(instance, "random", seed=3).seed == 3
    assert solve(instance, "popularity", seed=3).seed is None


def test_cloud_only_saves_nothing(two_servers):
    solution = solve(two_servers, "cloud-only")
    assert (solution.saving_s, solution.placement) == (0.0, Placement.empty())
