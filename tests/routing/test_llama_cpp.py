"""llama.cpp: the CSV of llama-moe-trace, and importance matrices.

thecodacus/llama.cpp 0bc799a, tools/moe-trace/moe-trace.cpp; tools/imatrix/imatrix.cpp at 5e7f627.
"""

from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError, import_routing, read_popularity


def moe_trace(prompt, generated, *, batch):
    """Lines as the callback writes them: layer by layer of each micro-batch of the prompt.

    Positions are those of the micro-batch in a batch that begins at 0. The last layer of the prompt
    sees the tokens only whose output is wanted: the last one.
    """
    tokens, layers, _ = prompt.shape
    lines = []
    for begin in range(0, tokens, batch):
        part = prompt[begin : begin + batch]
        for layer in range(layers):
            if layer == layers - 1:
                part = part[-1:] if begin + batch >= tokens else part[:0]
            for j, ids in enumerate(part[:, layer]):
                lines.append(f"{-(len(part) - j)},{layer + 1},{','.join(map(str, ids))}")
    for position, token in enumerate(generated):
        for layer, ids in enumerate(token):
            lines.append(f"{position},{layer + 1},{','.join(map(str, ids))}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("batch", [4, 5, 20])
@pytest.mark.parametrize("lines", [7, 2**18])
def test_moe_trace(batch, lines, routed, imported, monkeypatch):
    monkeypatch.setattr("expertcache.routing.moe_trace._LINES", lines)
    prompt, generated = routed(11), routed(6, seed=1)
    Path("trace.csv").write_text(moe_trace(prompt, generated, batch=batch))
    trace, summary = imported("trace.csv")
    # Of the prompt, only the last token went through all layers.
    assert (trace.expert_ids == np.concatenate([prompt[-1:], generated])).all()
    assert (summary.incomplete_tokens, summary.sequences) == (10, 1)
    assert "10 tokens without some of their layers" in str(summary)


@pytest.mark.parametrize("header", ["", "layer,expert\n"])
def test_layer_and_expert_only_are_counts(header, tmp_path, monkeypatch):
    # ggml-org/llama.cpp#28544: a line for each routed activation.
    monkeypatch.chdir(tmp_path)
    Path("moe_trace.csv").write_text(header + "1,3\n1,0\n2,3\n1,3\n2,1\n")
    summary = import_routing(["moe_trace.csv"], "counts.json")
    assert read_popularity("counts.json").tolist() == [[1, 0, 0, 2], [0, 1, 0, 1]]
    assert summary.dense_layers == 1


def imatrix(path, counts, *, kind="imatrix", names=("gate", "up", "down"), dtype=np.float32):
    gguf = pytest.importorskip("gguf", reason="needs the extra expertcache[gguf]")
    writer = gguf.GGUFWriter(path, arch="")
    writer.add_type(kind)
    writer.add_array("imatrix.datasets", ["wiki.txt"])
    writer.add_uint32("imatrix.chunk_count", 3)
    writer.add_uint32("imatrix.chunk_size", 512)
    for layer, row in counts.items():
        for name in names:
            tensor = f"blk.{layer}.ffn_{name}_exps.weight"
            writer.add_tensor(f"{tensor}.in_sum2", np.ones((len(row), 32), dtype=np.float32))
            writer.add_tensor(f"{tensor}.counts", np.array(row, dtype=dtype)[:, None])
        # A dense tensor has one count.
        writer.add_tensor(f"blk.{layer}.attn_q.weight.counts", np.ones((1, 1), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("names", [("gate", "up", "down"), ("gate_up", "down"), ("down",)])
def test_imatrix(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = {10: [4, 0, 9, 3], 2: [1, 5, 2**20 + 1, 7], 11: [0, 0, 0, 0]}
    imatrix("imatrix.gguf", counts, names=names)
    assert read_popularity("imatrix.gguf").tolist() == [counts[2], counts[10]]
    summary = import_routing(["imatrix.gguf"], "counts.json")
    assert (summary.layers, summary.dense_layers) == (2, 1)
    assert read_popularity("counts.json").tolist() == [counts[2], counts[10]]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"kind": "model"}, "not an importance matrix"),
        ({"names": ("shared",), "counts": {}}, "no counts of experts"),
        ({"counts": {0: [1, 2], 1: [1, 2, 3]}}, "differ in their experts"),
        ({"counts": {0: [5]}}, "legacy format"),
        ({"counts": {0: [0, 0]}}, "not all 0"),
        ({"counts": {0: [1, -2]}}, "layer 0, expert 1"),
        ({"dtype": np.int32}, "F32"),
    ],
)
def test_broken_imatrix(more, says, tmp_path):
    more = {"counts": {0: [1, 2]}} | more
    imatrix(tmp_path / "x.gguf", **more)
    with pytest.raises(InputError, match=says):
        read_popularity(tmp_path / "x.gguf")


@pytest.mark.parametrize("size", [4, 10, 60, 200, 400])
def test_a_truncated_imatrix(size, tmp_path):
    imatrix(tmp_path / "x.gguf", {0: [1, 2]})
    data = (tmp_path / "x.gguf").read_bytes()
    (tmp_path / "x.gguf").write_bytes(data[:size])
    with pytest.raises(InputError, match=r"x\.gguf"):
        read_popularity(tmp_path / "x.gguf")


def legacy_imatrix():
    """int32 entries; for each, the name's length, the name, ncall, nval and nval floats."""
    name = b"blk.0.ffn_down_exps.weight"
    head = np.array([1, len(name)], dtype=np.int32).tobytes()
    return head + name + np.array([3, 4], dtype=np.int32).tobytes() + bytes(16)


@pytest.mark.parametrize("command", ["routing", "popularity"])
def test_the_legacy_imatrix_has_no_counts(command, refused):
    Path("imatrix.dat").write_bytes(legacy_imatrix())
    output = "c.json"
    refused("import", command, "imatrix.dat", "--output", output, says="normalises the counts")


def test_without_gguf_the_extra_is_named(refused, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    Path("x.gguf").write_bytes(b"GGUF" + bytes(20))
    refused("import", "routing", "x.gguf", "--output", "c.json", says="expertcache[gguf]")
