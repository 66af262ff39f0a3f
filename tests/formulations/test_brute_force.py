"""Every exact model against brute force on tiny instances with everything legal in them."""

import pytest
from expertcache import bound
from expertcache.problem.evaluate import evaluate
from expertcache.solver import solve

# (layers, experts, models) with at most 8 items, so that brute force stays quick.
_SHAPES = [(2, 3, 1), (1, 4, 1), (1, 3, 2), (1, 4, 2), (2, 2, 2)]


@pytest.mark.parametrize("seed", range(200))
def test_all_models_agree_with_brute_force(seed, random_instance, brute_force_latency):
    layers, experts, models = _SHAPES[seed % len(_SHAPES)]
    instance = random_instance(
        seed,
        top_k=1 + seed % 3,
        layers=layers,
        experts=experts,
        models=models,
        servers=1 + (seed // 3) % 2 + (seed % 17 == 0 and experts * layers * models <= 6),
        local=(0.0, 0.3)[seed % 2],
        capacity={5: 0.0, 11: 1.0}.get(seed % 13),
    )
    best = brute_force_latency(instance)
    for formulation in ("coverage", "threshold", "assignment"):
        solution = solve(instance, "milp", options={"formulation": formulation})
        assert (solution.status, solution.stopped_by) == ("optimal", "proof")
        assert solution.latency_s == pytest.approx(best, rel=1e-6, abs=1e-12), formulation
        assert solution.bound_latency_s == pytest.approx(best, rel=1e-6, abs=1e-12)
        assert solution.bound_latency_s <= solution.latency_s
        value = evaluate(instance, solution.placement)
        assert value.feasible
        assert value.latency_s == solution.latency_s
    assert bound(instance, "lp").bound_latency_s <= best * (1 + 1e-12)
    for method in ("greedy", "successive", "popularity", "random", "cloud-only"):
        solution = solve(instance, method, seed=seed)
        assert solution.status == "feasible"
        assert solution.latency_s >= best - 1e-9
