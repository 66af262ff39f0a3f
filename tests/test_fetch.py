"""A limit on what servers fetch: kept by every method that takes it, and best within it."""

import itertools

import numpy as np
import pytest
from expertcache.formulations.milp import FORMULATIONS
from expertcache.guarantees import Structure
from expertcache.method import Limits, Method, Outcome
from expertcache.problem.errors import InputError, UnsupportedError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.fetch import FetchLimit
from expertcache.problem.placement import Placement
from expertcache.solver import a_priori, solve
from hypothesis import given, settings
from hypothesis import strategies as st

METHODS = ("milp", "local-search")


def feasible_rows(instance, n, fetch):
    """All that a server may hold, as rows of truth values."""
    for row in itertools.product((False, True), repeat=instance.items):
        held = np.array(row)
        if held @ instance.item_bytes > instance.capacity_bytes[n]:
            continue
        if (held & ~fetch.held[n]) @ instance.item_bytes <= fetch.max_bytes:
            yield held


def best_saving_s(instance, fetch):
    every = [list(feasible_rows(instance, n, fetch)) for n in range(instance.servers)]
    return max(
        evaluate(instance, Placement.of(instance, np.array(rows))).saving_s
        for rows in itertools.product(*every)
    )


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 2),
    share=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    formulation=st.sampled_from(sorted(FORMULATIONS)),
)
def test_milp_is_optimal_within_the_limit(seed, top_k, models, share, formulation, random_instance):
    # Six experts on two servers: few enough to try all.
    instance = random_instance(seed, top_k=top_k, models=models, layers=3 - models)
    start = solve(instance, "random", seed=seed % 1000).placement
    most = int(share * instance.item_bytes.sum())
    fetch = FetchLimit.after(instance, start, most)
    best = best_saving_s(instance, fetch)
    for method in METHODS:
        options = {"formulation": formulation} if method == "milp" else {}
        solution = solve(instance, method, start=start, max_fetch_bytes=most, options=options)
        cached = solution.placement.cached(instance)
        assert fetch.allows(instance, cached)
        assert solution.meta["fetched_bytes"] == fetch.fetched_bytes(instance, cached).tolist()
        before = evaluate(instance, start).saving_s
        assert before * (1 - 1e-9) <= solution.saving_s <= best * (1 + 1e-9) + 1e-12
        assert solution.bound_saving_s is None or solution.bound_saving_s >= best * (1 - 1e-6)
        if method == "milp":
            assert solution.status == "optimal"
            assert solution.saving_s == pytest.approx(best, rel=1e-6, abs=1e-12)


def test_nothing_may_be_fetched(two_servers):
    start = Placement([[0, 0, 0, 2]])
    for method in METHODS:
        solution = solve(two_servers, method, start=start, max_fetch_bytes=0)
        held = {tuple(row) for row in solution.placement.rows.tolist()}
        assert held <= {(0, 0, 0, 2)}
        assert solution.meta["max_fetch_bytes"] == 0
        assert sum(solution.meta["fetched_bytes"]) == 0


def test_more_may_be_fetched_and_more_is_saved(two_servers):
    start = Placement([[0, 0, 0, 2]])
    savings = [
        solve(two_servers, "milp", start=start, max_fetch_bytes=most).saving_s
        for most in (0, 9, 10, 20)
    ]
    assert savings == pytest.approx([0, 0, 0.6, 0.6])
    assert solve(two_servers, "milp").saving_s == pytest.approx(0.6)


def test_methods_that_do_not_know_it_refuse(two_servers):
    start = Placement.empty()
    for method in ("exact", "ascent", "greedy", "decomposition", "successive"):
        with pytest.raises(InputError) as refused:
            solve(two_servers, method, start=start, max_fetch_bytes=3)
        assert "takes no" in str(refused.value)
    with pytest.raises(UnsupportedError, match="these do: milp, local-search"):
        solve(two_servers, "exact", start=start, max_fetch_bytes=3)
    with pytest.raises(InputError, match="max fetch: needs a start"):
        solve(two_servers, "milp", max_fetch_bytes=3)
    with pytest.raises(InputError, match="max fetch: must be between 0 and"):
        solve(two_servers, "milp", start=start, max_fetch_bytes=-1)


def test_a_method_that_fetches_too_much_is_found_out(two_servers):
    def careless(instance, *, limits, seed, start=None, fetch=None):
        return Outcome(Placement([[0, 0, 0, 0]]))

    method = Method("careless", "takes what it wants", careless)
    solution = solve(two_servers, method, start=Placement.empty(), max_fetch_bytes=9)
    assert (solution.status, solution.stopped_by) == ("none", "error")
    assert solution.meta["error"] == "the method returned a placement that fetches too much"


def test_theorems_about_all_placements_are_not_claimed(two_servers):
    limits = Limits(nodes=0)
    solution = solve(
        two_servers, "local-search", start=Placement.empty(), max_fetch_bytes=0, limits=limits,
        options={"iterations": 1},
    )  # fmt: skip
    if solution.status != "optimal":
        guarantee = a_priori(solution, Structure(two_servers))
        assert guarantee.ratio is None or guarantee.ratio == 0
        assert "limited" in guarantee.because


def test_what_is_fetched_and_dropped_again(two_servers):
    fetch = FetchLimit.after(two_servers, Placement([[0, 0, 0, 1]]), 10)
    cached = np.array([[True, True, True], [True, False, True]])
    assert fetch.fetched_bytes(two_servers, cached).tolist() == [20, 20]
    assert not fetch.allows(two_servers, cached)
    kept = fetch.within(two_servers, cached)
    assert kept.tolist() == [[True, True, False], [True, False, False]]
    assert fetch.allows(two_servers, kept)
