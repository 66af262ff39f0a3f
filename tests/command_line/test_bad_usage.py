"""Bad usage gives status 2 and one line, before any work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from expertcache.command_line.parser import main

SOLVE = ("solve", "good.json", "--output", "out.json")
GENERATE = (
    "generate", "--layers", "1", "--experts", "4", "--capacity", "0.5", "--output", "out.json",
)  # fmt: skip
EXPORT = ("export", "good.json", "--output", "out")
USAGE = [
    ((), "command"),
    (("frobnicate",), "frobnicate"),
    (("solve",), "INSTANCE"),
    (("evaluate", "good.json"), "SOLUTION"),
    (("generate",), "--output"),
    (("import",), "KIND"),
    (("suite",), "ACTION"),
    ((*SOLVE, "--frobnicate"), "--frobnicate"),
    ((*SOLVE, "--two\nlines"), "--two"),
    ((*SOLVE, "--output"), "--output"),
    ((*SOLVE, "another.json"), "another.json"),
    ((*SOLVE, "--option", "color"), "KEY=VALUE"),
    ((*SOLVE, "--option", "=1"), "KEY=VALUE"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=best", "--option", "rule=best"), "rule"),
    ((*SOLVE, "--time-limit", "soon"), "--time-limit"),
    ((*SOLVE, "--threads", "1.5"), "--threads"),
    ((*SOLVE, "--seed", "x"), "--seed"),
    (EXPORT, "--format"),
    ((*EXPORT, "--format", "xls"), "--format"),
    ((*EXPORT, "--format", "lp", "--formulation", "x"), "--form"),
    ((*GENERATE, "--servers", "few"), "--servers"),
    ((*GENERATE, "--set", "skew"), "--set"),
    ((*GENERATE, "--set", "skew=1", "--set", "skew=2"), "skew"),
    ((*GENERATE, "--set", "models=dbrx"), "model"),
    ((*GENERATE, "--seed", "1" + "0" * 5000), "--seed"),
    # Bytes that are no text in this locale arrive as lone surrogates.
    ((*GENERATE, "--name", "\udcff"), "error"),
    ((*GENERATE, "--model", "\udcff"), "model"),
    ((*GENERATE, "--set", "precision=\udcff"), "error"),
    ((*SOLVE, "--method", "\udcff"), "unknown method"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=\udcff"), "error"),
]


def words(case):
    return " ".join(word[:20] for word in case[0] if word != "out.json") or "nothing"


@pytest.mark.parametrize("case", USAGE, ids=words)
def test_bad_usage(case, refused):
    arguments, says = case
    refused(*arguments, says=says)


def test_the_files_that_the_others_break_are_good(good_files, capsys):
    assert main(["solve", "good.json", "--method", "greedy", "--output", "out.json"]) == 0
    assert main(["evaluate", "good.json", "solution.json"]) == 0
    assert capsys.readouterr().err == ""


COMMANDS = [
    ("solve", "{}", "--method", "milp", "--output", "out.json", "--json"),
    ("evaluate", "{}", "solution.json", "--json"),
    ("bound", "{}", "--json"),
    ("export", "{}", "--format", "lp", "--output", "out.lp"),
    ("export", "placement", "{}", "solution.json", "--to", "csv", "--output", "out.csv"),
    ("study", "{}", "--methods", "greedy", "--output", "study"),
    ("study", "tiny", "{}", "--methods", "greedy", "--output", "study"),
    ("replay", "{}", "solution.json", "--trace", "trace.npz"),
    ("draw", "{}", "solution.json", "--output", "pictures"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_broken_instance(command, broken, refused):
    name = broken("good.json", "requests.rate.2", -0.1)
    refused(*(part.format(name) for part in command), says="requests.rate[2]")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_missing_instance(command, refused):
    refused(*(part.format("missing.json") for part in command), says="missing.json")


OUTPUTS = [
    ("solve", "good.json", "--method", "greedy", "--output"),
    ("export", "good.json", "--format", "mps", "--output"),
    ("import", "machine", "x.npz", "--output"),
    GENERATE[:-1],
    ("import", "popularity", "counts.json", "--model", "mixtral-8x7b", "--output"),
    ("import", "sites", "--sites", "sites.csv", "--points", "sites.csv", "--output"),
    ("import", "trace", "x.npz", "--sites", "sites.csv", "--points", "sites.csv", "--output"),
]


@pytest.mark.parametrize("command", OUTPUTS, ids=" ".join)
def test_places_that_take_no_output(command, refused):
    # Found before the work: these inputs of the imports do not exist.
    Path("directory.json").mkdir()
    refused(*command, "directory.json", says="is a directory")
    refused(*command, "", says="is a directory")
    refused(*command, "missing/out.json", says="no directory")
    refused(*command, "good.json/out.json", says="no directory")


@pytest.mark.parametrize("command", OUTPUTS, ids=" ".join)
def test_a_directory_that_may_not_be_written(command, refused, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(*command, "out.json", says="permission")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("solve", "good.json", "--frobnicate"), "--frobnicate"),
        (("solve", "missing.json", "--output", "out.json"), "missing.json"),
        (("evaluate", "good.json", "good.json"), "format"),
    ],
)
def test_a_process_says_the_same(arguments, says, refused_process):
    refused_process(*arguments, says=says)


def test_a_small_file_needs_little_memory(process):
    limits = [("RLIMIT_AS", 2 * 2**30)]
    done = process("solve", "good.json", "--method", "popularity", limits=limits)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_odd_name_of_a_file(good_files):
    # Bytes that are no text: the name can be printed neither as it is nor encoded.
    name = b"\xff.json"
    Path(os.fsdecode(name)).write_bytes(Path("good.json").read_bytes())
    command = [sys.executable, "-m", "expertcache"]
    solve = [*command, "solve", name, "--method", "greedy", "--output", b"\xfe.json"]
    generate = [*command, *GENERATE[:-1], b"\xfd.json"]
    env = {**os.environ, "PYTHONUTF8": "1"}
    for arguments in (solve, generate):
        done = subprocess.run(arguments, capture_output=True, env=env, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
