import math

import numpy as np
import pytest
from expertcache.configuration.covering import Covering
from expertcache.configuration.knapsacks import Knapsacks
from expertcache.configuration.rounding import climbed, rounded
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.problem.terms import coverage_terms
from hypothesis import given, settings
from hypothesis import strategies as st


def fractions(instance, rng):
    """Means of random caches that fit."""
    knapsacks = Knapsacks(instance)
    shape = (instance.servers, instance.items)
    share = rng.dirichlet(np.ones(4))
    return sum(s * knapsacks.best(rng.random(shape)).chosen for s in share)


@settings(max_examples=200)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 3), servers=st.integers(1, 4))
def test_rounding_never_falls(seed, models, servers, random_instance):
    instance = random_instance(seed, top_k=1, models=models, servers=servers, rows=30)
    covering = Covering.of(instance, coverage_terms(instance))
    knapsacks = Knapsacks(instance)
    rng = np.random.default_rng(seed)
    x = fractions(instance, rng)
    expected = covering.expected_s(x)
    assert expected >= (1 - 1 / math.e) * covering.relaxed_s(x) - 1e-12
    order = rng.permutation(servers)
    for done in range(1, servers + 1):
        part = x.copy()
        part[order[:done]] = rounded(covering, knapsacks, x, order[:done])[order[:done]]
        assert covering.expected_s(part) >= expected - 1e-12
        expected = covering.expected_s(part)
    cached = rounded(covering, knapsacks, x, order)
    value = evaluate(instance, Placement.of(instance, cached))
    assert value.feasible
    assert value.saving_s == pytest.approx(expected, abs=1e-12)
    saving, better = climbed(covering, knapsacks, cached, Limits().deadline())
    assert saving >= expected - 1e-12
    value = evaluate(instance, Placement.of(instance, better))
    assert value.feasible
    assert value.saving_s == pytest.approx(saving, abs=1e-12)
