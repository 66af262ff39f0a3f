import io
import json
import math
import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.geography import read_geography
from expertcache.instances.model_table import model_card
from expertcache.instances.scenario import Scenario
from expertcache.instances.trace import Trace, import_trace, matching_model, read_trace
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance

TOKENS, LAYERS, EXPERTS, K = 90, 3, 8, 2
CATEGORIES = ["law", "code", "law", "maths"]
#: Sequence 3 is the only one about maths; nothing is recorded of it in some tests.
SEQUENCE = np.arange(TOKENS) % 4
SCENARIO = Scenario(servers=2, users=5)


def random_ids(tokens=TOKENS, layers=LAYERS, experts=EXPERTS, top_k=K, seed=0):
    """Distinct experts in random order, low numbers more often."""
    rng = np.random.default_rng(seed)
    score = -0.4 * np.arange(experts) + rng.gumbel(size=(tokens, layers, experts))
    return np.argsort(-score, axis=2)[:, :, :top_k]


@pytest.fixture
def folder(tmp_path):
    def positions(name, count):
        rows = "".join(f"{-37.8 + i / 2000},{144.9 + i % 2 / 1000}\n" for i in range(count))
        (tmp_path / name).write_text("latitude,longitude\n" + rows)

    positions("sites.csv", 3)
    positions("points.csv", 9)
    (tmp_path / "s.json").write_text(json.dumps([{"category": c, "seq": 1} for c in CATEGORIES]))
    np.savez(tmp_path / "t.npz", expert_ids=random_ids().astype(np.uint8), sequence=SEQUENCE)
    return tmp_path


def build(folder, trace, scenario=SCENARIO, seed=0, **options):
    geography = read_geography(
        folder / "sites.csv",
        folder / "points.csv",
        servers=scenario.servers,
        users=scenario.users,
        seed=seed,
    )
    return import_trace(trace, scenario, geography, seed=seed, **options)


def rates(instance, user, layer):
    requests = instance.requests
    mine = (requests.user == user) & (requests.layer == layer)
    sets = [tuple(row) for row in requests.experts[mine].tolist()]
    assert len(set(sets)) == len(sets)
    return dict(zip(sets, requests.rate[mine].tolist(), strict=True))


def counted(ids, sequence, category, layer):
    """Shares of the sets among the tokens of a category, counted one by one."""
    sets = Counter(
        tuple(sorted(ids[t, layer].tolist()))
        for t in range(len(ids))
        if category == "all" or CATEGORIES[sequence[t]] == category
    )
    return {s: n / sets.total() for s, n in sets.items()}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rates_are_the_counted_shares(dtype, save, folder):
    ids = random_ids().astype(dtype)
    save(folder / "t.npz", expert_ids=ids, sequence=SEQUENCE.astype(dtype))
    trace = read_trace(folder / "t.npz", folder / "s.json")
    assert trace.categories == ("code", "law", "maths")
    assert trace.has_sequences
    instance = build(folder, trace)
    categories = instance.meta["trace"]["user_category"]
    for user, category in enumerate(categories):
        for layer in range(LAYERS):
            law = rates(instance, user, layer)
            want = counted(ids, SEQUENCE, category, layer)
            assert law == pytest.approx({s: p / 5 for s, p in want.items()}, rel=1e-12)
            assert math.fsum(law.values()) == pytest.approx(1 / 5, rel=1e-12)


def test_users_follow_the_categories_in_turn(folder):
    trace = read_trace(folder / "t.npz", folder / "s.json")
    orders = set()
    for seed in range(20):
        meta = build(folder, trace, SCENARIO.replace(users=7), seed=seed).meta["trace"]
        followed = meta["user_category"]
        assert sorted(followed[:3]) == ["code", "law", "maths"]
        assert followed == (followed[:3] * 3)[:7]
        tokens = {c: sum(CATEGORIES[s] == c for s in SEQUENCE) for c in CATEGORIES}
        assert meta["user_tokens"] == [tokens[c] for c in followed]
        orders.add(tuple(followed[:3]))
    assert len(orders) > 3


