"""The restricted master: its prices, its columns put together, the layers it has settled."""

import numpy as np
import pytest
from expertcache.decomposition.master import RestrictedMaster
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.solver import solve

_SHAPES = [(2, 3, 1), (1, 4, 1), (1, 3, 2), (3, 2, 1), (2, 2, 2)]


@pytest.mark.parametrize("seed", range(10))
def test_rounding_is_feasible_and_not_worse_than_its_start(seed, random_instance, solved_dual):
    layers, experts, models = _SHAPES[seed % len(_SHAPES)]
    instance = random_instance(
        seed, top_k=1 + seed % 3, layers=layers, experts=experts, models=models, servers=3
    )
    start = solve(instance, "successive")
    placement = start.placement.cached(instance)
    dual = solved_dual(instance, placement)
    rounded = dual.master.rounded(Limits(), placement)
    assert (rounded @ instance.item_bytes <= instance.capacity_bytes).all()
    saving = coverage_terms(instance).saving_s(rounded)
    assert start.saving_s * (1 - 1e-12) <= saving <= dual.bound_s


def test_fractional_columns_never_replace_placements(random_instance):
    instance = random_instance(2, layers=1, experts=4, rows=30, unreachable=0.0, capacity=0.6)
    layers = split_layers(instance, coverage_terms(instance))
    master = RestrictedMaster(instance, layers)
    one = np.zeros((2, 4), dtype=bool)
    one[0, 0] = True
    master.add(0, one)
    master.add_fractional(0, 1e3, one.sum(axis=1).astype(float))
    assert master.prices()[1] >= 1e3
    assert layers[0].gain_s(master.best(0, np.zeros(2))) == layers[0].gain_s(one)
    assert master.rounded(Limits(), one).sum() <= 1
    master.drop_fractional(0)
    assert len(master) == 2
    assert master.prices()[1] < 1e3


@pytest.mark.parametrize("seed", range(20))
def test_settled_layers_fit(seed, random_instance, solved_dual):
    instance = random_instance(
        seed, layers=6, experts=6, servers=3, rows=120, users=5, equal_sizes=seed % 2 == 0
    )
    master = solved_dual(instance).master
    for least in (0.0, 0.4, 1.0):
        fixed, free = master.settled(least)
        assert (fixed @ instance.item_bytes <= instance.capacity_bytes).all()
        for number in free:
            assert not fixed[:, master.layers[number].own].any()
