from functools import reduce

import numpy as np
import pytest
from expertcache.responses.layer_knapsack import _thinned, combine_layers, split_capacity
from expertcache.responses.maxplus import direct
from hypothesis import given, settings
from hypothesis import strategies as st


def random_gains(rng, models, layers, experts, spread):
    gains = []
    for _ in range(models):
        steps = rng.random((layers, experts)) ** spread * (rng.random((layers, experts)) < 0.7)
        gains.append(np.column_stack([np.zeros(layers), np.cumsum(steps, axis=1)]))
    return gains


def brute_force(gains, sizes, capacity):
    """All counts of all layers."""
    best = {0: 0.0}
    for table, size in zip(gains, sizes, strict=True):
        for row in table:
            grown = {}
            for used, value in best.items():
                for k, gain in enumerate(row):
                    total = used + k * size
                    if total <= capacity:
                        grown[total] = max(grown.get(total, 0.0), value + gain)
            best = grown
    return max(best.values())


@settings(max_examples=300)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 9), min_size=0, max_size=3),
    layers=st.integers(1, 4),
    capacity=st.integers(0, 60),
    spread=st.sampled_from([0.5, 1, 6]),
    epsilon=st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 0.9]),
)
def test_against_brute_force(seed, sizes, layers, capacity, spread, epsilon):
    gains = random_gains(np.random.default_rng(seed), len(sizes), layers, 3, spread)
    best = brute_force(gains, sizes, capacity)
    split = split_capacity(gains, sizes, capacity, epsilon)
    used = sum(size * int(k.sum()) for size, k in zip(sizes, split.counts, strict=True))
    gain = sum(
        table[np.arange(layers), k].sum() for table, k in zip(gains, split.counts, strict=True)
    )
    assert used <= capacity
    assert gain == pytest.approx(split.value, abs=1e-12)
    if epsilon == 0:
        assert gain == pytest.approx(best, abs=1e-12)
    else:
        assert (1 - epsilon) * best - 1e-12 <= gain <= best + 1e-12


def test_lists_stay_short_whatever_the_capacity():
    """The number of pairs depends on epsilon and the models, not on bytes or on the gains."""
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-9, 1e9):
        value = np.concatenate([[0.0], np.cumsum(rng.random(100_000) ** 8)]) * scale
        kept = _thinned(value, float(value.max()), 0.01)
        assert len(kept) <= 2 + np.log(1 / 0.01) / -np.log1p(-0.01)
        assert value[kept[0]] == 0


def test_any_number_of_layers_and_every_count():
    rng = np.random.default_rng(1)
    for layers in range(1, 9):
        (gain,) = random_gains(rng, 1, layers, 4, 1)
        most = 4 * layers
        combined = combine_layers(gain, most)
        one_by_one = reduce(lambda total, row: direct(total, row).value, gain)
        assert np.allclose(combined.value, one_by_one)
        for count in range(most + 1):
            shares = combined.shares(count)
            assert shares.sum() == count
            assert gain[np.arange(layers), shares].sum() == pytest.approx(combined.value[count])


def test_among_equal_gains_few_experts():
    gains = [np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])]
    split = split_capacity(gains, [5], 100)
    assert [k.tolist() for k in split.counts] == [[1, 1]]