def test_only_recorded_categories_count(folder):
    sequence = SEQUENCE % 3
    np.savez(folder / "t.npz", expert_ids=random_ids(), sequence=sequence)
    trace = read_trace(folder / "t.npz", folder / "s.json")
    assert trace.categories == ("code", "law")
    assert [trace.categories[c] for c in trace.category] == [CATEGORIES[s] for s in sequence]


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("with_array", [True, False])
def test_without_sequences_all_users_follow_the_whole(with_file, with_array, folder):
    arrays = {"sequence": SEQUENCE} if with_array else {}
    np.savez(folder / "t.npz", expert_ids=random_ids(), **arrays)
    trace = read_trace(folder / "t.npz", folder / "s.json" if with_file else None)
    assert trace.has_sequences == with_array
    if with_file and with_array:
        assert len(trace.categories) == 3
        return
    assert trace.categories == ("all",)
    instance = build(folder, trace)
    want = counted(random_ids(), None, "all", 1)
    for user in range(5):
        law = {s: p * 5 for s, p in rates(instance, user, 1).items()}
        assert law == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("max_sets", [1, 4, 10, 1000])
def test_the_most_frequent_sets_are_kept(max_sets, folder):
    trace = read_trace(folder / "t.npz", folder / "s.json")
    whole, cut = build(folder, trace), build(folder, trace, max_sets=max_sets)
    meta = cut.meta["trace"]
    assert meta["max_sets"] == max_sets
    for layer in range(LAYERS):
        total = Counter()
        for user in range(5):
            total.update(rates(whole, user, layer))
        kept = set()
        for user in range(5):
            mine, before = rates(cut, user, layer), rates(whole, user, layer)
            kept |= mine.keys()
            # Rates stay as they are.
            assert mine == {s: before[s] for s in mine}
        for user in range(5):
            # A kept set stays with everybody who uses it.
            assert kept & rates(whole, user, layer).keys() == rates(cut, user, layer).keys()
        assert len(kept) == min(max_sets, len(total))
        dropped = [total[s] for s in total if s not in kept]
        assert min(total[s] for s in kept) >= max(dropped, default=0) - 1e-12
        share = math.fsum(total[s] for s in kept)
        assert meta["covered_share"]["layers"][layer] == pytest.approx(share)
        assert cut.requests.rate[cut.requests.layer == layer].sum() == pytest.approx(share)
    layers = meta["covered_share"]["layers"]
    assert meta["covered_share"]["mean"] == pytest.approx(np.mean(layers))
    assert (max_sets == 1000) == (meta["covered_share"]["mean"] == pytest.approx(1))


def test_less_than_one_set_is_refused(folder):
    with pytest.raises(InputError, match="max_sets: must be >= 1, got 0"):
        build(folder, read_trace(folder / "t.npz"), max_sets=0)


def test_without_a_limit_all_is_covered(folder):
    meta = build(folder, read_trace(folder / "t.npz")).meta["trace"]
    assert meta["max_sets"] is None
    assert meta["covered_share"] == {"mean": 1.0, "layers": [1.0] * LAYERS}


def test_categories_of_nobody_do_not_count(folder):
    # One user: the sets are ranked by this user's category alone.
    trace = read_trace(folder / "t.npz", folder / "s.json")
    scenario = SCENARIO.replace(users=1)
    law = rates(build(folder, trace, scenario), 0, 0)
    best = max(law.values())
    cut = rates(build(folder, trace, scenario, max_sets=1), 0, 0)
    assert list(cut.values()) == [best]


def test_instance_and_meta(folder):
    trace = read_trace(folder / "t.npz", folder / "s.json")
    instance = build(folder, trace, SCENARIO.replace(local=2), seed=4, source="t.npz")
    # The trace has 3 of the model's 32 layers, and the instance has those.
    assert (instance.models[0].name, instance.models[0].layers) == ("mixtral-8x7b", LAYERS)
    assert (instance.servers, instance.users) == (2, 5)
    assert (instance.local.sum(axis=1) == 2 * LAYERS).all()
    assert instance.meta["generator"] == "trace"
    assert instance.meta["seed"] == 4
    assert instance.meta["trace"]["source"] == "t.npz"
    assert instance.meta["trace"]["tokens"] == TOKENS
    assert instance.meta["geography"]["points"] == "points.csv"
    assert "assumed" in instance.meta
    again = build(folder, trace, SCENARIO.replace(local=2), seed=4, source="t.npz")
    assert instance_bytes(again) == instance_bytes(instance)


def test_layers_cut_the_trace(folder):
    trace = read_trace(folder / "t.npz")
    cut, whole = build(folder, trace, SCENARIO.replace(layers=2)), build(folder, trace)
    assert cut.models[0].layers == 2
    assert [rates(cut, 0, la) for la in range(2)] == [rates(whole, 0, la) for la in range(2)]
    assert set(cut.requests.layer) == {0, 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 4}, "layers: the trace has 3"),
        ({"models": ["dbrx"]}, "2 experts a layer, but dbrx has 4"),
        ({"models": ["moe-llava-qwen-1.8b"]}, "expert 7, but moe-llava-qwen-1.8b has 4"),
        ({"models": ["mixtral-8x7b", "phi-3.5-moe"]}, "one model"),
        ({"servers": 4}, "cannot draw 4"),
        ({"users": 10}, "cannot draw 10"),
    ],
)
def test_traces_that_do_not_fit(changes, message, folder):
    with pytest.raises(InputError, match=message):
        build(folder, read_trace(folder / "t.npz"), SCENARIO.replace(**changes))


