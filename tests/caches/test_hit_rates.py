"""Hit rates against caches that are simulated token by token, and against every possible cache."""

from itertools import combinations

import numpy as np
import pytest
from expertcache.caches import hit_rates
from expertcache.caches.hit_rates import belady_hit_rate, lru_hit_rate, static_hit_rate


def routing(seed, tokens=30, layers=2, top_k=2, experts=5):
    rng = np.random.default_rng(seed)
    taste = rng.random((1, layers, experts)) * 2
    return (taste + rng.random((tokens, layers, experts))).argsort(axis=2)[:, :, -top_k:]


def naive_lru(ids, size):
    hits = 0
    for layer in ids.swapaxes(0, 1):
        stack = []
        for token in layer.tolist():
            hits += len(set(token) & set(stack[:size]))
            for expert in token:
                stack = [expert, *(e for e in stack if e != expert)]
    return hits / ids.size


def best_of_all(ids, size, experts):
    """Most hits of any cache: every content after every token."""
    total = 0
    for layer in ids.swapaxes(0, 1):
        best = {(): 0}
        for token in layer.tolist():
            after = {}
            for held, hits in best.items():
                gained = hits + len(set(token) & set(held))
                known = sorted(set(held) | set(token))
                for kept in combinations(known, min(size, len(known))):
                    after[kept] = max(after.get(kept, -1), gained)
            best = after
        total += max(best.values())
    return total / ids.size


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_lru(seed, top_k, monkeypatch):
    ids = routing(seed, top_k=top_k)
    sizes = np.arange(top_k, 6)
    want = [naive_lru(ids, size) for size in sizes]
    assert lru_hit_rate(ids, 5, sizes) == pytest.approx(want)
    # In parts of one token.
    monkeypatch.setattr(hit_rates, "_BLOCK_NUMBERS", 1)
    assert lru_hit_rate(ids, 5, sizes) == pytest.approx(want)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_no_cache_hits_more_often_than_belady(seed, top_k):
    ids = routing(seed, tokens=12, top_k=top_k)
    sizes = np.arange(top_k, 6)
    want = [best_of_all(ids, size, 5) for size in sizes]
    assert belady_hit_rate(ids, 5, sizes) == pytest.approx(want)
    assert (belady_hit_rate(ids, 5, sizes) >= lru_hit_rate(ids, 5, sizes)).all()


def test_static():
    ids, before = routing(0), routing(1)
    counts = np.array([np.bincount(layer.ravel(), minlength=5) for layer in before.swapaxes(0, 1)])
    sizes = np.arange(2, 6)
    want = [
        sum(
            np.isin(ids[:, layer], np.argsort(-counts[layer], kind="stable")[:size]).sum()
            for layer in range(2)
        )
        / ids.size
        for size in sizes
    ]
    assert static_hit_rate(ids, counts, sizes) == pytest.approx(want)
    assert want[-1] == 1
