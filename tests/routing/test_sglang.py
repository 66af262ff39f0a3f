"""SGLang: responses and files of its recorder, laid out as its code writes them.

sgl-project/sglang 02295fe, python/sglang/srt/eplb/expert_distribution.py: `_DetailAccumulator`,
`_StatAccumulator` and `_DetailSinglePassGatherer`. Responses: base64 of int32 numbers [prompt +
generated - 1, all layers, K] in meta_info.
"""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError, import_routing, read_popularity


def response(ids, dtype=None):
    """What /generate answers; a dense layer is never written in the buffer of zeros."""
    text = base64.b64encode(ids.astype(dtype or np.int32).tobytes()).decode()
    more = {} if dtype is None else {"routed_experts_dtype": dtype}
    return {
        "text": "x",
        "meta_info": {"id": "a", "prompt_tokens": 3, "routed_experts": text} | more,
    }


def with_dense(ids):
    return np.concatenate([np.zeros_like(ids[:, :1]), ids], axis=1)


@pytest.mark.parametrize("dtype", [None, "uint8", "int16"])
def test_responses(dtype, routed, imported):
    parts = [routed(6, seed=seed) for seed in range(3)]
    rows = [response(with_dense(ids), dtype) for ids in parts]
    Path("r.json").write_text(json.dumps(rows))
    trace, summary = imported("r.json", layers=4, top_k=2)
    assert (trace.expert_ids == np.concatenate(parts)).all()
    assert trace.sequence.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert summary.dense_layers == 1
    assert str(summary).endswith("left out: 1 layers that route nothing")


@pytest.mark.parametrize("key", ["sglext", "sgl_ext"])
@pytest.mark.parametrize("place", ["response", "choice"])
def test_the_interface_of_openai(key, place, routed, imported):
    ids = routed(6)
    holder = {key: {"routed_experts": response(ids)["meta_info"]["routed_experts"]}}
    choice = {"index": 0, "text": "x"}
    row = {"choices": [choice | holder]} if place == "choice" else {"choices": [choice]} | holder
    Path("r.json").write_text(json.dumps(row))
    assert (imported("r.json", layers=3, top_k=2)[0].expert_ids == ids).all()


#: 2 redundant experts: expert 0 and expert 1 have two slots in each layer.
SLOTS = 10


def slot_map(layers):
    return np.array([np.roll([*range(8), 0, 1], layer) for layer in range(layers)])


def recorded(torch, ids, seed=0):
    """A record of one forward pass: slots [layers, tokens, 8], padded with -1."""
    tokens, layers, _ = ids.shape
    rng, expert_of = np.random.default_rng(seed), slot_map(layers)
    slots = np.full((layers, tokens, 8), -1)
    for token, layer, k in np.ndindex(ids.shape):
        if ids[token, layer, k] >= 0:
            slots[layer, token, k] = rng.choice(
                np.flatnonzero(expert_of[layer] == ids[token, layer, k])
            )
    return {
        "forward_pass_id": 7,
        "rank": 0,
        "gatherer_key": "primary",
        "input_ids": list(range(tokens)),
        "positions": list(range(tokens)),
        "extend_seq_lens": [tokens],
        "forward_mode": 1,
        "topk_ids_of_layer": torch.tensor(slots, dtype=torch.int32),
        "misc_objects": [],
        "global_physical_count": torch.zeros((layers, SLOTS), dtype=torch.int32),
    }


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs the extra expertcache[torch]")


def test_per_token(torch, routed, imported):
    parts = [routed(5, layers=4, seed=seed) for seed in range(3)]
    for ids in parts:
        ids[:, 0] = -1
    content = {
        "records": [recorded(torch, ids, seed) for seed, ids in enumerate(parts)],
        "last_physical_to_logical_map": torch.tensor(slot_map(4)),
    }
    torch.save(content, "expert_distribution_recorder_1.5_0.pt")
    trace, summary = imported("expert_distribution_recorder_1.5_0.pt")
    assert (trace.expert_ids == np.concatenate(parts)[:, 1:]).all()
    assert (trace.has_sequences, summary.sequences, summary.dense_layers) == (False, None, 1)


def test_stat_is_summed_over_its_steps(torch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A ring of 1000 steps, of which 2 were written; the first layer is dense.
    count = np.zeros((1000, 3, 4), dtype=np.int32)
    count[:2, 1:] = np.random.default_rng(0).integers(1, 9, (2, 2, 4))
    content = {
        "rank": 0,
        "logical_count": torch.tensor(count),
        "average_utilization_rate_over_window": None,
    }
    torch.save(content, "stat.pt")
    summary = import_routing(["stat.pt", "stat.pt"], "counts.json")
    assert (read_popularity("counts.json") == 2 * count.sum(axis=0)[1:]).all()
    assert str(summary) == (
        "counts of 2 layers of 4 experts\nleft out: 1 layers that route nothing"
    )


def test_per_pass_counts_slots(torch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slots = np.random.default_rng(0).integers(0, 9, (2, 3, SLOTS))
    content = {
        "records": [
            {
                "forward_pass_id": i,
                "rank": 0,
                "gatherer_key": "primary",
                "global_physical_count": torch.tensor(one, dtype=torch.int32),
            }
            for i, one in enumerate(slots)
        ],
        "last_physical_to_logical_map": torch.tensor(slot_map(3)),
    }
    torch.save(content, "pass.pt")
    import_routing(["pass.pt"], "counts.json")
    want = np.zeros((3, 8))
    for layer, slot in np.ndindex(3, SLOTS):
        want[layer, slot_map(3)[layer, slot]] += slots[:, layer, slot].sum()
    assert (read_popularity("counts.json") == want).all()


class _Harmful:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_nothing_is_unpickled(torch, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"records": [_Harmful()]}, "bad.pt")
    with pytest.raises(InputError, match="nothing else is unpickled"):
        import_routing(["bad.pt"], "trace.npz")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"records": []}, "neither logical_count nor records"),
        ({"records": [1]}, "expected objects"),
        ({"last_physical_to_logical_map": None}, "last_physical_to_logical_map"),
        ({"slots": 10}, "slots 0 to 9"),
        ({"slots": -2}, "slots 0 to 9"),
        ({"layers": 2}, "the map has 3"),
        ({"dtype": "float32"}, "whole numbers"),
    ],
)
def test_broken_records(change, says, torch, routed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = recorded(torch, routed(4))
    content = {"records": [record], "last_physical_to_logical_map": torch.tensor(slot_map(3))}
    if "slots" in change:
        record["topk_ids_of_layer"][1, 2, 1] = change["slots"]
    elif "layers" in change:
        record["topk_ids_of_layer"] = record["topk_ids_of_layer"][:2].clone()
    elif "dtype" in change:
        record["topk_ids_of_layer"] = record["topk_ids_of_layer"].to(torch.float32)
    else:
        content |= change
    torch.save(content, "bad.pt")
    with pytest.raises(InputError, match=says):
        import_routing(["bad.pt"], "trace.npz")


def test_without_torch_the_extra_is_named(refused, monkeypatch):
    # None in sys.modules is a module that cannot be imported.
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    Path("x.pt").write_bytes(b"PK\x03\x04")
    refused("import", "routing", "x.pt", "--output", "t.npz", says="expertcache[torch]")
