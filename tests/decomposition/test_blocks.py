"""Experts in blocks: what fits there fits, and saves the same share."""

import numpy as np
import pytest
from expertcache import Placement, evaluate
from expertcache.decomposition import blocks as module
from expertcache.decomposition.blocks import in_blocks
from expertcache.method import Limits
from expertcache.problem.evaluate import latency_empty_s
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


def _merged(instance, count):
    return in_blocks(instance, split_layers(instance, coverage_terms(instance)), count)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(1, 2, 7, 3), (2, 2, 5, 2), (2, 1, 9, 4), (1, 3, 4, 1)]),
    count=st.integers(1, 6),
)
def test_what_fits_in_blocks_fits_and_saves_the_same_share(seed, shape, count, random_instance):
    models, layers, experts, top_k = shape
    instance = random_instance(
        seed, models=models, layers=layers, experts=experts, top_k=top_k, servers=3, rows=40
    )
    terms = coverage_terms(instance)
    if not len(terms):
        return
    found = _merged(instance, count)
    if experts <= count:
        assert found is None
        return
    smaller = found.instance
    assert all(model.experts <= count for model in smaller.models)
    cached = np.random.default_rng(seed).random((3, smaller.items)) < 0.6
    large = found.expanded(cached)
    used, room = large @ instance.item_bytes, instance.capacity_bytes
    assert (used <= cached @ smaller.item_bytes).all()
    saved = coverage_terms(smaller).saving_s(cached) * terms.weight_s.sum()
    assert saved == pytest.approx(terms.saving_s(large), rel=1e-11, abs=1e-15)
    if (used <= room).all():
        latency = evaluate(instance, Placement.of(instance, large)).latency_s
        assert latency_empty_s(instance) - latency == pytest.approx(saved, rel=1e-9, abs=1e-12)


def _groups(groups, size, capacity):
    """One server, one layer: each request needs all experts of a group."""
    experts = np.arange(groups * size).reshape(size, groups).T
    return Instance(
        models=(Model("groups", 1, groups * size, size, 1),),
        capacity_bytes=np.array([capacity]),
        server_latency_s=np.full((1, 1, 1), 0.5),
        cloud_latency_s=np.ones((1, 1)),
        local_latency_s=np.full((1, 1), 0.1),
        local=np.zeros((1, groups * size), dtype=bool),
        requests=Requests(
            user=np.zeros(groups), model=np.zeros(groups), layer=np.zeros(groups),
            experts=experts, rate=np.linspace(1.0, 2.0, groups),
        ),
    )  # fmt: skip


def test_experts_that_are_active_together_are_merged():
    instance = _groups(4, 6, 12)
    found = _merged(instance, 4)
    of_request = found.item[instance.request_items]
    assert (of_request == of_request[:, :1]).all()
    assert len(np.unique(of_request)) == 4
    assert found.instance.models[0].top_k == 4
    assert (found.instance.requests.experts[:, 1:] < 0).all()


def test_a_smaller_instance_that_would_be_too_large_is_none(monkeypatch):
    instance = _groups(3, 2, 2)
    assert _merged(instance, 4) is not None
    monkeypatch.setattr(module, "MAX_BYTES", 5)
    assert _merged(instance, 4) is None
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_USER_ITEMS", 2)
    assert _merged(instance, 4) is None


@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_part_of_the_method(seed, random_instance, monkeypatch):
    tried = []

    def seen(instance, layers, count):
        found = in_blocks(instance, layers, count)
        tried.append((count, found))
        return found

    monkeypatch.setattr("expertcache.decomposition.large_layers.in_blocks", seen)
    instance = random_instance(
        seed, layers=3, experts=12, servers=3, rows=90, users=5, top_k=3, capacity=0.15
    )
    options = {"program_rows": 0, "tree_experts": 8, "relaxed_numbers": 0, "blocks": "20,4,6"}
    found = solve(instance, "decomposition", options=options, limits=Limits(time_s=20))
    best = solve(instance, "milp")
    assert best.latency_s * (1 - 1e-9) <= found.latency_s
    assert found.bound_latency_s <= best.latency_s * (1 + 1e-9)
    # Those that merge nothing are passed over.
    assert [count for count, _ in tried[:2]] == [20, 4]
    assert tried[0][1] is None
