"""Clients say what the evaluator says."""

import numpy as np
import pytest
from expertcache.configuration.clients import Clients
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.problem.terms import coverage_terms
from hypothesis import assume, given, settings
from hypothesis import strategies as st


@settings(max_examples=150)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from([(1, 0.2, 30), (2, 0.7, 6)]))
def test_savings_and_gains_of_placements(seed, kind, random_instance):
    top_k, local, rows = kind
    instance = random_instance(seed, top_k=top_k, models=2, servers=3, rows=rows, local=local)
    # Of two experts the device may have one.
    assume(coverage_terms(instance).sizes().max(initial=0) <= 1)
    clients = Clients.of(instance)
    fits = instance.item_bytes <= instance.capacity_bytes[:, None]
    rng = np.random.default_rng(seed)
    for _ in range(3):
        cached = (rng.random(clients.shape) < 0.4) & fits
        saving = evaluate(instance, Placement.of(instance, cached)).saving_s
        assert clients.saving_s(cached) == pytest.approx(saving, abs=1e-12)
        fractions = cached.astype(float)
        assert clients.relaxed_s(fractions) == pytest.approx(saving, abs=1e-12)
        assert clients.expected_s(fractions) == pytest.approx(saving, abs=1e-12)
        gains = clients.gains_s(cached, 1)
        assert clients.slopes(fractions, 1) == pytest.approx(gains, abs=1e-12)
        without = cached.copy()
        without[1] = False
        lost = evaluate(instance, Placement.of(instance, without)).saving_s
        assert gains @ cached[1] == pytest.approx(saving - lost, abs=1e-12)


def test_users_to_whom_servers_rank_the_same_are_one_client(random_instance):
    instance = random_instance(3, top_k=1, servers=2, users=8, rows=60)
    clients = Clients.of(instance)
    kinds = {(item, *order) for item, *order in zip(clients.item, *clients.order, strict=True)}
    assert len(kinds) == len(clients) < len(instance.requests)
    assert (np.diff(clients.item) >= 0).all()
