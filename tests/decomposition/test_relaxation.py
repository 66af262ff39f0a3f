"""The cutting-plane relaxation of a layer against the whole linear program, and brute force."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from expertcache.decomposition.relaxation import LayerRelaxation
from expertcache.linear.coverage_program import priced_program
from expertcache.linear.highs import run_highs
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms


def _layer(random_instance, seed, **shape):
    shape = {"experts": 4, "servers": 2, "rows": 30, "capacity": 0.6} | shape
    instance = random_instance(seed, layers=1, top_k=1 + seed % 4, unreachable=0.2, **shape)
    layers = split_layers(instance, coverage_terms(instance))
    return layers[0] if layers else pytest.skip("nothing to gain")


@pytest.mark.parametrize("seed", range(40))
def test_same_as_the_whole_linear_program(seed, random_instance):
    layer = _layer(random_instance, seed, experts=6 + seed % 5, servers=2 + seed % 4, users=8)
    relaxation = LayerRelaxation(layer)
    rng = np.random.default_rng(seed)
    total = layer.terms.weight_s.sum()
    for factor in (0.0, 0.02, 0.05, 0.2, 1.0, 0.05):
        prices = factor * total * rng.random(layer.servers)
        found = relaxation.solve(prices, 0.0, Limits().deadline())
        whole = priced_program(layer.terms, layer.most, prices).linear
        known = -run_highs(whole, limits=Limits(), relax=True).bound
        assert found.solved
        assert found.bound_s == pytest.approx(known, abs=1e-8 * total)
        assert found.value_s == pytest.approx(known, abs=1e-8 * total)
        assert found.value_s <= found.bound_s
        # The fractional placement is worth what it says.
        share = found.share
        assert ((share >= 0) & (share <= 1)).all()
        assert (share.sum(axis=1) <= layer.most + 1e-6).all()
        near = np.minimum(layer.terms.server_sets.astype(float) @ share, 1.0)
        near = np.column_stack([near, np.ones(len(near))])
        members = layer.terms.expert_sets[layer.terms.expert_set]
        paid = near[layer.terms.server_set[:, None], members].min(axis=1)
        worth = layer.terms.weight_s @ paid - prices @ share.sum(axis=1)
        assert found.value_s == pytest.approx(worth, abs=1e-12 * total)


@pytest.mark.parametrize("seed", range(30))
def test_no_placement_is_worth_more_than_any_of_its_bounds(seed, random_instance):
    layer = _layer(random_instance, seed)
    relaxation = LayerRelaxation(layer)
    prices = np.random.default_rng(seed).random(2) * layer.terms.weight_s.sum() / 6
    weight, price = (
        [Fraction(value) for value in values] for values in (layer.terms.weight_s, prices)
    )
    # Without any rounding.
    best = max(
        sum(weight[term] for term in np.flatnonzero(layer.terms.paid(cached)))
        - sum(p * count for p, count in zip(price, cached.sum(axis=1).tolist(), strict=True))
        for choice in product([False, True], repeat=8)
        if ((cached := np.array(choice).reshape(2, 4)).sum(axis=1) <= layer.most).all()
    )
    rng = np.random.default_rng(seed)
    rows = len(layer.terms.server_sets) * 4 + 2 + len(layer.terms.server_sets)
    for scale in (0.0, 1.0, 1e3, 1e6):
        bound, (multipliers, room_prices) = relaxation._bound(prices, -scale * rng.random(rows))
        assert Fraction(bound) >= best
        assert (multipliers >= 0).all()
        assert (room_prices >= 0).all()
    assert Fraction(relaxation.solve(prices, 0.0, Limits().deadline()).bound_s) >= best


@pytest.mark.parametrize("seed", range(10))
def test_slack_leaves_a_bound_within_it(seed, random_instance):
    layer = _layer(random_instance, seed, experts=6, users=8)
    total = layer.terms.weight_s.sum()
    prices = np.full(2, 0.05 * total)
    known = LayerRelaxation(layer).solve(prices, 0.0, Limits().deadline())
    found = LayerRelaxation(layer).solve(prices, 0.1 * total, Limits().deadline())
    assert found.solved
    assert known.bound_s * (1 - 1e-12) <= found.bound_s <= found.value_s + 0.1 * total


def test_time_that_is_over_leaves_a_bound(random_instance):
    layer = _layer(random_instance, 2)
    found = LayerRelaxation(layer).solve(np.zeros(2), 0.0, Limits(1e-9).deadline())
    assert not found.solved
    assert found.bound_s == pytest.approx(layer.terms.weight_s.sum())
