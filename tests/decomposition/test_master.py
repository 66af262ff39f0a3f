"""The restricted master: its prices, its columns put together, the layers it has settled."""

import numpy as np
import pytest
from expertcache.decomposition.master import RestrictedMaster
from expertcache.decomposition.price_and_round import METHOD
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.solver import solve
from expertcache.structure import Structure
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("penalty", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_capacities_are_missed_where_that_is_worth_its_price(
    seed, penalty, random_instance, solved_dual
):
    instance = random_instance(
        seed, layers=6, experts=6, servers=3, rows=120, users=5, equal_sizes=seed % 2 == 0
    )
    start = np.zeros((3, instance.items), dtype=bool)
    master = solved_dual(instance, start).master
    prices, _ = master.prices()

    def worth(placement):
        layers = master.layers
        gain = sum(layer.gain_s(placement[:, layer.own]) for layer in layers)
        used = [placement[:, layer.own].sum(axis=1) for layer in layers]
        left = master.room - (master.weight * np.array(used).T).sum(axis=1)
        return gain + float(np.where(left < 0, 1 + penalty, 1 - penalty) * prices @ left)

    near = master.nearly_rounded(Limits(), start, penalty)
    best = worth(near)
    for placement in (start, master.rounded(Limits(), start)):
        assert best >= worth(placement) - 1e-6 * abs(best)
    for number, layer in enumerate(master.layers):
        # Every part is a column.
        assert master._columns[number].number_of(near[:, layer.own] & master._useful[number]) >= 0


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


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    layers=st.integers(2, 8),
    models=st.integers(1, 2),
    servers=st.integers(1, 4),
    local=st.sampled_from([0.0, 0.3]),
)
def test_no_more_layers_are_fractional_than_capacities_bind(
    seed, top_k, layers, models, servers, local, random_instance
):
    """Columns of any kind: what the master knows does not matter."""
    instance = random_instance(
        seed, top_k=top_k, layers=layers, models=models, servers=servers, local=local,
        rows=10 * layers,
    )  # fmt: skip
    parts = split_layers(instance, coverage_terms(instance))
    master = RestrictedMaster(instance, parts)
    rng = np.random.default_rng(seed)
    for number, layer in enumerate(parts):
        for _ in range(8):
            rank = rng.random((servers, layer.experts)).argsort(axis=1)
            master.add(number, rank < rng.integers(0, layer.most + 1)[:, None])
    if not parts:
        assert master.rounded_down() is None
        return
    value = master.prices()[1]
    down = master.rounded_down()
    assert 0 <= down.fractional <= down.binding <= servers
    assert (down.cached @ instance.item_bytes <= instance.capacity_bytes).all()
    saving = coverage_terms(instance).saving_s(down.cached)
    assert saving >= down.least_saving_s - 1e-12
    # No layer is worth more than its best column.
    largest = sorted((max(master._columns[n].gain_s) for n in range(len(parts))), reverse=True)
    assert down.least_saving_s >= value - sum(largest[: down.binding]) - 1e-6 * value


@pytest.mark.parametrize("seed", range(20))
def test_the_method_saves_what_the_master_promises(seed, random_instance, brute_force_latency):
    instance = random_instance(seed, top_k=1 + seed % 2, layers=2 + seed % 2, experts=3 - seed % 2)
    options = {"tree_experts": 0, "program_rows": 0, "dives": ""}
    solution = solve(instance, "decomposition", options=options)
    down = solution.meta.get("rounded_down")
    if down is None:
        assert not len(coverage_terms(instance))
        return
    assert down["fractional"] <= down["binding"]
    assert solution.saving_s >= down["least_saving_s"] - 1e-12
    best = solution.latency_empty_s - brute_force_latency(instance)
    assert METHOD.guarantee(Structure(instance), solution).ratio * best <= solution.saving_s + 1e-9
