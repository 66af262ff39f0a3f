"""What each engine's own loader makes of a file is the placement again.

The loaders are restated from the engines' code; each names its file and the version read.
"""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from expertcache.engines.export_placement import export_placement
from expertcache.engines.ktransformers import gpu_experts_option
from expertcache.engines.targets import TARGETS
from expertcache.problem.errors import InputError
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.placement import Placement
from hypothesis import given
from hypothesis import strategies as st

LAYERS, EXPERTS, RANKS, SLOTS = 3, 6, 4, 2


def instance_of(servers=RANKS, models=1, names=()):
    specs = tuple(Model(f"m{m}", LAYERS, EXPERTS, 2, 10) for m in range(models))
    none = np.zeros(0, dtype=np.int64)
    return Instance(
        models=specs,
        capacity_bytes=np.full(servers, 10**6),
        server_latency_s=np.ones((1, servers, models)),
        cloud_latency_s=np.ones((1, models)),
        local_latency_s=np.ones((1, models)),
        local=np.zeros((1, models * LAYERS * EXPERTS), dtype=bool),
        requests=Requests(none, none, none, np.zeros((0, 1)), np.zeros(0)),
        server_names=names,
    )


def placed(instance, cached):
    return Placement.of(instance, cached.reshape(instance.servers, instance.items))


def even(seed=0, ranks=RANKS, slots=SLOTS):
    """Every expert somewhere, equal slots: a random order of experts, dealt out."""
    rng = np.random.default_rng(seed)
    cached = np.zeros((ranks, LAYERS, EXPERTS), dtype=bool)
    for layer in range(LAYERS):
        order = np.resize(rng.permutation(EXPERTS), ranks * slots).reshape(ranks, slots)
        for rank in range(ranks):
            cached[rank, layer, order[rank]] = True
    return cached


@pytest.fixture
def exported(tmp_path):
    def export(engine, cached, name="out.json", **options):
        instance = options.pop("instance", None) or instance_of(len(cached))
        path = tmp_path / name
        usage = export_placement(instance, placed(instance, cached), path, engine=engine, **options)
        return path, usage

    return export


