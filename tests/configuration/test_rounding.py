import math

import numpy as np
import pytest
from expertcache.configuration.clients import Clients
from expertcache.configuration.knapsacks import Knapsacks
from expertcache.configuration.rounding import climbed, rounded
from expertcache.method import Limits
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
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
    clients = Clients.of(instance)
    knapsacks = Knapsacks(instance)
    rng = np.random.default_rng(seed)
    x = fractions(instance, rng)
    expected = clients.expected_s(x)
    assert expected >= (1 - 1 / math.e) * clients.relaxed_s(x) - 1e-12
    order = rng.permutation(servers)
    for done in range(1, servers + 1):
        part = x.copy()
        part[order[:done]] = rounded(clients, knapsacks, x, order[:done])[order[:done]]
        assert clients.expected_s(part) >= expected - 1e-12
        expected = clients.expected_s(part)
    cached = rounded(clients, knapsacks, x, order)
    value = evaluate(instance, Placement.of(instance, cached))
    assert value.feasible
    assert value.saving_s == pytest.approx(expected, abs=1e-12)
    saving, better = climbed(clients, knapsacks, cached, Limits().deadline())
    assert saving >= expected - 1e-12
    value = evaluate(instance, Placement.of(instance, better))
    assert value.feasible
    assert value.saving_s == pytest.approx(saving, abs=1e-12)