@pytest.mark.parametrize(
    ("name", "experts"),
    [("gpt-oss-20b", 32), ("qwen1.5-moe-a2.7b", 33), ("mixtral-8x7b", 8), ("phi-3.5-moe", 9)],
)
def test_the_smallest_fitting_model_is_found(name, experts):
    card = model_card(name)
    ids = random_ids(5, card.layers, experts, card.top_k)
    ids[0, 0] = np.arange(experts - card.top_k, experts)
    trace = Trace(ids, np.zeros(5, dtype=np.int64), ("all",))
    assert matching_model(trace) == name


def test_models_of_one_shape_are_not_guessed():
    trace = Trace(random_ids(5, 27, 64, 6), np.zeros(5, dtype=np.int64), ("all",))
    with pytest.raises(InputError, match=r"fits deepseek-moe-16b, ernie-4\.5-21b-a3b; name one"):
        matching_model(trace)


@pytest.mark.parametrize(("layers", "top_k", "experts"), [(3, 2, 8), (32, 3, 8), (32, 2, 17)])
def test_no_model_fits(layers, top_k, experts):
    ids = random_ids(5, layers, experts, top_k)
    ids[0, 0] = np.arange(experts - top_k, experts)
    with pytest.raises(InputError, match=f"{layers} layers, top-{top_k} .*{experts} experts"):
        matching_model(Trace(ids, np.zeros(5, dtype=np.int64), ("all",)))


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def raw_zip(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("_npy", ".npy"), data)
    return stream.getvalue()


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def damaged():
    stream = io.BytesIO()
    np.savez_compressed(stream, expert_ids=random_ids(500))
    data = bytearray(stream.getvalue())
    data[300:360] = bytes(byte ^ 0xFF for byte in data[300:360])
    return bytes(data)


def claiming(shape):
    """An array that says it is larger than it is."""
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return raw_zip(expert_ids_npy=stream.getvalue() + b"\0" * 64)


IDS = random_ids()
NEGATIVE = IDS.copy()
NEGATIVE[3, 1, 0] = -1
REPEATED = IDS.copy()
REPEATED[7, 2] = 5
OBJECTS = np.array([[[{}, {}]]], dtype=object)