def ranks_of_slots(table, ranks):
    """Which rank holds what, for a map of slots [L][P]: rank r owns P / ranks of them in turn."""
    table = np.array(table)
    layers, slots = table.shape
    assert slots % ranks == 0
    held = np.zeros((ranks, layers, EXPERTS), dtype=bool)
    for layer in range(layers):
        for slot, expert in enumerate(table[layer].tolist()):
            held[slot // (slots // ranks), layer, expert] = True
    return held


@pytest.mark.parametrize("seed", range(5))
def test_sglang(exported, seed):
    # python/sglang/srt/eplb/expert_location.py at 01fec5c: the only key goes on as an argument; the
    # number of slots is that of the experts and --ep-num-redundant-experts, and divides by the
    # ranks; the inverse map, padded with -1, must have a slot for every expert.
    cached = even(seed)
    path, usage = exported("sglang", cached)
    content = json.loads(path.read_text())
    assert list(content) == ["physical_to_logical_map"]
    table = content["physical_to_logical_map"]
    words = dict(zip(usage.split()[::2], usage.split()[1::2], strict=True))
    ranks, redundant = int(words["--ep-size"]), int(words["--ep-num-redundant-experts"])
    assert {len(row) for row in table} == {EXPERTS + redundant}
    assert words["--init-expert-location"] == str(path)
    assert all(set(row) == set(range(EXPERTS)) for row in table)
    assert np.array_equal(ranks_of_slots(table, ranks), cached)


def test_sglang_counts_dense_layers(exported):
    cached = even()
    path, _ = exported("sglang", cached, dense_layers=2)
    table = json.loads(path.read_text())["physical_to_logical_map"]
    assert len(table) == LAYERS + 2
    assert all(set(row) == set(range(EXPERTS)) for row in table)
    assert np.array_equal(ranks_of_slots(table[2:], RANKS), cached)


@pytest.mark.parametrize("step", [2, 3])
def test_dense_layers_between(exported, step):
    cached, number = even(), 1 + step * np.arange(LAYERS)
    layers = {"dense_layers": 1, "layer_step": step}
    path, _ = exported("sglang", cached, **layers)
    table = json.loads(path.read_text())["physical_to_logical_map"]
    assert len(table) == number[-1] + 1
    assert all(set(row) == set(range(EXPERTS)) for row in table)
    assert np.array_equal(ranks_of_slots([table[k] for k in number], RANKS), cached)
    path, _ = exported("csv", cached, "out.csv", **layers)
    rows = pd.read_csv(path)
    for n, name in enumerate(dict.fromkeys(rows["server"])):
        mine = rows[rows["server"] == name]
        at = np.zeros((number[-1] + 1, EXPERTS), dtype=bool)
        at[mine["layer"], mine["expert"]] = True
        assert np.array_equal(at[number], cached[n])
        assert at.sum() == cached[n].sum()


def test_vllm(exported):
    # vllm-project/vllm#49572 as it describes itself: a list for each MoE layer, of equal length,
    # which holds every expert.
    cached = even(1)
    path, usage = exported("vllm", cached, dense_layers=2)
    assert np.array_equal(ranks_of_slots(json.loads(path.read_text()), RANKS), cached)
    config = json.loads(re.search(r"'(.*)'", usage)[1])
    assert config == {
        "num_redundant_experts": RANKS * SLOTS - EXPERTS,
        "initial_expert_map_path": str(path),
    }


def test_vllm_ascend(exported):
    # vllm_ascend/eplb/core/eplb_utils.py, expert_file_to_tensor: by the position of the layer among
    # the MoE layers and of the device; a rectangle.
    cached = even(2)
    path, usage = exported("vllm-ascend", cached)
    content = json.loads(path.read_text())
    assert content["moe_layer_count"] == len(content["layer_list"]) == LAYERS
    devices = np.array(
        [
            [device["device_expert"] for device in layer["device_list"]]
            for layer in content["layer_list"]
        ]
    )
    assert devices.shape == (LAYERS, RANKS, SLOTS)
    assert {layer["device_count"] for layer in content["layer_list"]} == {RANKS}
    assert np.array_equal(ranks_of_slots(devices.reshape(LAYERS, -1), RANKS), cached)
    assert json.loads(re.search(r"'(.*)'", usage)[1])["eplb_config"] == {
        "expert_map_path": str(path)
    }


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_ktransformers(exported, share):
    # kvcache-ai/sglang, python/sglang/srt/layers/moe/kt_ep_wrapper.py at 04653fa: counts of all
    # layers [steps, layers, experts], summed over the steps; the number of experts from one of the
    # two options; the highest counts of all layers; dense layers afterwards.
    torch = pytest.importorskip("torch", reason="needs the extra expertcache[torch]")
    cached = np.random.default_rng(3).random((1, LAYERS, EXPERTS)) < share
    path, usage = exported("ktransformers", cached, "out.pt", dense_layers=1)
    counts = torch.load(path, map_location="cpu", weights_only=True)["logical_count"]
    assert counts.dim() == 3
    frequency = counts.sum(dim=0).float()
    assert tuple(frequency.shape) == (LAYERS + 1, EXPERTS)
    words = usage.split()
    assert words[:4] == [
        "--kt-expert-placement-strategy", "frequency", "--init-expert-location", str(path),
    ]  # fmt: skip
    count = experts_kept(words[4:], LAYERS, EXPERTS)
    mask = torch.zeros(frequency.numel(), dtype=torch.bool)
    mask[torch.topk(frequency.view(-1), k=count, largest=True, sorted=False).indices] = True
    assert np.array_equal(mask.view(LAYERS + 1, EXPERTS)[1:].numpy(), cached[0])
    again, _ = exported("ktransformers", cached, "again.pt", dense_layers=1)
    assert again.read_bytes() == path.read_bytes()


def experts_kept(words, layers, experts):
    if words[0] == "--kt-gpu-experts-ratio":
        return int(layers * experts * float(words[1]))
    assert words[0] == "--kt-num-gpu-experts"
    return int(words[1]) * layers


@given(st.integers(1, 100), st.integers(1, 512), st.data())
def test_ktransformers_keeps_exactly_so_many(layers, experts, data):
    count = data.draw(st.integers(1, layers * experts))
    assert experts_kept(gpu_experts_option(count, layers, experts), layers, experts) == count


def test_llama_cpp(exported):
    # common/arg.cpp and src/llama-model-loader.cpp: pairs PATTERN=BUFFER between commas; of a
    # tensor's name the first pattern that is found anywhere in it counts.
    cached = np.zeros((2, LAYERS, EXPERTS), dtype=bool)
    cached[0, 1] = cached[1, 0] = True
    instance = instance_of(2, names=("CUDA0", "RPC[10.0.0.2:50052]"))
    path, usage = exported("llama.cpp", cached, "out.txt", instance=instance, dense_layers=10)
    pairs = [pair.split("=") for pair in path.read_text().rstrip("\n").split(",")]
    assert all(len(pair) == 2 for pair in pairs)

    def buffer(tensor):
        return next((name for pattern, name in pairs if re.search(pattern, tensor)), None)

    for kind in ("up", "down", "gate", "gate_up"):
        at = [buffer(f"blk.{layer}.ffn_{kind}_exps.weight") for layer in range(14)]
        assert at == [None] * 10 + ["RPC[10.0.0.2:50052]", "CUDA0", "CPU", None]
    assert buffer("blk.11.ffn_up_shexp.weight") is None
    assert buffer("blk.11.attn_q.weight") is None
    assert buffer("blk.111.ffn_up_exps.weight") is None
    assert path.read_text().strip() in usage.replace("'", "")


def test_csv(exported):
    cached = even(4)[:2]
    instance = instance_of(2, names=("a,b", 'say "x"'))
    path, usage = exported("csv", cached, "out.csv", instance=instance)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    held = np.zeros_like(cached)
    for row in rows:
        rank = instance.server_names.index(row["server"])
        held[rank, int(row["layer"]), int(row["expert"])] = True
        assert (row["model"], row["bytes"]) == ("m0", "10")
    assert (len(rows), usage) == (cached.sum(), "")
    assert np.array_equal(held, cached)


def test_one_of_several_models(exported):
    instance = instance_of(2, models=2)
    cached = np.zeros((2, 2, LAYERS, EXPERTS), dtype=bool)
    cached[:, 1] = even(5, ranks=2, slots=3)
    path, _ = exported("sglang", cached, instance=instance, model="m1")
    table = json.loads(path.read_text())["physical_to_logical_map"]
    assert np.array_equal(ranks_of_slots(table, 2), cached[:, 1])
    for model, says in ((None, "name it: m0, m1"), ("m2", "there is no 'm2'"), ("m0", "nowhere")):
        with pytest.raises(InputError, match=says):
            exported("sglang", cached, instance=instance, model=model)


NOTHING = np.zeros((RANKS, LAYERS, EXPERTS), dtype=bool)


def without(cached, *where):
    cached = cached.copy()
    cached[where] = False
    return cached


@pytest.mark.parametrize("engine", ["sglang", "vllm", "vllm-ascend"])
def test_what_expert_parallelism_lacks_is_said(engine, exported, tmp_path):
    full = np.ones((RANKS, LAYERS, EXPERTS), dtype=bool)
    cases = [
        (without(full, slice(None), 2, 5), r"expert 5 of layer 2 is nowhere; "),
        (NOTHING, r"expert 0 of layer 0 is nowhere \(and 17 more\)"),
        (without(full, 2, 1, 0), r"rank 2 \(server-2\) has 5 slots in layer 1, others 6; "),
        (without(full, 1, 0), r"rank 1 \(server-1\) has 0 slots in layer 0, others 6; "),
        (without(full, slice(None), 1, 0), r"expert 0 of layer 1 is nowhere"),
        (NOTHING[:0], "no server"),
    ]
    for cached, says in cases:
        with pytest.raises(InputError, match=says):
            exported(engine, cached)
    assert not list(tmp_path.iterdir())


def test_what_an_engine_cannot_do_is_refused(exported, tmp_path):
    part, twice = NOTHING.copy(), NOTHING.copy()
    part[1, 2, :4] = True
    twice[:2, 1] = True
    bad_name = instance_of(1, names=("GPU 0, left",))
    cases = [
        ("llama.cpp", part, {}, r"server-1 has 4 of the 6 experts of layer 2; the experts of a"),
        ("llama.cpp", twice, {}, r"layer 1 is on server-0 and server-1; a tensor has one place"),
        ("llama.cpp", NOTHING[:1], {"instance": bad_name}, r"'GPU 0, left' is no name of a buffer"),
        ("ktransformers", NOTHING, {"name": "o.pt"}, r"one GPU memory, not 4 servers"),
        ("ktransformers", NOTHING[:1], {"name": "o.pt"}, r"nothing is cached"),
        ("tgi", NOTHING, {}, r"engine: 'tgi' is none of sglang, vllm, vllm-ascend, ktransf"),
        ("sglang", even(), {"name": "o.map"}, r"o.map: sglang takes .json files"),
        ("csv", even(), {"name": "o.csv.gz"}, r"o.csv.gz: csv takes no .gz"),
        ("csv", even(), {"dense_layers": -1}, r"dense layers: must be between 0 and"),
        ("csv", even(), {"layer_step": 0}, r"layer step: must be between 1 and"),
    ]
    for engine, cached, options, says in cases:
        with pytest.raises(InputError, match=says):
            exported(engine, cached, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", TARGETS)
def test_files_of_others_stay(engine, exported, tmp_path):
    cached = np.ones((1, LAYERS, EXPERTS), dtype=bool)
    name = "out.pt" if engine == "ktransformers" else "out.json"
    if engine == "ktransformers":
        pytest.importorskip("torch", reason="needs the extra expertcache[torch]")
    for _ in range(2):
        exported(engine, cached, name)
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(InputError, match="not overwritten"):
        exported(engine, cached, name)
    assert Path(tmp_path / name).read_text() == '{"mine": 1}'
