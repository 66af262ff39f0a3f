import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 4),
    models=st.integers(1, 2),
    epsilon=st.sampled_from([0.05, 0.3, 0.8]),
)
def test_one_server_is_solved_exactly(
    seed, top_k, models, epsilon, random_instance, brute_force_latency
):
    instance = random_instance(
        seed, top_k=top_k, models=models, servers=1, layers=3 - models, experts=4
    )
    best = brute_force_latency(instance)
    for method in ("successive", "max-convolution"):
        solution = solve(instance, method)
        assert solution.latency_s == pytest.approx(best, abs=1e-12)
        assert solution.meta["server_share"] == pytest.approx(1)
    near = solve(instance, "max-convolution", options={"epsilon": epsilon})
    assert near.saving_s >= (1 - epsilon) * (near.latency_empty_s - best) - 1e-12


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2))
def test_half_of_the_optimum_with_one_expert(seed, models, random_instance, brute_force_latency):
    instance = random_instance(seed, top_k=1, models=models, layers=1)
    best = brute_force_latency(instance)
    for method in ("successive", "max-convolution"):
        solution = solve(instance, method)
        assert solution.saving_s >= (solution.latency_empty_s - best) / 2 - 1e-9


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 5))
def test_many_experts_in_a_layer(seed, top_k, random_instance):
    instance = random_instance(seed, top_k=top_k, models=2, experts=25, rows=60)
    for method in ("successive", "max-convolution"):
        solution = solve(instance, method)
        assert evaluate(instance, solution.placement).feasible
        assert 0 <= solution.meta["server_share"] <= 1 + 1e-12
        if top_k == 1:
            assert solution.meta["server_share"] == pytest.approx(1)


@pytest.mark.parametrize("epsilon", ["1", "-0.1", "nan", "x"])
def test_bad_epsilon_is_refused(epsilon, two_servers):
    with pytest.raises(InputError, match="epsilon"):
        solve(two_servers, "max-convolution", options={"epsilon": epsilon})
