from types import SimpleNamespace

import numpy as np
import pytest
from expertcache.configuration.knapsacks import Knapsacks
from expertcache.responses.layer_knapsack import split_capacity
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=300)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True),
    kind=st.sampled_from(["any", "whole", "by bytes"]),
)
def test_every_server_gets_its_best_cache(seed, sizes, kind):
    rng = np.random.default_rng(seed)
    item_bytes = np.repeat(sorted(sizes), rng.integers(1, 8, len(sizes)))
    capacity = rng.integers(0, item_bytes.sum() + 2, 3)
    values = rng.normal(size=(3, len(item_bytes))) + 0.5
    if kind == "whole":
        values = rng.integers(-1, 6, values.shape).astype(float)
    elif kind == "by bytes":
        values = np.tile(item_bytes.astype(float), (3, 1))
    instance = SimpleNamespace(item_bytes=item_bytes, capacity_bytes=capacity)
    packed = Knapsacks(instance).best(values)
    assert (packed.chosen @ item_bytes <= capacity).all()
    assert (packed.chosen * values).sum(axis=1) == pytest.approx(packed.value)
    assert (packed.relaxed >= packed.value).all()
    for n in range(3):
        gains = []
        for size in np.unique(item_bytes):
            best_first = np.sort(np.maximum(values[n][item_bytes == size], 0))[::-1]
            gains.append(np.append(0, np.cumsum(best_first))[None])
        best = split_capacity(gains, sorted(sizes), int(capacity[n])).value
        assert packed.value[n] == pytest.approx(best, abs=1e-9)
        alone = Knapsacks(instance).best(values[n][None], [n])
        assert (alone.chosen[0] == packed.chosen[n]).all()


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6))
def test_forcing_an_expert_loses_what_the_price_says(seed):
    """Reduced costs against the continuous knapsack, which `closing.fixed` relies on."""
    rng = np.random.default_rng(seed)
    item_bytes = np.repeat([3, 7], [3, 3])
    capacity = rng.integers(3, 30, 1)
    values = rng.random((1, 6))
    instance = SimpleNamespace(item_bytes=item_bytes, capacity_bytes=capacity)
    packed = Knapsacks(instance).best(values)
    sets = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)
    sets = sets[sets @ item_bytes <= capacity[0]]
    worth = sets @ values[0]
    net = values[0] - packed.price[0] * item_bytes
    for i in range(6):
        other = sets[:, i] != (net[i] > 0)
        if other.any():
            assert worth[other].max() <= packed.relaxed[0] - abs(net[i]) + 1e-9
