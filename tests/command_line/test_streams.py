"""Instances and solutions through pipes: `-` is standard input, or standard output."""

import io
import json
import sys
from pathlib import Path

import pytest
from expertcache import Solution
from expertcache.command_line.parser import main

SMALL = (
    *("--layers", "1", "--experts", "4", "--servers", "2", "--users", "3", "--area", "300"),
    *("--capacity", "0.5"),
)


@pytest.fixture
def piped(monkeypatch, capsys):
    """Run a command on what another printed; returns its output and what it said."""

    def run(*words, stdin=""):
        stream = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        status = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_a_pipeline(piped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, instance, said = piped("generate", *SMALL, "--output", "-")
    assert status == 0
    assert json.loads(instance)["format"] == "expertcache/instance"
    assert said.startswith("wrote -: 1 models")
    assert "users in reach" in said
    status, printed, said = piped("solve", "-", "--method", "milp", "--json", stdin=instance)
    assert (status, said) == (0, "")
    status, written, said = piped("solve", "-", "--method", "milp", "--output", "-", stdin=instance)
    assert "status" in said
    one, other = json.loads(printed), json.loads(written)
    assert one["placement"] == other["placement"]
    Path("x.json").write_text(instance)
    status, value, _ = piped("evaluate", "x.json", "-", "--json", stdin=written)
    assert json.loads(value)["latency_s"] == one["latency_s"]
    assert list(tmp_path.iterdir()) == [tmp_path / "x.json"]


def test_a_file_called_so_can_be_named_otherwise(piped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert piped("generate", *SMALL, "--output", "./-")[0] == 0
    assert (tmp_path / "-").read_bytes().startswith(b'{"format":"expertcache/instance"')
    status, out, _ = piped("solve", "./-", "--method", "greedy", "--json")
    assert (status, json.loads(out)["status"]) == (0, "feasible")


def test_names_beside_the_numbers(piped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    piped("generate", *SMALL, "--output", "x.json")
    _, out, _ = piped("solve", "x.json", "--method", "milp", "--json", "--names")
    solution = json.loads(out)
    named = [[f"server-{n}", "mixtral-8x7b", *rest] for n, _, *rest in solution["placement"]]
    assert solution["meta"]["placement_names"] == named
    # It is a solution file still.
    assert Solution.from_dict(solution).meta["placement_names"] == named


def test_from_the_start_with_a_limit(piped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    piped("generate", *SMALL, "--output", "x.json")
    piped("solve", "x.json", "--method", "random", "--output", "old.json")
    words = ["solve", "x.json", "--method", "local-search", "--start", "old.json", "--json"]
    _, out, _ = piped(*words, "--max-fetch", "0.1 GiB")
    solution = json.loads(out)
    assert solution["meta"]["max_fetch_bytes"] == int(0.1 * 2**30)
    assert solution["meta"]["fetched_bytes"] == [0, 0]
    _, out, _ = piped(*words, "--max-fetch", "350 MiB")
    assert max(json.loads(out)["meta"]["fetched_bytes"]) == 352321536


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("solve", "-"), "-: standard input has no more to read"),
        (("evaluate", "-", "-"), "-: standard input has no more to read"),
        (("solve", "good.json", "--json", "--output", "-"), "--json prints the solution already"),
        (("solve", "good.json", "--max-fetch", "1GB"), "max fetch: needs a start"),
        (
            (
                *("solve", "good.json", "--method", "milp", "--start", "solution.json"),
                *("--max-fetch", "much"),
            ),
            "--max-fetch: 'much' is no amount of memory",
        ),
        (
            ("solve", "good.json", "--start", "solution.json", "--max-fetch", "1GB"),
            "exact takes no",
        ),
    ],
)
def test_refused(words, says, refused, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    refused(*words, says=says)
