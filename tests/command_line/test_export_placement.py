"""`export placement`: what is written and said, and what is refused in one line."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.model_table import model_table
from expertcache.problem.instance_file import read_instance

from ..conftest import GOOD_FILES

PLACE = ("export", "placement", "good.json")


@pytest.fixture
def even(good_files):
    """solution.json has model b's two experts on both servers, in every slot there is."""
    content = copy.deepcopy(GOOD_FILES["solution.json"])
    content["placement"] = [[0, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]]
    Path("solution.json").write_text(json.dumps(content))


def test_what_is_written_is_said(even, capsys):
    words = ("solution.json", "--to", "sglang", "--model", "b", "--output", "map.json")
    assert main([*PLACE, *words]) == 0
    assert json.loads(Path("map.json").read_text()) == {"physical_to_logical_map": [[0, 1, 0, 1]]}
    usage = "--ep-size 2 --ep-num-redundant-experts 2 --init-expert-location map.json"
    assert capsys.readouterr() == (f"wrote map.json: {usage}\n", "")
    assert main([*PLACE, "solution.json", "--to", "csv", "--model", "b", "--output", "p.csv"]) == 0
    assert capsys.readouterr().out == "wrote p.csv\n"


def test_a_name_that_a_shell_would_take_apart(even, capsys):
    name = "my map's.json"
    for to in ("sglang", "vllm", "vllm-ascend"):
        Path(name).unlink(missing_ok=True)
        assert main([*PLACE, "solution.json", "--to", to, "--model", "b", "--output", name]) == 0
        said = capsys.readouterr().out
        assert "'\"'\"'s.json" in said, said


def test_what_is_refused(even, broken, refused):
    out = ("--output", "o.json")
    sgl = ("--to", "sglang", *out)
    other = broken("solution.json", "meta", {"instance_sha256": "0" * 64})
    Path("other.json").write_text(Path(other).read_text())
    none = copy.deepcopy(GOOD_FILES["solution.json"])
    none |= {"status": "none", "placement": [], "latency_s": None, "saving_s": None}
    Path("none.json").write_text(json.dumps(none))
    Path("far.json").write_text(
        json.dumps(GOOD_FILES["solution.json"] | {"placement": [[7, 0, 0, 0]]})
    )
    full = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2]]
    Path("full.json").write_text(json.dumps(GOOD_FILES["solution.json"] | {"placement": full}))
    for words, says in (
        (("solution.json", "--to", "tgi", *out), "engine: 'tgi' is none of sglang, vllm, "),
        (("solution.json", *out), "required: --to"),
        (("solution.json", "--to", "sglang"), "required: --output"),
        (("--to", "sglang", *out), "required: SOLUTION"),
        (("solution.json", *sgl), "model: an engine serves one, name it: a, b"),
        (("solution.json", *sgl, "--model", "c"), "model: there is no 'c' among a, b"),
        (("solution.json", *sgl, "--model", "a"), "expert 0 of layer 0 is nowhere"),
        (("full.json", *sgl, "--model", "b"), "full.json: the placement exceeds the capacity of s"),
        (("other.json", *sgl, "--model", "b"), "other.json: made for another instance (toy)"),
        (("none.json", *sgl, "--model", "b"), "none.json: has no placement"),
        (("far.json", *sgl, "--model", "b"), "far.json: placement[0]: server 7 is out of range"),
        (("good.json", *sgl), "good.json: format: expected 'expertcache/solution'"),
        (("missing.json", *sgl), "missing.json: "),
        (("solution.json", *sgl, "--dense-layers", "-1"), "dense layers: must be between 0"),
        (("solution.json", *sgl, "--dense-layers", "x"), "invalid int value"),
        (
            ("solution.json", "--to", "ktransformers", "--model", "b", "--output", "o.pt"),
            "ktransformers: has one GPU memory, not 2 servers",
        ),
        (
            ("solution.json", "--to", "llama.cpp", "--model", "b", "--output", "o.txt"),
            "llama.cpp: layer 0 is on s and t; a tensor has one place, and no copies",
        ),
        (
            ("solution.json", "--to", "sglang", "--model", "b", "--output", "o.map"),
            "o.map: sglang takes .json files",
        ),
        (
            ("solution.json", "--to", "vllm", "--model", "b", "--output", "good.json"),
            "good.json: is an expertcache/instance, not overwritten",
        ),
        (
            ("solution.json", "--to", "csv", "--model", "b", "--output", "missing/o.csv"),
            "no directory",
        ),
    ):
        refused(*PLACE, *words, says=says)


def test_dense_layers_of_known_models(good_files, capsys):
    ids = np.random.default_rng(0).random((20, 26, 64)).argsort(axis=2)[:, :, :6]
    np.savez("t.npz", expert_ids=ids)
    assert model_table()["deepseek-v2-lite"].dense_layers == 1
    words = ["--model", "deepseek-v2-lite", "--gpus", "2", "--memory", "40", "--output", "x.json"]
    assert main(["import", "machine", "t.npz", *words]) == 0
    assert main(["solve", "x.json", "--method", "eplb", "--output", "s.json"]) == 0
    export = ["export", "placement", "x.json", "s.json", "--to", "sglang", "--output", "map.json"]
    for more, rows in (([], 27), (["--dense-layers", "0"], 26)):
        assert main([*export, *more]) == 0
        table = json.loads(Path("map.json").read_text())["physical_to_logical_map"]
        assert len(table) == rows == read_instance("x.json").models[0].layers + (not more)


def test_the_word_model_may_be_left_out(good_files, capsys):
    for words in ([], ["model"]):
        assert main(["export", *words, "good.json", "--format", "lp", "--output", "m.lp"]) == 0
        assert main(["export", *words, "--format", "lp", "good.json", "--output", "m.lp"]) == 0
    with pytest.raises(SystemExit) as end:
        main(["export"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