BROKEN = {
    "empty": (b"", ""),
    "text": (b"expert_ids\n", ""),
    "single array": (npy(IDS), "npz"),
    "pickle": (pickle.dumps({"expert_ids": 1}), ""),
    "truncated": (npz(expert_ids=IDS)[:-40], ""),
    "damaged": (damaged(), ""),
    "member without a header": (raw_zip(expert_ids=b"text"), ""),
    "member without an array": (raw_zip(expert_ids_npy=b"text"), ""),
    "absurdly large": (claiming((10**12, 30, 30)), ""),
    "too short": (claiming((100, 30, 30)), ""),
    "no array": (npz(ids=IDS), "no array 'expert_ids'"),
    "two dimensions": (npz(expert_ids=IDS[:, 0]), r"\[tokens, layers, K\]"),
    "four dimensions": (npz(expert_ids=IDS[None]), r"\[tokens, layers, K\]"),
    "floats": (npz(expert_ids=IDS.astype(float)), "whole numbers"),
    "truth values": (npz(expert_ids=IDS > 3), "whole numbers"),
    "text array": (npz(expert_ids=IDS.astype(str)), "whole numbers"),
    "no token": (npz(expert_ids=IDS[:0]), ""),
    "no layer": (npz(expert_ids=IDS[:, :0]), ""),
    "no expert": (npz(expert_ids=IDS[:, :, :0]), ""),
    "negative": (npz(expert_ids=NEGATIVE), "negative"),
    "repeated": (npz(expert_ids=REPEATED), r"expert_ids\[7, 2\].*repeated"),
    "objects": (raw_zip(expert_ids_npy=npy(OBJECTS, allow_pickle=True)), "plain arrays"),
    "sequence of objects": (
        raw_zip(expert_ids_npy=npy(IDS), sequence_npy=npy(OBJECTS, allow_pickle=True)),
        "plain arrays",
    ),
    "sequence too short": (npz(expert_ids=IDS, sequence=SEQUENCE[:-1]), "sequence"),
    "sequence of pairs": (npz(expert_ids=IDS, sequence=np.zeros((TOKENS, 1), int)), "sequence"),
    "sequence of floats": (npz(expert_ids=IDS, sequence=SEQUENCE / 1.0), "sequence"),
    "sequence out of range": (npz(expert_ids=IDS, sequence=SEQUENCE + 1), "4 sequences only"),
    "sequence negative": (npz(expert_ids=IDS, sequence=SEQUENCE - 1), "sequence"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_traces(kind, folder):
    data, message = BROKEN[kind]
    (folder / "t.npz").write_bytes(data)
    with pytest.raises(InputError, match=rf"t\.npz: .*{message}"):
        read_trace(folder / "t.npz", folder / "s.json")


def test_pickles_are_not_run(folder):
    class Bomb:
        def __reduce__(self):
            return (folder.joinpath("ran").write_text, ("x",))

    bomb = np.empty((1, 1, 1), dtype=object)
    bomb[0, 0, 0] = Bomb()
    for data in (
        raw_zip(expert_ids_npy=npy(bomb, allow_pickle=True)),
        npy(bomb, allow_pickle=True),
        pickle.dumps(Bomb()),
    ):
        (folder / "t.npz").write_bytes(data)
        with pytest.raises(InputError):
            read_trace(folder / "t.npz")
    assert not (folder / "ran").exists()


def test_missing_trace(folder):
    with pytest.raises(InputError, match="nothing"):
        read_trace(folder / "nothing.npz")


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", "3", "[]", '["law"]', '[{"name": "law"}]', '[{"category": 3}]', "[null]"],
)
def test_broken_sequences(text, folder):
    (folder / "s.json").write_text(text)
    with pytest.raises(InputError, match=r"s\.json"):
        read_trace(folder / "t.npz", folder / "s.json")


@pytest.fixture
def command(folder):
    def command(*more, trace="t.npz"):
        options = {"--sites": "sites.csv", "--points": "points.csv", "--output": "x.json"}
        paths = [part for key, name in options.items() for part in (key, str(folder / name))]
        counts = ["--servers", "2", "--users", "4", "--seed", "3"]
        return main(["import", "trace", str(folder / trace), *paths, *counts, *more])

    return command


def test_command_line(folder, command, capsys):
    status = command(
        "--sequences", str(folder / "s.json"), "--model", "mixtral-8x7b", "--set", "cloud_s=0.5",
        "--set", "user_power_dbm=-3", "--sets", "6", "--local", "1", "--radius", "200",
        "--capacity", "0.5", "--layers", "2", "--precision", "fp8", "--name", "mine",
    )  # fmt: skip
    assert status == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("wrote ")
    assert captured.err == ""
    instance = read_instance(folder / "x.json")
    scenario = SCENARIO.replace(
        models=["mixtral-8x7b"], users=4, cloud_s=0.5, user_power_dbm=-3, local=1,
        radius_m=200, capacity=0.5, layers=2, precision="fp8",
    )  # fmt: skip
    trace = read_trace(folder / "t.npz", folder / "s.json")
    want = build(folder, trace, scenario, seed=3, max_sets=6, source="t.npz", name="mine")
    assert instance_bytes(instance) == instance_bytes(want)
    assert instance.meta["scenario"]["cloud_s"] == 0.5
    assert (instance.cloud_latency_s > 1).all()


def test_the_command_finds_the_model(folder, command):
    ids = random_ids(20, 24, 32, 4)
    ids[0, 0] = [28, 29, 30, 31]
    np.savez(folder / "t.npz", expert_ids=ids)
    assert command("--layers", "1") == 0
    assert read_instance(folder / "x.json").models[0].name == "gpt-oss-20b"


def test_the_command_notes_missing_sequences(folder, command, capsys):
    np.savez(folder / "t.npz", expert_ids=random_ids())
    assert command("--model", "mixtral-8x7b", "--sequences", str(folder / "s.json")) == 0
    assert capsys.readouterr().err.startswith("note: ")


@pytest.mark.parametrize(
    "more",
    [
        [],  # no model of the table has 3 layers
        ["--model", "mixtral-8x7b", "--sets", "0"],
        ["--model", "mixtral-8x7b", "--set", "cloud_s=soon"],
        ["--model", "mixtral-8x7b", "--set", "clouds=1"],
        ["--model", "dbrx"],
        ["--model", "mixtral-8x7b", "--users", "10"],
    ],
)
def test_the_command_refuses_in_one_line(more, folder, command, capsys):
    assert command(*more) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not (folder / "x.json").exists()
