from itertools import product

import numpy as np
import pytest
from expertcache.linear.capacity_row import capacity_row
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=300)
@given(
    base=st.sampled_from([100, 10**6, 352321536, 2**40, 2**51]),
    offsets=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    factors=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    counts=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    shift=st.sampled_from([-1, 0, 1, 1000]),
    data=st.data(),
)
def test_rows_allow_the_same_counts(base, offsets, factors, counts, shift, data):
    sizes = sorted({factor * base + off for off, factor in zip(offsets, factors, strict=False)})
    counts = counts[: len(sizes)]
    some = [data.draw(st.integers(0, count)) for count in counts]
    capacity = max(0, sum(s * k for s, k in zip(sizes, some, strict=True)) + shift)
    row = capacity_row(tuple(sizes), tuple(counts), capacity)
    for taken in product(*(range(count + 1) for count in counts)):
        fits = sum(s * k for s, k in zip(sizes, taken, strict=True)) <= capacity
        load = float(np.dot(row.weight, taken))
        if fits:
            assert load <= row.room + 1e-9 * max(1.0, row.room)
        elif row.exact:
            # Clearly: far beyond what a solver takes for rounding.
            assert load >= row.room + 0.25 * min(1.0, max(row.weight) / 1e4)


def one_server(sizes, experts, capacity, rates):
    models = tuple(
        Model(f"m{k}", 1, count, 1, size)
        for k, (size, count) in enumerate(zip(sizes, experts, strict=True))
    )
    model = np.repeat(np.arange(len(models)), experts)
    expert = np.concatenate([np.arange(count) for count in experts])
    return Instance(
        models=models,
        capacity_bytes=np.array([capacity]),
        server_latency_s=np.full((1, 1, len(models)), 0.5),
        cloud_latency_s=np.ones((1, len(models))),
        local_latency_s=np.ones((1, len(models))),
        local=np.zeros((1, len(expert)), dtype=bool),
        requests=Requests(
            user=np.zeros(len(expert), dtype=int),
            model=model,
            layer=np.zeros(len(expert), dtype=int),
            experts=expert[:, None],
            rate=np.array(rates),
        ),
    )


def test_sizes_that_differ_by_a_byte():
    instance = one_server((1000003, 1000004, 2000007), (1, 1, 2), 4000013, [12.0, 16.0, 3.0, 5.0])
    for formulation in ("coverage", "threshold", "assignment"):
        solution = solve(instance, "milp", options={"formulation": formulation})
        assert (solution.status, solution.saving_s) == ("optimal", pytest.approx(14))
    for method in ("successive", "local-search"):
        assert solve(instance, method).saving_s == pytest.approx(14)


@settings(max_examples=60)
@given(
    sizes=st.sampled_from(
        [
            (1000003, 1000004, 2000007),
            (13223790, 352321536),
            (27859600, 1207959552),
            (352321539, 352321540),
            (2**47 + 1, 2**47 + 3),
            (2**51 + 1, 2**51 + 3, 2**50 + 7),
        ]
    ),
    shift=st.sampled_from([-1, 0, 1]),
    seed=st.integers(0, 10**6),
)
def test_exact_whatever_the_sizes(sizes, shift, seed):
    rng = np.random.default_rng(seed)
    experts = rng.integers(1, 5, len(sizes)).tolist()
    some = [int(rng.integers(0, count + 1)) for count in experts]
    capacity = max(0, sum(s * k for s, k in zip(sizes, some, strict=True)) + shift)
    instance = one_server(sizes, experts, capacity, rng.random(sum(experts)).tolist())
    best = solve(instance, "successive").saving_s
    for method in ("milp", "local-search"):
        solution = solve(instance, method)
        assert solution.status == "optimal"
        assert solution.saving_s == pytest.approx(best, abs=1e-9)
