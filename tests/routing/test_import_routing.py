"""From files to a trace, and on to an instance."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError, import_routing, read_instance, read_popularity, read_trace
from expertcache.command_line.parser import main
from expertcache.routing.formats import FORMATS, format_of


def test_a_trace_goes_on_to_an_instance(routed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in range(4):
        np.save(f"{seed}.npy", routed(50, layers=24, top_k=4, experts=32, seed=seed))
    Path("sites.csv").write_text("latitude,longitude\n1,1\n1,1.001\n1.001,1\n")
    Path("sequences.json").write_text(json.dumps([{"category": c} for c in "abab"]))
    files = [f"{seed}.npy" for seed in range(4)]
    assert main(["import", "routing", *files, "--output", "trace.npz"]) == 0
    assert capsys.readouterr().out == (
        "wrote trace.npz: 200 tokens of 4 sequences, 24 layers, top-4, experts 0 to 31\n"
    )
    words = "--sequences sequences.json --sites sites.csv --points sites.csv --servers 2 --users 3"
    assert main(["import", "trace", "trace.npz", *words.split(), "--output", "x.json"]) == 0
    instance = read_instance("x.json")
    assert instance.meta["trace"]["tokens"] == 200
    assert set(instance.meta["trace"]["user_category"]) == {"a", "b"}
    assert instance.models[0].name == "gpt-oss-20b"


def test_sequences_of_later_files_come_behind(routed, imported, write_lines):
    rows = [
        {"sequence": s, "token": 0, "layer": layer, "experts": routed(1)[0, layer].tolist()}
        for s in (3, 1)
        for layer in range(3)
    ]
    trace, summary = imported(write_lines(rows, "a.jsonl"), write_lines(rows, "b.jsonl"))
    assert trace.sequence.tolist() == [3, 1, 7, 5]
    assert summary.sequences == 4


def test_the_same_tokens_give_the_same_bytes(routed, tmp_path):
    np.save(tmp_path / "a.npy", routed(9))
    for name in ("one.npz", "two.npz", "two.npz"):
        import_routing([tmp_path / "a.npy"], tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "one.npz", "two.npz"]


def test_more_than_256_experts(routed, imported):
    ids = routed(30, experts=400)
    np.save("a.npy", ids)
    trace, summary = imported("a.npy")
    assert (trace.expert_ids == ids).all()
    assert (trace.expert_ids.dtype, summary.experts) == (np.uint16, ids.max() + 1)


def test_a_trace_that_could_not_be_read_again(routed, tmp_path, monkeypatch):
    monkeypatch.setattr("expertcache.routing.trace_file.MAX_FILE_BYTES", 100)
    np.save(tmp_path / "a.npy", routed(30))
    with pytest.raises(InputError, match="would be larger than 100 bytes"):
        import_routing([tmp_path / "a.npy"], tmp_path / "trace.npz")


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    pytest.importorskip("resource")
    monkeypatch.chdir(tmp_path)
    # 2 * 10^7 rows, 160 MB.
    rng = np.random.default_rng(0)
    part = rng.random((1000, 25, 8)).argsort(axis=2)[:, :, :4].astype(np.int16)
    with Path("large.npy").open("wb") as file:
        header = {"descr": "<i2", "fortran_order": False, "shape": (800_000, 25, 4)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(800):
            file.write(part.tobytes())
    code = (
        "import resource, expertcache\n"
        "expertcache.import_routing(['small.npy'], 'small.npz')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "expertcache.import_routing(['large.npy'], 'large.npz')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    np.save("small.npy", part)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 64 * 2**20


def test_counts_of_an_engine_make_an_instance(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # As the statistics of DeepSeek models are published: the first layers are dense.
    counts = np.random.default_rng(0).integers(1, 99, (34, 8))
    counts[:2] = 0
    Path("counts.json").write_text(json.dumps({"logical_count": counts.tolist()}))
    assert (read_popularity("counts.json") == counts[2:]).all()
    steps = json.dumps({"logical_count": [counts.tolist(), counts.tolist()]})
    Path("steps.json").write_text(steps)
    assert (read_popularity("steps.json") == 2 * counts[2:]).all()
    assert (
        main(["import", "popularity", "counts.json", "--servers", "2", "--output", "x.json"]) == 0
    )
    assert capsys.readouterr().err == "note: counts.json: left out 2 layers without counts\n"
    assert read_instance("x.json").models[0].layers == 32


def test_a_format_can_be_named(routed, tmp_path):
    np.save(tmp_path / "a.npy", routed(5))
    summary = import_routing([tmp_path / "a.npy"], tmp_path / "t.npz", format="npy")
    assert summary.kind == "tokens"
    assert (read_trace(tmp_path / "t.npz").expert_ids == routed(5)).all()
    assert format_of(tmp_path / "a.npy") is FORMATS["npy"]
