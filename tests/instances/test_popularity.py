import json

import numpy as np
import pytest
from expertcache.instances.geography import read_geography
from expertcache.instances.popularity import (
    LAW,
    import_popularity,
    matching_popularity_model,
    read_popularity,
)
from expertcache.instances.scenario import Scenario
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance, write_instance
from hypothesis import given, settings
from hypothesis import strategies as st

COUNTS = [[4, 3, 3, 2, 2, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1]]
SCENARIO = Scenario(servers=2, users=3)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "c.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def build(counts, scenario=SCENARIO, seed=0, **options):
    tables = [np.array(table, dtype=float) for table in counts]
    names = [f"{i}.json" for i in range(len(tables))]
    return import_popularity(tables, names, scenario, seed=seed, **options)


def marginals(instance, user, layer):
    """How often each expert is in a set, for one user and layer, counted row by row."""
    requests = instance.requests
    total = np.zeros(instance.models[0].experts)
    for r in np.flatnonzero((requests.user == user) & (requests.layer == layer)):
        for expert in requests.experts[r]:
            if expert >= 0:
                total[expert] += requests.rate[r]
    return total * instance.users


def assert_reproduced(instance, counts, top_k):
    for user in range(instance.users):
        table = np.array(counts[user % len(counts)], dtype=float)
        for layer in range(instance.models[0].layers):
            want = top_k * table[layer] / table[layer].sum()
            assert np.allclose(marginals(instance, user, layer), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [
        COUNTS,
        {"expert_popularity": COUNTS},
        {"total_input_tokens": 8, "expert_popularity": COUNTS, "more": [1]},
        [[float(c) for c in row] for row in COUNTS],
    ],
)
def test_both_shapes(content, write):
    table = read_popularity(write(content))
    assert table.dtype == np.float64
    assert table.tolist() == COUNTS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ""),
        ("[1, 2", ""),
        ("3", ""),
        ({"popularity": COUNTS}, "expert_popularity"),
        ({"expert_popularity": 3}, "expert_popularity"),
        ([], "no counts"),
        ([[]], "no counts"),
        ({"expert_popularity": []}, "no counts"),
        ([1, 2], ""),
        ([[1, "2"]], ""),
        ([[1, None]], ""),
        ("[[1, NaN]]", ""),
        ("[[1, 1e999]]", ""),
        ("[[1e308, 1e308, 1e308]]", "layer 0"),
        ([[1, 2], [1]], "layer 1: expected 2 counts, got 1"),
        ([[1, 2], []], "layer 1"),
        ([[1, 2], [3, -1]], "layer 1"),
        ([[1, 2], [0, 0]], "layer 1"),
    ],
)
def test_broken_counts(content, message, write):
    with pytest.raises(InputError, match=rf"c\.json: .*{message}"):
        read_popularity(write(content))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_popularity(tmp_path / "nothing.json")


def test_counts_become_marginals():
    instance = build([COUNTS])
    assert instance.models[0].layers == 2
    assert_reproduced(instance, [COUNTS], 2)


def test_users_take_turns_with_the_files():
    reverse = [row[::-1] for row in COUNTS]
    instance = build([COUNTS, reverse], SCENARIO.replace(users=5))
    assert_reproduced(instance, [COUNTS, reverse], 2)
    popularity = instance.meta["popularity"]
    assert popularity["sources"] == ["0.json", "1.json"]
    assert popularity["user_source"] == ["0.json", "1.json", "0.json", "1.json", "0.json"]


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    model=st.sampled_from(["switch-base-8", "mixtral-8x7b", "dbrx", "gpt-oss-20b", "olmoe-1b-7b"]),
    max_sets=st.sampled_from([40, 300]),
)
def test_marginals_are_reproduced_where_the_sets_are_drawn_too(seed, model, max_sets):
    scenario = SCENARIO.replace(models=(model,), users=2, max_sets=max_sets)
    card = scenario.cards()[0]
    counts = np.random.default_rng(seed).poisson(30, (2, card.experts)).tolist()
    assert_reproduced(build([counts], scenario, seed), [counts], card.top_k)


