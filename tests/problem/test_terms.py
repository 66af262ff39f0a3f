from dataclasses import replace

import numpy as np
import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.problem.terms import coverage_terms
from hypothesis import given
from hypothesis import strategies as st


@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 4),
    models=st.integers(1, 2),
    servers=st.integers(0, 3),
    local=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_terms_give_the_saving(seed, top_k, models, servers, local, random_instance):
    instance = random_instance(
        seed, top_k=top_k, models=models, servers=servers, local=local, experts=4
    )
    terms = coverage_terms(instance)
    assert (terms.weight_s > 0).all()
    assert terms.server_sets[terms.server_set].any(axis=1).all()
    rng = np.random.default_rng(seed)
    for share in (0.2, 0.5, 0.9):
        cached = rng.random((instance.servers, instance.items)) < share
        expected = evaluate(instance, Placement.of(instance, cached)).saving_s
        assert terms.saving_s(cached) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(seed=st.integers(0, 10**6))
def test_terms_are_merged(seed, random_instance):
    terms = coverage_terms(random_instance(seed, rows=60))
    keys = set(zip(terms.expert_set.tolist(), terms.server_set.tolist(), strict=True))
    assert len(keys) == len(terms)
    assert len(np.unique(terms.expert_sets, axis=0)) == len(terms.expert_sets)
    assert len(np.unique(terms.server_sets, axis=0)) == len(terms.server_sets)


def test_repeated_rows_mean_their_sum(two_servers):
    rows = two_servers.requests
    doubled = type(rows)(
        **{
            name: np.concatenate([getattr(rows, name)] * 2)
            for name in ("user", "model", "layer", "experts")
        },
        rate=np.concatenate([rows.rate * 0.25, rows.rate * 0.75]),
    )
    one, two = coverage_terms(two_servers), coverage_terms(two_servers.replace(requests=doubled))
    assert len(one) == len(two)
    assert np.allclose(one.weight_s, two.weight_s)


def test_slow_device_still_gains_from_a_server(two_servers):
    """A server faster than the device helps even with an expert that the device holds."""
    instance = two_servers.replace(
        local=np.array([[True, True, False]]), local_latency_s=np.array([[0.5]])
    )
    terms = coverage_terms(instance)
    cached = np.array([[True, True, False], [False] * 3])
    assert terms.saving_s(cached) == pytest.approx(0.75 * (0.5 - 0.1))


def test_weights_that_would_underflow_are_left_out(two_servers):
    requests = replace(two_servers.requests, rate=np.array([0.75, 1e-300]))
    terms = coverage_terms(two_servers.replace(requests=requests))
    assert terms.weight_s.min() > 0.01
    assert terms.expert_sets[terms.expert_set].tolist() == [[0, 1], [0, 1]]


def test_savings_that_are_all_too_small_are_refused(random_instance):
    instance = random_instance(3, users=2, unreachable=0.0)
    server = instance.server_latency_s.copy()
    server[0] = np.inf
    mine = instance.requests.user == 1
    rate = np.where(mine, 1e-320, instance.requests.rate)
    changed = instance.replace(
        server_latency_s=server, requests=replace(instance.requests, rate=rate)
    )
    with pytest.raises(InputError, match=r"all that can be saved is below 1e-200 s"):
        coverage_terms(changed)
