"""The bound by splits against brute force, and against the linear relaxation."""

from fractions import Fraction
from itertools import islice, product

import numpy as np
import pytest
from expertcache.decomposition.master import RestrictedMaster
from expertcache.linear.coverage_program import coverage_program
from expertcache.linear.highs import run_highs
from expertcache.method import Limits
from expertcache.problem.evaluate import latency_empty_s
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.splitting import layer_split
from expertcache.splitting.holders import Holders, needed_holders
from expertcache.splitting.layer_path import Paths
from expertcache.splitting.layer_split import LayerPoint, LayerSplit
from expertcache.splitting.primal_dual import Splitting
from expertcache.splitting.single_servers import SingleServers
from hypothesis import given, settings
from hypothesis import strategies as st

_SIDES = pytest.mark.parametrize("side", [Holders, SingleServers])


@pytest.fixture(autouse=True)
def _few_holders(request, monkeypatch):
    """Shares of single servers where a test asks for them."""
    if "side" in request.fixturenames and request.getfixturevalue("side") is SingleServers:
        monkeypatch.setattr(layer_split, "MOST_HOLDERS", 0)


def _splitting(instance, gap=5e-4, rounds=100):
    layers = split_layers(instance, coverage_terms(instance))
    if not layers:
        pytest.skip("nothing to gain")
    master = RestrictedMaster(instance, layers)
    splitting = Splitting(Paths(layers), master.weight, master.room)
    bounds = list(islice(splitting.rounds(Limits().deadline(), gap), rounds))
    return splitting, bounds


@_SIDES
@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(2, 2, 3, 1), (3, 1, 3, 1), (2, 1, 2, 2), (1, 2, 4, 1)]),
    top_k=st.integers(1, 3),
    capacity=st.sampled_from([None, 0.0, 0.1, 0.5]),
)
def test_no_placement_saves_more(
    side, seed, shape, top_k, capacity, random_instance, brute_force_latency
):
    servers, layers, experts, models = shape
    instance = random_instance(
        seed, servers=servers, layers=layers, experts=experts, models=models, top_k=top_k,
        capacity=capacity,
    )  # fmt: skip
    parts = split_layers(instance, coverage_terms(instance))
    if not parts:
        return
    splitting, bounds = _splitting(instance, rounds=4)
    assert isinstance(LayerSplit(parts[0]).side, side)
    most = latency_empty_s(instance) - brute_force_latency(instance)
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] >= most - 1e-12 * latency_empty_s(instance)
    assert splitting.value_s <= splitting.bound_s * (1 + 1e-9)


@_SIDES
@pytest.mark.parametrize("seed", range(6))
def test_as_good_as_the_linear_relaxation(side, seed, random_instance):
    instance = random_instance(
        seed, servers=2 + seed % 3, layers=3, experts=6, rows=60, users=5, top_k=2 + seed % 2,
        capacity=0.3, models=1 + seed % 2,
    )  # fmt: skip
    program = coverage_program(instance, coverage_terms(instance)).linear
    known = -run_highs(program, limits=Limits(), relax=True).bound
    splitting, _ = _splitting(instance)
    # By sets of servers it is tighter; by single servers the same.
    assert splitting.bound_s <= known * (1 + 1e-3)
    assert splitting.value_s >= splitting.bound_s * (1 - 2e-3)


@_SIDES
@pytest.mark.parametrize("seed", range(20))
def test_any_split_is_a_bound_without_any_rounding(side, seed, random_instance):
    instance = random_instance(
        seed, layers=1, experts=4, servers=2, rows=30, top_k=1 + seed % 4, capacity=0.6
    )
    layers = split_layers(instance, coverage_terms(instance))
    if not layers:
        pytest.skip("nothing to gain")
    layer = layers[0]
    rng = np.random.default_rng(seed)
    prices = rng.random(2) * layer.terms.weight_s.sum() / 6
    weight, price = ([Fraction(v) for v in values] for values in (layer.terms.weight_s, prices))
    best = max(
        sum(weight[term] for term in np.flatnonzero(layer.terms.paid(cached)))
        - sum(p * count for p, count in zip(price, cached.sum(axis=1).tolist(), strict=True))
        for choice in product([False, True], repeat=8)
        if ((cached := np.array(choice).reshape(2, 4)).sum(axis=1) <= layer.most).all()
    )
    split = LayerSplit(layer)
    start = split.start()
    for scale in (0.0, 1e-3, 1.0, 1e3):
        shares = rng.random(start.split.shape) + 1e-9
        held = scale * layer.terms.weight_s.sum() * rng.random(start.held.shape)
        limit = scale * rng.random(2) * layer.terms.weight_s.sum()
        point = LayerPoint(held, shares, limit, start.near, start.used, start.value_s)
        assert Fraction(split.bound(point).worth_s(prices)) >= best


@given(seed=st.integers(0, 10**6), servers=st.integers(1, 5))
def test_needed_holders(seed, servers):
    sets = np.random.default_rng(seed).integers(0, 1 << servers, 4)
    known = [
        held
        for held in range(1 << servers)
        if all(any(held & one == 1 << n for one in sets) for n in range(servers) if held >> n & 1)
    ]
    assert needed_holders(sets, servers).tolist() == known
    assert len(needed_holders(sets, servers, len(known) - 1)) >= len(known)


def test_same_steps_same_bytes(random_instance):
    instance = random_instance(4, layers=3, experts=6, servers=3, rows=60, capacity=0.3)
    first, second = (_splitting(instance, rounds=10) for _ in range(2))
    assert first[1] == second[1]
    assert (first[0].prices == second[0].prices).all()


def test_time_that_is_over_leaves_what_all_terms_weigh(random_instance):
    instance = random_instance(4, layers=3, experts=6, servers=3, rows=60, capacity=0.3)
    layers = split_layers(instance, coverage_terms(instance))
    master = RestrictedMaster(instance, layers)
    splitting = Splitting(Paths(layers), master.weight, master.room)
    assert list(splitting.rounds(Limits(1e-9).deadline(), 0.0)) == []
    total = sum(layer.terms.weight_s.sum() for layer in layers)
    assert splitting.bound_s == pytest.approx(total)
    assert splitting.iterations == 0
