"""Reduced-cost enumeration: what it finds, and where it says that it cannot."""

from dataclasses import replace

import pytest
from expertcache.decomposition.enumeration import Enumeration
from expertcache.method import Limits
from expertcache.problem.instance import Model
from expertcache.solver import solve


@pytest.mark.parametrize("seed", range(24))
def test_several_layers_against_milp(seed, random_instance):
    shape = {"layers": 3 + seed % 4, "experts": 3 + seed % 3, "servers": 2 + seed % 3}
    instance = random_instance(
        1500 + seed, top_k=2 + seed % 2, rows=25, users=6, capacity=0.2 + 0.1 * (seed % 4), **shape
    )
    best = solve(instance, "milp")
    found = solve(instance, "decomposition")
    assert (best.status, found.status) == ("optimal", "optimal")
    assert found.latency_s == pytest.approx(best.latency_s, rel=1e-6)


def test_nothing_is_enumerated_before_a_certified_round(random_instance, solved_dual):
    enumeration = Enumeration(solved_dual(random_instance(3), run=False))
    assert enumeration.obstacle() == "no round was certified"
    assert enumeration.within(0.0, 1.0, Limits().deadline()) is None


def _uneven(random_instance, seed):
    """Two models whose sizes have no common unit."""
    instance = random_instance(seed, layers=4, models=2, servers=3, rows=60, users=5, capacity=0.3)
    sizes = (1_000_003, 1_618_033)
    models = tuple(
        Model(model.name, model.layers, model.experts, model.top_k, size)
        for model, size in zip(instance.models, sizes, strict=True)
    )
    total = sum(model.items * model.expert_bytes for model in models)
    capacity = instance.capacity_bytes * 0 + int(0.3 * total)
    return replace(instance, models=models, capacity_bytes=capacity)


def test_weights_that_are_not_whole_numbers_are_an_obstacle(random_instance, solved_dual):
    off = 0
    for seed in range(5):
        instance = _uneven(random_instance, seed)
        dual = solved_dual(instance)
        obstacle = Enumeration(dual).obstacle()
        whole = (dual.master.weight == dual.master.weight.round()).all()
        assert (obstacle is None) == whole
        if obstacle:
            solution = solve(instance, "decomposition")
            assert "whole numbers" in obstacle
            assert solution.meta.get("no_enumeration", obstacle) == obstacle
            off += "no_enumeration" in solution.meta
    assert off > 0
