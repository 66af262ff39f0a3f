"""Broken files of engines give status 2, one line, and no output."""

import base64
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

IDS = np.array([[[0, 1], [2, 3]], [[1, 2], [0, 3]], [[3, 0], [1, 0]]])


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def changed(place, value):
    ids = IDS.copy()
    ids[place] = value
    return ids


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def row(token, layer, experts=(0, 1), **more):
    return {"token": token, "layer": layer, "experts": list(experts)} | more


def vllm(routed, **more):
    return json.dumps({"choices": [{"routed_experts": routed}]} | more).encode()


def sglang(text, **more):
    return json.dumps({"meta_info": {"routed_experts": text} | more}).encode()


def b64(data):
    return base64.b64encode(data).decode()


#: Name and content of a file, what the message says, and options.
BROKEN = {
    "empty": ("x.npy", b"", "empty"),
    "another kind": ("x.bin", b"\x7fELF\x00\x00", "--format"),
    "a trace already": (
        "x.npz",
        (lambda s: (np.savez(s, expert_ids=IDS), s.getvalue())[1])(io.BytesIO()),
        "is a trace already",
    ),
    "npy: objects": ("x.npy", npy(np.array([{}], dtype=object)), "whole numbers"),
    "npy: floats": ("x.npy", npy(IDS * 1.0), "whole numbers"),
    "npy: two dimensions": ("x.npy", npy(IDS[0]), "[tokens, layers, K]"),
    "npy: truncated": ("x.npy", npy(IDS)[:-3], "truncated"),
    "npy: truncated header": ("x.npy", npy(IDS)[:40], "not a plain array"),
    "npy: claims more": ("x.npy", npy(IDS).replace(b"(3, 2", b"(9999999, 2"), "truncated"),
    "npy: Fortran": ("x.npy", npy(np.asfortranarray(IDS)), "Fortran"),
    "npy: repeated": ("x.npy", npy(changed((1, 1), [3, 3])), "token 1, layer 1: an expert is"),
    "npy: negative": ("x.npy", npy(changed((2, 0, 1), -2)), "token 2, layer 0: expert -2"),
    "npy: too large": ("x.npy", npy(changed((0, 0, 0), 2**16)), "expert 65536"),
    "npy: fewer experts": ("x.npy", npy(changed((1, 1, 1), -1)), "token 1, layer 1: expected 2"),
    "npy: padding first": ("x.npy", npy(changed((1, 1, 0), -1)), "-1 before an expert"),
    "npy: routed later": (
        "x.npy",
        npy(changed((0, 1), -1)),
        "token 1, layer 1: has experts, but the first",
    ),
    "npy: nothing routed": ("x.npy", npy(np.full((3, 2, 2), -1)), "no token is routed"),
    "npy: no tokens": ("x.npy", npy(IDS[:0]), "no token is routed"),
    "gzip: truncated": ("x.csv.gz", gzip.compress(b"0,0,1,2\n" * 99)[:-9], "truncated"),
    "gzip: none": ("x.csv.gz", b"0,0,1,2\n", "not a gzip file"),
    "vllm: not base64": ("x.json", vllm("%%%"), "not base64"),
    "vllm: no array": ("x.json", vllm(b64(b"hello")), "choices[0].routed_experts: not a plain"),
    "vllm: short array": ("x.json", vllm(b64(npy(IDS)[:-1])), "truncated"),
    "vllm: pickled": ("x.json", vllm(b64(npy(np.array([{}], dtype=object)))), "whole numbers"),
    "vllm: ragged": ("x.json", vllm([[[1, 2]], [[1, 2], [3, 4]]]), "[tokens, layers, K]"),
    "vllm: texts": ("x.json", vllm([[["a", "b"]]]), "whole numbers"),
    "vllm: another shape": (
        "x.json",
        vllm(IDS.tolist(), prompt_routed_experts=IDS[:, :1].tolist()),
        "other layers or K than the prompt's",
    ),
    "vllm: two shapes": ("x.json", lines(*map(json.loads, [
        vllm(IDS.tolist()), vllm(IDS[:, :1].tolist())])), "1 layers, but 2"),
    "vllm: nothing": ("x.json", vllm(None), "no response has routed experts"),
    "vllm: choices": ("x.json", b'{"choices": 1}', "choices: expected a list"),
    "sglang: no shape": ("x.json", sglang(b64(bytes(16))), "--layers"),
    "sglang: another shape": (
        "x.json", sglang(b64(bytes(20))), "no whole number of tokens",
        "--layers", "2", "--top-k", "2",
    ),
    "sglang: type": (
        "x.json", sglang("", routed_experts_dtype="float32"), "whole numbers",
        "--layers", "2", "--top-k", "2",
    ),
    "sglang: no type": (
        "x.json", sglang("", routed_experts_dtype="word"), "unknown type",
        "--layers", "2", "--top-k", "2",
    ),
    "shape told twice": ("x.npy", npy(IDS), "tell their shape", "--top-k", "2"),
    "no layers": ("x.npy", npy(IDS), "layers: must be", "--layers", "0"),
    "csv: words": ("x.csv", b"0,0,1,2\n0,1,a,2\n", "whole numbers"),
    "csv: fractions": ("x.csv", b"0,0,1,2\n0,1,1.5,2\n", "whole numbers"),
    "csv: wide row": ("x.csv", b"0,0,1,2\n0,1,1,2,3\n", "whole numbers"),
    "csv: short row": ("x.csv", b"0,0,1,2\n0,1,1\n", "whole numbers"),
    "csv: out of range": ("x.csv", b"0,0,1,99999999999\n", "out of range"),
    "csv: far out of range": ("x.csv", b"0,0,1,99999999999999999999\n", "whole numbers"),
    "csv: negative layer": ("x.csv", b"0,-1,1,2\n", "out of range"),
    "csv: repeated": ("x.csv", b"0,0,1,1\n", "an expert is repeated"),
    "csv: zeros": ("x.csv", b"0,0,0,0\n", "an expert is repeated"),
    "csv: twice": ("x.csv", b"0,0,1,2\n0,0,1,2\n", "token 0, layer 0: recorded twice"),
    "csv: one column": ("x.csv", b"3\n4\n", "pos,layer"),
    "csv: negative expert": ("x.csv", b"layer,expert\n0,-1\n", "layer,expert in each line"),
    "jsonl: no token": ("x.jsonl", lines({"layer": 0, "experts": [1]}, {}), "has no token"),
    "jsonl: other line": ("x.jsonl", lines(row(0, 0), {"token": 1}), "line 2"),
    "jsonl: no whole number": ("x.jsonl", lines(row(0, 0), row(0.5, 0)), "line 2"),
    "jsonl: K differs": ("x.jsonl", lines(row(0, 0), row(0, 1, [1])), "differ in how many"),
    "jsonl: far": ("x.jsonl", lines(row(0, 0), row(10**20, 1)), "out of range"),
    "jsonl: zeros": ("x.jsonl", lines(row(0, 0, [0, 0]), row(1, 0)), "an expert is repeated"),
    "jsonl: twice": ("x.jsonl", lines(row(0, 0), row(0, 0)), "recorded twice"),
    "jsonl: sequence comes back": (
        "x.jsonl",
        lines(*(row(i, 0, sequence=s) for i, s in enumerate([0, 1, 0]))),
        "sequence 0 comes back",
    ),
    "jsonl: negative sequence": (
        "x.jsonl", lines(row(0, 0, sequence=-1), row(1, 0, sequence=-1)), "out of range",
    ),
    "jsonl: numbers and texts": (
        "x.jsonl", lines(row(0, 0, sequence=0), row(1, 0, sequence="a")), "numbers and texts",
    ),
    "jsonl: two stages": (
        "x.jsonl",
        lines({"record_type": "metadata", "routing_stages": [{}, {}]}, row(0, 0)),
        "encoder and decoder",
    ),
    "json: unknown": ("x.json", b'{"hello": 1}', "--format"),
    "json: broken": ("x.json", b'{"hello": ', "not JSON"),
    "counts: ragged": ("x.json", b'{"logical_count": [[1, 2], [1]]}', "differ in length"),
    "counts: negative": ("x.json", b'{"logical_count": [[1, -2]]}', "layer 0, expert 1"),
    "counts: zero": ("x.json", b'{"logical_count": [[0, 0]]}', "not all 0"),
    "counts: infinite": ("x.json", b'{"logical_count": [[1e308, 1e308]]}', "finite"),
    "counts: none": ("x.json", b'{"logical_count": []}', "expected counts"),
    "counts in a trace": ("x.json", b'{"logical_count": [[1, 2]]}', "but the files have counts"),
    "no such format": ("x.npy", npy(IDS), "is none of", "--format", "magic"),
    "another format": ("x.npy", npy(IDS), "not JSON", "--format", "vllm"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file(kind, refused):
    name, data, says, *options = BROKEN[kind]
    Path(name).write_bytes(data)
    refused("import", "routing", name, *options, "--output", "trace.npz", says=says)


def test_files_that_do_not_go_together(refused):
    Path("a.npy").write_bytes(npy(IDS))
    Path("b.npy").write_bytes(npy(IDS[:, :1]))
    Path("g.npy").write_bytes(npy(IDS[:, :, :1]))
    Path("c.csv").write_text("0,0,1,2\n")
    Path("d.csv").write_text("0,1\n")
    Path("e.json").write_text('{"logical_count": [[1, 2]]}')
    Path("f.json").write_text('{"logical_count": [[1, 2, 3]]}')
    words = ("import", "routing", "--output", "trace.npz")
    refused(*words, "a.npy", "b.npy", says="1 layers, but 2")
    refused(*words, "a.npy", "g.npy", says="1 experts, but 2")
    refused(*words, "a.npy", "c.csv", says="several formats")
    refused(*words, "c.csv", "d.csv", says="import each kind")
    refused(*words[:3], "counts.json", "e.json", "f.json", says="other layers or experts")
    refused(*words, "a.npy", "missing.npy", says="missing.npy")


def test_no_other_file_is_overwritten(refused):
    Path("a.npy").write_bytes(npy(IDS))
    Path("e.json").write_text('{"logical_count": [[1, 2]]}')
    Path("other.npz").write_bytes(b"PK\x03\x04 something else")
    refused("import", "routing", "a.npy", "--output", "good.json", says="not overwritten")
    refused("import", "routing", "a.npy", "--output", "counts.json", says="have tokens")
    refused("import", "routing", "a.npy", "--output", "other.npz", says="not overwritten")
    refused("import", "routing", "a.npy", "--output", "a.npy", says="must end in")
    refused("import", "routing", "e.json", "--output", "e.json", says="not overwritten")
    refused("import", "routing", "e.json", "--output", "good.json", says="not overwritten")


def test_a_full_disk_leaves_nothing(refused, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    Path("a.npy").write_bytes(npy(IDS))
    monkeypatch.setattr("expertcache.routing.trace_file._write_member", full)
    refused("import", "routing", "a.npy", "--output", "trace.npz", says="No space left")