def test_rates_of_each_layer_sum_to_1():
    instance = build([COUNTS])
    for layer in range(2):
        total = instance.requests.rate[instance.requests.layer == layer].sum()
        assert total == pytest.approx(1, abs=1e-6)


def test_an_expert_of_every_token_and_one_of_none():
    instance = build([[[5, 3, 1, 1, 0, 0, 0, 0]]])
    experts = instance.requests.experts
    assert (experts == 0).any(axis=1).all()
    assert experts.max() == 3


def test_the_law_is_told(tmp_path):
    instance = build([COUNTS], seed=5)
    write_instance(instance, tmp_path / "x.json")
    meta = read_instance(tmp_path / "x.json").meta
    assert meta["law"] == LAW
    assert "assumed" in LAW
    assert "maximum-entropy" in LAW
    assert meta["generator"] == "popularity"
    assert meta["seed"] == 5
    assert meta["scenario"]["models"] == ["mixtral-8x7b"]


def test_equal_seeds_give_equal_bytes():
    assert instance_bytes(build([COUNTS], seed=1)) == instance_bytes(build([COUNTS], seed=1))
    assert instance_bytes(build([COUNTS], seed=1)) != instance_bytes(build([COUNTS], seed=2))


def test_layers_cut_the_counts():
    assert_reproduced(build([COUNTS], SCENARIO.replace(layers=1)), [COUNTS], 2)
    assert build([COUNTS], SCENARIO.replace(layers=1)).models[0].layers == 1


@pytest.mark.parametrize(
    ("counts", "changes", "message"),
    [
        ([[[9, 1, 1, 1, 1, 1, 1, 1]]], {}, r"0\.json: layer 0: expert 0 .* 1\.125 sets"),
        ([COUNTS, [COUNTS[0], [8, 1, 1, 1, 1, 1, 1, 1]]], {}, r"1\.json: layer 1: expert 0"),
        ([[[1, 1, 1, 1]]], {}, "4 experts, but mixtral-8x7b has 8"),
        ([COUNTS, [[1] * 16] * 2], {}, "16 experts, but mixtral-8x7b has 8"),
        ([COUNTS], {"layers": 3}, "layers: the counts have 2"),
        ([COUNTS, COUNTS[:1]], {}, "layers: the counts have 1"),
        ([COUNTS], {"models": ["mixtral-8x7b", "dbrx"]}, "one model"),
        ([], {}, "at least one"),
    ],
)
def test_counts_that_do_not_fit(counts, changes, message):
    with pytest.raises(InputError, match=message):
        build(counts, SCENARIO.replace(**changes))


def test_each_file_needs_a_name():
    with pytest.raises(InputError, match="name"):
        import_popularity([np.array(COUNTS, dtype=float)], [], SCENARIO, seed=0)


def test_at_recorded_sites(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("latitude,longitude\n1,2\n1.001,2\n1,2.001\n")
    instance = build([COUNTS], geography=read_geography(path, path))
    assert (instance.servers, instance.users) == (3, 3)
    assert instance.meta["geography"]["sites"] == "p.csv"
    assert_reproduced(instance, [COUNTS], 2)


def test_absurd_numbers_of_users_are_refused_before_anything_is_drawn(monkeypatch):
    def refuse(*_):
        raise AssertionError("drawing began")

    monkeypatch.setattr(np.random, "default_rng", refuse)
    # 28 sets * 2 layers * 1e9 users.
    with pytest.raises(InputError, match="limit"):
        build([COUNTS], SCENARIO.replace(users=10**9))


def test_the_model_is_found_where_only_one_fits():
    assert matching_popularity_model(np.ones((32, 8))) == "mixtral-8x7b"
    assert matching_popularity_model(np.ones((24, 60))) == "qwen1.5-moe-a2.7b"
    with pytest.raises(InputError, match="fits no known model"):
        matching_popularity_model(np.ones((3, 8)))
    # gpt-oss-20b and Granite 1b both have 24 layers of 32 experts, with different top-k.
    with pytest.raises(InputError, match=r"gpt-oss-20b.*granite-3\.0-1b"):
        matching_popularity_model(np.ones((24, 32)))
