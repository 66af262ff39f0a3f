import numpy as np
import pytest
from expertcache.problem import evaluate as module
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate, request_latency_s
from expertcache.problem.placement import Placement
from hypothesis import given
from hypothesis import strategies as st


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), models=st.integers(1, 2))
def test_matches_the_definition(seed, top_k, models, random_instance, naive_latency):
    instance = random_instance(seed, top_k=top_k, models=models)
    cached = np.random.default_rng(seed).random((instance.servers, instance.items)) < 0.4
    value = evaluate(instance, Placement.of(instance, cached))
    empty = naive_latency(instance, np.zeros_like(cached))
    assert value.latency_s == pytest.approx(naive_latency(instance, cached), rel=1e-12, abs=1e-15)
    assert value.latency_empty_s == pytest.approx(empty, rel=1e-12, abs=1e-15)
    assert value.saving_s == pytest.approx(value.latency_empty_s - value.latency_s)
    assert value.user_latency_s.sum() == pytest.approx(value.latency_s)
    assert value.model_latency_s.sum() == pytest.approx(value.latency_s)
    assert sum(x.sum() for x in value.layer_latency_s) == pytest.approx(value.latency_s)
    assert [len(x) for x in value.layer_latency_s] == [m.layers for m in instance.models]


def test_toy_by_hand(two_servers):
    placement = Placement([(0, 0, 0, 0), (1, 0, 0, 1)])
    value = evaluate(two_servers, placement)
    assert value.latency_s == pytest.approx(0.4)
    assert value.latency_empty_s == pytest.approx(1.0)
    assert value.feasible
    assert value.used_bytes.tolist() == [10, 10]


def test_too_much_is_infeasible(two_servers):
    placement = Placement([(0, 0, 0, 0), (0, 0, 0, 1)])
    value = evaluate(two_servers, placement)
    assert not value.feasible
    assert value.used_bytes.tolist() == [20, 0]


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3))
def test_more_copies_never_hurt(seed, top_k, random_instance):
    instance = random_instance(seed, top_k=top_k)
    rng = np.random.default_rng(seed)
    few = rng.random((instance.servers, instance.items)) < 0.3
    more = few | (rng.random(few.shape) < 0.3)
    slower = evaluate(instance, Placement.of(instance, few)).latency_s
    assert evaluate(instance, Placement.of(instance, more)).latency_s <= slower + 1e-12


@given(seed=st.integers(0, 10**6))
def test_saving_is_submodular_for_one_expert(seed, random_instance):
    instance = random_instance(seed, top_k=1)
    rng = np.random.default_rng(seed)
    few = rng.random((instance.servers, instance.items)) < 0.3
    more = few | (rng.random(few.shape) < 0.3)
    n, i = rng.integers(instance.servers), rng.integers(instance.items)

    def gain(cached):
        added = cached.copy()
        added[n, i] = True
        return (
            evaluate(instance, Placement.of(instance, added)).saving_s
            - evaluate(instance, Placement.of(instance, cached)).saving_s
        )

    assert gain(more) <= gain(few) + 1e-12


@given(seed=st.integers(0, 10**6))
def test_one_server_is_supermodular(seed, random_instance):
    instance = random_instance(seed, top_k=3, servers=1)
    rng = np.random.default_rng(seed)
    few = rng.random((1, instance.items)) < 0.3
    more = few | (rng.random(few.shape) < 0.3)
    item = rng.integers(instance.items)

    def gain(cached):
        if cached[0, item]:
            return 0.0
        added = cached.copy()
        added[0, item] = True
        return (
            evaluate(instance, Placement.of(instance, added)).saving_s
            - evaluate(instance, Placement.of(instance, cached)).saving_s
        )

    if not more[0, item]:
        assert gain(more) >= gain(few) - 1e-12


def test_blocks_of_users_give_the_same(random_instance, monkeypatch):
    instance = random_instance(3, top_k=3, users=5, rows=40)
    cached = np.random.default_rng(0).random((instance.servers, instance.items)) < 0.5
    whole = request_latency_s(instance, Placement.of(instance, cached))
    monkeypatch.setattr(module, "_TABLE_ENTRIES", 2 * (instance.items + 1))
    assert np.array_equal(whole, request_latency_s(instance, Placement.of(instance, cached)))


def test_wrong_shape_is_refused(two_servers):
    with pytest.raises(InputError, match="server 2"):
        evaluate(two_servers, Placement([(2, 0, 0, 0)]))


def test_no_requests_cost_nothing(random_instance):
    instance = random_instance(1, rows=0)
    assert evaluate(instance, Placement.empty()).latency_s == 0.0
