import json

import numpy as np
import pandas as pd
import pytest
from expertcache.caches.arrivals import arrivals
from expertcache.caches.policies import find_policy
from expertcache.caches.simulation import simulate
from expertcache.command_line.parser import main
from expertcache.instances.geography import read_geography
from expertcache.instances.scenario import Scenario
from expertcache.instances.trace import import_trace, read_trace
from expertcache.instances.trace_split import split_trace
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import solve
from expertcache.studies.replay import NODES, replay

LAYERS, EXPERTS, K = 3, 8, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """300 tokens in 12 sequences of three categories, and one of a category of its own."""
    path = tmp_path_factory.mktemp("recorded")
    rng = np.random.default_rng(3)
    sequence = np.sort(rng.integers(0, 13, 300))
    ids = (rng.random((300, LAYERS, EXPERTS)) ** (1 + sequence[:, None, None] % 3)).argsort(axis=2)
    np.savez(path / "t.npz", expert_ids=ids[:, :, :K], sequence=sequence)
    rows = [{"category": "only" if s == 12 else f"c{s % 3}"} for s in range(13)]
    (path / "s.json").write_text(json.dumps(rows))
    for name in ("sites", "points"):
        lines = ["latitude,longitude"]
        lines += [f"{-37.8 + 0.003 * y:.6f},{144.9 + 0.003 * x:.6f}" for x, y in rng.random((9, 2))]
        (path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trace(folder):
    return read_trace(folder / "t.npz", folder / "s.json")


def made(folder, trace, **more):
    scenario = Scenario(
        models=("mixtral-8x7b",), layers=LAYERS, servers=3, users=5, local=1, capacity=0.3
    )
    sites, points = folder / "sites.csv", folder / "points.csv"
    geography = read_geography(sites, points, servers=3, users=5, seed=4)
    return import_trace(trace, scenario, geography, seed=4, **more)


def test_a_split_is_by_sequences_and_by_category(trace):
    train, test = (split_trace(trace, 0.3, 7, part) for part in ("train", "test"))
    assert train.categories == test.categories == ("c0", "c1", "c2")
    assert not set(train.sequence) & set(test.sequence)
    whole = np.flatnonzero(trace.sequence != 12)
    assert len(train.category) + len(test.category) == len(whole)
    for part in (train, test):
        assert set(part.category) == {0, 1, 2}
        for number in range(3):
            mine = part.sequence[part.category == number]
            assert set(mine % 3) == {number}
    again = split_trace(trace, 0.3, 7, "test")
    assert np.array_equal(again.expert_ids, test.expert_ids)
    assert not np.array_equal(split_trace(trace, 0.3, 8, "test").sequence, test.sequence)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_bad_shares_are_refused(trace, share):
    with pytest.raises(InputError, match="test share"):
        split_trace(trace, share, 0, "train")


def test_a_trace_without_sequences_cannot_be_split(folder, tmp_path):
    np.savez(tmp_path / "t.npz", expert_ids=np.load(folder / "t.npz")["expert_ids"])
    with pytest.raises(InputError, match="sequences"):
        split_trace(read_trace(tmp_path / "t.npz"), 0.2, 0, "train")


def test_replaying_what_was_optimised_gives_the_expected_latency(folder, trace):
    train = split_trace(trace, 0.3, 4, "train")
    instance = made(folder, train)
    for method in ("cloud-only", "random", "successive"):
        placement = solve(instance, method).placement
        walked = replay(instance, placement, train)
        assert walked.mean_s == pytest.approx(evaluate(instance, placement).latency_s, rel=1e-9)
        assert sum(walked.hit_share.values()) == pytest.approx(1)
        assert walked.users["mean_s"].mean() == pytest.approx(walked.mean_s)
        assert walked.percentile_s["p50"] <= walked.percentile_s["p95"]


def test_against_a_walk_token_by_token(folder, trace):
    test = split_trace(trace, 0.3, 4, "test")
    instance = made(folder, split_trace(trace, 0.3, 4, "train"))
    placement = solve(instance, "random", seed=2).placement
    cached = placement.cached(instance)
    walked = replay(instance, placement, test)
    for user in range(instance.users):
        category = instance.meta["trace"]["user_category"][user]
        latencies, nodes = [], dict.fromkeys(NODES, 0)
        home = instance.server_latency_s[user, :, 0].argmin()
        for token in test.expert_ids[test.category == test.categories.index(category)]:
            total = 0.0
            for layer, experts in enumerate(token):
                slowest = 0.0
                for expert in experts:
                    item = instance.item(0, layer, int(expert))
                    ways = [(instance.cloud_latency_s[user, 0], 3)]
                    if instance.local[user, item]:
                        ways.append((instance.local_latency_s[user, 0], 0))
                    for n in range(instance.servers):
                        if cached[n, item]:
                            way = instance.server_latency_s[user, n, 0]
                            ways.append((way, 1 if n == home else 2))
                    latency, node = min(ways)
                    nodes[NODES[node]] += 1
                    slowest = max(slowest, latency)
                total += slowest
            latencies.append(total)
        row = walked.users.iloc[user]
        assert (row["category"], row["tokens"]) == (category, len(latencies))
        assert row["mean_s"] == pytest.approx(np.mean(latencies))
        ordered = sorted(latencies)
        assert row["p95_s"] == pytest.approx(ordered[-(-95 * len(ordered) // 100) - 1])
        for name, count in nodes.items():
            assert row[name] == pytest.approx(count / (len(latencies) * LAYERS * K))


def test_caches_that_do_not_react_are_a_placement(folder, trace):
    """The static part alone, walked token by token, gives what `replay` gives."""
    instance = made(folder, split_trace(trace, 0.3, 4, "train"))
    test = split_trace(trace, 0.3, 4, "test")
    placement = solve(instance, "successive").placement
    used = placement.cached(instance) @ instance.item_bytes
    full = instance.replace(capacity_bytes=used)
    want = replay(full, placement, test)
    arriving = arrivals(test, instance.meta["trace"]["user_category"], np.random.default_rng(0))
    walked = simulate(
        full, find_policy("lru"), test.expert_ids, arriving, window=9,
        static=placement.cached(instance),
    )  # fmt: skip
    for user in range(instance.users):
        mean = walked.latency_s[walked.user == user].mean()
        assert mean == pytest.approx(want.users["mean_s"][user])
    assert walked.hits.sum() / walked.asked.sum() == pytest.approx(want.hit_rate)
    share = walked.served / walked.served.sum(axis=1, keepdims=True)
    assert share.mean(axis=0) == pytest.approx([want.hit_share[name] for name in NODES])
    assert walked.fetched_bytes == 0


def test_arrivals(trace):
    names = ["c0", "c1", "c1"]
    token, user = arrivals(trace, names, np.random.default_rng(0))
    for number, name in enumerate(names):
        mine = token[user == number]
        assert sorted(mine) == np.flatnonzero(trace.category == int(name[1])).tolist()
        # Whole sequences, one after the other, their tokens in order.
        sequence = trace.sequence[mine]
        assert (np.diff(sequence) != 0).sum() == len(set(sequence)) - 1
        assert all((np.diff(mine)[np.diff(sequence) == 0]) > 0)
        # Spread over the whole time.
        assert np.diff(np.flatnonzero(user == number)).max() < 3 * len(user) / len(mine)
    assert not np.array_equal(token[user == 1], token[user == 2])
    with pytest.raises(InputError, match="category"):
        arrivals(trace, ["c9"], np.random.default_rng(0))


def test_what_does_not_fit_is_refused(folder, trace, two_servers):
    instance = made(folder, trace)
    with pytest.raises(InputError, match="not made from a trace"):
        replay(two_servers, Placement.empty(), trace)
    one = split_trace(trace, 0.3, 4, "test")
    with pytest.raises(InputError, match="category"):
        replay(instance, Placement.empty(), one)


def test_on_the_command_line(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    made_by = ["import", "trace", "t.npz", "--sequences", "s.json", "--sites", "sites.csv"]
    made_by += ["--points", "points.csv", "--model", "mixtral-8x7b", "--layers", "3"]
    made_by += ["--servers", "3", "--users", "5", "--test-share", "0.3"]
    train, split = str(tmp_path / "train.json"), str(tmp_path / "test.json")
    assert main([*made_by, "--output", train]) == 0
    assert main([*made_by, "--part", "test", "--output", split]) == 0
    solution = str(tmp_path / "s.json")
    assert main(["solve", train, "--method", "successive", "--output", solution]) == 0
    capsys.readouterr()
    words = ["replay", train, solution, "--trace", "t.npz", "--sequences", "s.json"]
    users = tmp_path / "users.csv"
    assert main([*words, "--json", "--users", str(users)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert set(row) >= {"expected_s", "replayed_s", "p50_s", "p95_s", "p99_s", *NODES}
    assert len(pd.read_csv(users)) == 5
    assert main([*words, "--part", "train", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["replayed_s"] == pytest.approx(row["expected_s"], rel=1e-9)
    both = ["--policies", "lru,belady,window,successive+lfu", "--seed", "3"]
    assert main([*words, *both, "--json"]) == 0
    shown = capsys.readouterr().out
    rows = json.loads(shown)
    assert [row["placement"] for row in rows[1:]] == both[1].split(",")
    assert rows[0]["fetched_bytes"] == 0
    assert rows[0]["seed"] is None
    assert all(row["seed"] == 3 and row["expected_s"] is None for row in rows[1:])
    assert rows[2]["hit_rate"] >= rows[1]["hit_rate"]
    assert rows[1]["warming_tokens"] > rows[2]["warming_tokens"] == 0
    assert main([*words, *both, "--json"]) == 0
    assert capsys.readouterr().out == shown
    assert main([*words, "--static-share", "0.2"]) == 2
    assert (
        capsys.readouterr().err
        == "error: replay: --static-share is for --policies, and there are none\n"
    )
    del words[2]
    for wrong in ([], ["--policies", "mru"], ["--policies", "lru", "--window", "0"]):
        assert main([*words, *wrong]) == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert main([*words, "--policies", "lru", "--part", "all"]) == 0
    words.insert(2, solution)
    # An instance that was not split has no test part.
    assert main([*made_by[:-2], "--output", train]) == 0
    capsys.readouterr()
    assert main(words) == 2
    # Below a warning: the solution was made for the instance that was split.
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: replay")
    assert main([*words, "--part", "all"]) == 0
