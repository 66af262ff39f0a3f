"""What recorded routing is like, counted word for word."""

import json
from itertools import combinations

import numpy as np
import pytest
from expertcache import InputError, Trace, describe
from expertcache.command_line.parser import main
from expertcache.instances.set_law import max_entropy_law
from expertcache.studies import describe as module
from expertcache.studies.describe import whole_set_chance


@pytest.fixture
def trace():
    rng = np.random.default_rng(0)
    sequence = np.repeat(np.arange(12), 10)
    category = sequence % 3
    taste = rng.random((3, 2, 8)) * 1.5
    ids = (taste[category] + rng.random((120, 2, 8))).argsort(axis=2)[:, :, -2:]
    return Trace(ids, category, ("a", "b", "c"), True, sequence)


def loads(ids):
    return np.array([np.bincount(layer.ravel(), minlength=8) for layer in ids.swapaxes(0, 1)])


def distance(a, b):
    a, b = (loads(ids) / loads(ids).sum(axis=1, keepdims=True) for ids in (a, b))
    return np.mean([abs(a[layer] - b[layer]).sum() / 2 for layer in range(2)])


def test_every_number(trace):
    found = describe(trace)
    ids = trace.expert_ids
    assert (found.tokens, found.layers, found.top_k, found.experts) == (120, 2, 2, 8)
    assert (found.sequences, found.categories) == (12, ["a", "b", "c"])
    order = [np.argsort(-row, kind="stable") for row in loads(ids)]
    for n in range(1, 9):
        top = [set(order[layer][:n].tolist()) for layer in range(2)]
        load = np.mean([np.isin(ids[:, layer], list(top[layer])).mean() for layer in range(2)])
        whole = np.mean(
            [set(ids[t, layer].tolist()) <= top[layer] for t in range(120) for layer in range(2)]
        )
        assert found.load_share[n - 1] == pytest.approx(load)
        assert found.whole_set[n - 1] == pytest.approx(whole)
    sets = [
        sorted(np.unique(np.sort(ids[:, layer], axis=1), axis=0, return_counts=True)[1])[::-1]
        for layer in range(2)
    ]
    assert found.distinct_sets == np.mean([len(count) for count in sets])
    half = [next(n for n in range(99) if sum(count[:n]) >= 60) for count in sets]
    assert found.half_sets == np.mean(half)
    parts = [ids[trace.category == c] for c in range(3)]
    pairs = [distance(a, b) for a, b in combinations(parts, 2)]
    assert found.category_distance == pytest.approx(np.median(pairs))
    odd = trace.sequence % 2 == 1
    assert found.half_distance == pytest.approx(distance(ids[odd], ids[~odd]))
    assert (found.cache_tokens, found.cache_sizes) == (60, [2, 3, 4, 5, 6, 7])
    for static, lru, belady in zip(found.static, found.lru, found.belady, strict=True):
        assert 0 < max(static, lru) <= 1
        assert lru <= belady


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("zeros", [0, 2])
def test_whole_sets_under_the_law_of_maximum_entropy(size, zeros):
    rng = np.random.default_rng(size)
    marginals = np.sort(rng.dirichlet(np.full(7, 6.0)))[::-1] * size
    marginals = np.append(marginals, np.zeros(zeros))
    assert marginals.max() < 1
    law = max_entropy_law(marginals, size, max_sets=10**6, rng=rng)
    want = [law.probability[law.sets.max(axis=1) < n].sum() for n in range(1, 8 + zeros)]
    assert whole_set_chance(marginals, size) == pytest.approx(want, abs=1e-4)


def test_whole_sets_where_experts_are_certain():
    assert whole_set_chance(np.array([1.0, 1.0, 0.0]), 2).tolist() == [0, 1, 1]
    assert whole_set_chance(np.array([1.0, 0.75, 0.25]), 2) == pytest.approx([0, 0.75, 1])


def test_a_sample_of_whole_sequences(trace, monkeypatch):
    monkeypatch.setattr(module, "CACHE_TOKENS", 25)
    # Six sequences of ten tokens are in the second half: every third is taken.
    assert describe(trace).cache_tokens == 20


def test_without_sequences(trace):
    found = describe(Trace(trace.expert_ids, np.zeros(120, dtype=int), ("all",), False))
    assert (found.sequences, found.category_distance, found.cache_tokens) == (None, None, 60)
    ids = trace.expert_ids
    assert found.half_distance == pytest.approx(distance(ids[:60], ids[60:]))
    with pytest.raises(InputError, match="two tokens"):
        describe(Trace(ids[:1], np.zeros(1, dtype=int), ("all",), False))


def test_the_command(trace, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("trace.npz", expert_ids=trace.expert_ids, sequence=trace.sequence)
    (tmp_path / "s.json").write_text(json.dumps([{"category": "abc"[i % 3]} for i in range(12)]))
    words = ["describe", "trace.npz", "--sequences", "s.json"]
    assert main([*words, "--output", "page.html"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("120 tokens of 12 sequences, 2 layers, top-2 of 8 experts\n")
    assert "experts  share  static     lru  belady\n      2    25%" in printed
    page = (tmp_path / "page.html").read_text()
    assert "<svg" in page
    assert "<h1>trace.npz</h1>" in page
    assert printed.splitlines()[1] in page
    assert main([*words, "--output", "page.html"]) == 0
    assert page == (tmp_path / "page.html").read_text()
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["half_distance"] == describe(trace).half_distance
