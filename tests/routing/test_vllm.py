"""vLLM: arrays and responses, laid out as its documentation and its example say.

0.21: docs/training/routed_experts_replay.md (v0.21.0). 0.22 and later: rows of prompt + generated
- 1 tokens as in examples/rl/routed_experts_e2e.py, over HTTP base64 of an .npy file.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError


def saved(ids):
    stream = io.BytesIO()
    np.save(stream, ids)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", ">i4"])
def test_an_array_is_one_sequence(dtype, routed, imported):
    ids = routed(40)
    Path("one.npy").write_bytes(saved(ids.astype(dtype)))
    trace, summary = imported("one.npy")
    assert (trace.expert_ids == ids).all()
    assert (trace.expert_ids.dtype, trace.sequence.tolist()) == (np.uint8, [0] * 40)
    assert str(summary) == "40 tokens of 1 sequences, 3 layers, top-2, experts 0 to 7"


def test_version_1_2_3_headers(routed, imported):
    ids = routed(5).astype(np.int32)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open("v.npy", "wb") as file:  # noqa: PTH123
            np.lib.format.write_array(file, ids, version=version)
        trace, _ = imported("v.npy")
        assert (trace.expert_ids == ids).all()


def test_an_array_larger_than_a_block(routed, imported, monkeypatch):
    monkeypatch.setattr("expertcache.routing.numpy_file.BLOCK_NUMBERS", 50)
    ids = routed(101)
    Path("one.npy").write_bytes(saved(ids))
    assert (imported("one.npy")[0].expert_ids == ids).all()


def test_a_cached_prefix_is_left_out(routed, imported):
    ids = routed(10)
    ids[:4] = -1
    Path("one.npy").write_bytes(saved(ids))
    trace, summary = imported("one.npy")
    assert (trace.expert_ids == ids[4:]).all()
    assert summary.unrouted_tokens == 4
    assert "left out: 4 tokens that no layer routed (padding, cached prefix)" in str(summary)


def response_0_21(prompt, *choices):
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "prompt_routed_experts": None if prompt is None else prompt.tolist(),
        "choices": [
            {"index": i, "text": "x", "routed_experts": None if ids is None else ids.tolist()}
            for i, ids in enumerate(choices)
        ],
        "usage": {"prompt_tokens": 3},
    }


def test_nested_lists_of_0_21(routed, imported):
    prompt, first, second = routed(3), routed(4, seed=1), routed(5, seed=2)
    Path("r.json").write_text(json.dumps(response_0_21(prompt, first, second), indent=1))
    trace, summary = imported("r.json")
    assert (trace.expert_ids == np.concatenate([prompt, first, second])).all()
    assert trace.sequence.tolist() == [0] * 7 + [1] * 5
    assert summary.sequences == 2


def test_a_preempted_request_has_no_routing(routed, imported):
    ids = routed(4)
    Path("r.json").write_text(json.dumps(response_0_21(None, None, ids)))
    assert (imported("r.json")[0].expert_ids == ids).all()


@pytest.mark.parametrize("layout", ["lines", "list", "document"])
def test_base64_of_0_22(layout, routed, imported):
    parts = [routed(6, seed=seed).astype(np.int16) for seed in range(3)]
    parts[1][:2] = -1
    rows = [
        {"choices": [{"index": 0, "routed_experts": base64.b64encode(saved(ids)).decode()}]}
        for ids in parts
    ]
    if layout == "document":
        rows, parts = rows[0], parts[:1]
    text = "\n".join(map(json.dumps, rows)) if layout == "lines" else json.dumps(rows)
    Path("r.json").write_text(text)
    trace, summary = imported("r.json")
    whole = np.concatenate(parts)
    assert (trace.expert_ids == whole[whole[:, 0, 0] >= 0]).all()
    assert summary.sequences == (1 if layout == "document" else 3)


def test_responses_of_one_of_several_models(routed, imported):
    parts = {"a": routed(3), "b": routed(4, layers=5)}
    Path("r.jsonl").write_text(
        "".join(
            json.dumps({"model": name, "choices": [{"routed_experts": ids.tolist()}]}) + "\n"
            for name, ids in parts.items()
        )
    )
    for name, ids in parts.items():
        trace, _ = imported("r.jsonl", model=lambda recorded, name=name: recorded == name)
        assert (trace.expert_ids == ids).all()
    with pytest.raises(InputError, match="has several models: a, b"):
        imported("r.jsonl")
