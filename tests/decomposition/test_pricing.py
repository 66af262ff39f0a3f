"""Pricing of a layer against brute force."""

import numpy as np
import pytest
from expertcache.decomposition.layer_search import LayerSearch
from expertcache.decomposition.parameters import Parameters
from expertcache.decomposition.pricing import LayerPricing
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms


@pytest.mark.parametrize("seed", range(20))
def test_pricing_is_exact_and_the_search_never_beats_it(seed, random_instance):
    room = 1.0 if seed % 2 else 0.5
    instance = random_instance(
        seed, layers=1, experts=4, servers=2, top_k=1 + seed % 3, rows=30, capacity=room
    )
    (layer,) = split_layers(instance, coverage_terms(instance))
    prices = np.random.default_rng(seed).random(2) * layer.terms.weight_s.sum() / 6
    codes = np.arange(256)
    every = ((codes[:, None] >> np.arange(8)) & 1 == 1).reshape(-1, 2, 4)
    every = every[(every.sum(axis=2) <= layer.most).all(axis=1)]
    best = max(layer.gain_s(x) - prices @ x.sum(axis=1) for x in every)
    nothing = np.zeros((2, 4), dtype=bool)
    for experts in (16, 0):
        # By a tree, then by the integer program.
        pricing = LayerPricing(layer, Parameters(tree_experts=experts))
        priced = pricing.price(prices, nothing, 0.0, Limits().deadline(), Limits().deadline())
        assert priced.pricing == "exact"
        assert priced.bound_s >= best * (1 - 1e-12)
        assert priced.bound_s == pytest.approx(best, rel=1e-6, abs=1e-6)
    for experts, steps in ((12, 10**8), (0, 10**8), (12, 0)):
        # By tables, then by minimum cuts.
        search = LayerSearch(layer, Parameters(table_experts=experts, table_steps=steps))
        first, found = search.search(prices, [nothing], Limits().deadline())
        assert found == layer.gain_s(first) - prices @ first.sum(axis=1)
        assert -1e-12 <= found <= best + 1e-12
        late, _ = search.search(prices, [nothing], Limits(1e-9).deadline())
        assert (late.sum(axis=1) <= layer.most).all()
        for n in range(2 if (experts and steps) or (layer.most == 4).all() else 0):
            # No change of one server helps.
            for x in every[(every[:, 1 - n] == first[1 - n]).all(axis=1)]:
                assert layer.gain_s(x) - prices @ x.sum(axis=1) <= found + 1e-8
