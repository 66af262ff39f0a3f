"""Branch and bound over the experts of a layer against brute force."""

from itertools import product

import numpy as np
import pytest
from expertcache.decomposition.layer_tree import Threshold, enumerate_columns
from expertcache.decomposition.parameters import DEFAULTS, Parameters
from expertcache.decomposition.relaxation import Duals
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms


@pytest.mark.parametrize("seed", range(30))
def test_tree_finds_the_best_placement_of_each_count(seed, random_instance):
    servers = 1 + seed % 3
    instance = random_instance(
        seed, layers=1, experts=5 - servers, servers=servers, top_k=1 + seed % 3, rows=30,
        capacity=0.6, unreachable=0.0,
    )  # fmt: skip
    (layer,) = split_layers(instance, coverage_terms(instance))
    rng = np.random.default_rng(seed)
    scale = layer.terms.weight_s.sum() / 6
    prices = rng.random(servers) * scale
    best = {}
    for choice in product([False, True], repeat=servers * layer.experts):
        cached = np.array(choice).reshape(servers, layer.experts)
        counts = tuple(cached.sum(axis=1).tolist())
        if (cached.sum(axis=1) <= layer.most).all():
            value = layer.gain_s(cached) - prices @ cached.sum(axis=1)
            best[counts] = max(best.get(counts, -np.inf), value)
    # Any multipliers are valid, good or bad.
    multipliers = rng.random((len(layer.terms.server_sets), layer.experts)) * scale
    for factor in (0.0, 0.3, 3.0):
        for least in (-np.inf, 0.0, 0.7 * max(best.values()), 2 * max(best.values()) + 1):
            room_prices = factor * rng.random(servers) * scale
            duals = Duals(factor * multipliers, room_prices)
            rest = duals, Threshold(least), Limits().deadline(), DEFAULTS
            good = enumerate_columns(layer, prices, *rest)
            found = {tuple(c): v for c, v in zip(good.counts.tolist(), good.worth_s, strict=True)}
            # Experts that nobody asks for are never held.
            useful = {c: v for c, v in best.items() if v >= least}
            assert set(found) <= set(useful)
            for number, (counts, value) in enumerate(found.items()):
                assert value <= best[counts] + 1e-12
                cached = good.cached(number)
                assert tuple(cached.sum(axis=1).tolist()) == counts
                assert layer.gain_s(cached) - prices @ counts == pytest.approx(value, abs=1e-12)
            one = enumerate_columns(layer, prices, *rest, best_only=True)
            assert one.worth_s.max(initial=-1.0) == good.worth_s.max(initial=-1.0)
            for counts, value in useful.items():
                # No worse than with fewer experts that do all that these do.
                assert any(
                    v >= value - 1e-12 and (np.array(c) <= counts).all() for c, v in found.items()
                )


def test_tree_stops(random_instance):
    instance = random_instance(1, layers=1, experts=4, servers=2, rows=30)
    (layer,) = split_layers(instance, coverage_terms(instance))
    duals = Duals(np.zeros((len(layer.terms.server_sets), 4)), np.zeros(2))

    def columns(limit=np.inf, **parameters):
        deadline, parameters = Limits(limit).deadline(), Parameters(**parameters)
        return enumerate_columns(layer, np.zeros(2), duals, Threshold(0.0), deadline, parameters)

    assert len(columns().worth_s) > 1
    assert columns(1e-9) is None
    assert columns(tree_columns=0) is None
    assert columns(tree_nodes=1) is None
