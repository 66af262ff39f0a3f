"""Every kind of broken input gives status 2, one line on stderr, and changes no file."""

import copy
import errno
import gzip
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main

INSTANCE = {
    "format": "expertcache/instance",
    "version": 1,
    "name": "toy",
    "models": [
        {"name": "a", "layers": 2, "experts": 3, "top_k": 2, "expert_bytes": 10},
        {"name": "b", "layers": 1, "experts": 2, "top_k": 1, "expert_bytes": 5},
    ],
    "servers": [{"name": "s", "capacity_bytes": 20}, {"name": "t", "capacity_bytes": 10}],
    "users": [{"name": "u", "position_m": [0, 1], "local": [[0, 0, 0], [1, 0, 1]]}, {"name": "v"}],
    "latency_s": {
        "server": [[[0.1, 0.2], [0.2, 0.3]], [[None, 0.2], [0.3, 0.4]]],
        "cloud": [[1, 1], [1, 1]],
        "local": [[0.05, 0.05], [0.05, 0.05]],
    },
    "requests": {
        "user": [0, 0, 1, 1],
        "model": [0, 0, 0, 1],
        "layer": [0, 1, 0, 0],
        "experts": [[0, 1], [1, 2], [2], [1]],
        "rate": [0.5, 0.5, 0.25, 0.25],
    },
}
SOLUTION = {
    "format": "expertcache/solution",
    "version": 1,
    "instance": "toy",
    "method": "greedy",
    "options": {},
    "seed": None,
    "status": "feasible",
    "stopped_by": "finished",
    "latency_s": 1.0,
    "latency_empty_s": 1.5,
    "saving_s": 0.5,
    "bound_latency_s": None,
    "gap": None,
    "seconds": 0.1,
    "placement": [[0, 0, 0, 0], [1, 0, 1, 2]],
    "meta": {},
}

ABSENT = object()


class Raw(str):
    """Text that goes into a file as it is, where no JSON value of Python's will do."""

    __slots__ = ()


def edited(content, path, value):
    """JSON text of the content with another value at a path such as `servers.0.name`."""
    content = copy.deepcopy(content)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = content
    for key in parents:
        place = place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = "@raw@" if isinstance(value, Raw) else value
    text = json.dumps(content)
    return text.replace('"@raw@"', value) if isinstance(value, Raw) else text


def listing(folder):
    """Every path below a folder with its type and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path)] = path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.json").write_text(json.dumps(INSTANCE))
    Path("solution.json").write_text(json.dumps(SOLUTION))
    return tmp_path


@pytest.fixture
def refused(folder, capsys):
    """Run a command line that must be refused with a message that says something."""

    def run(*arguments, says):
        before = listing(folder)
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = left.code
        out, err = capsys.readouterr()
        check(status, out, err, says)
        assert listing(folder) == before

    return run


def check(status, out, err, says):
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert says.lower() in err.lower()


def test_the_files_that_the_others_break_are_good(folder, capsys):
    assert main(["solve", "good.json", "--method", "greedy", "--output", "out.json"]) == 0
    assert main(["evaluate", "good.json", "solution.json"]) == 0
    assert capsys.readouterr().err == ""


BIG = Raw("1" + "0" * 5000)
DEEP = Raw("[" * 100_000)

# Where, what, and what the message must name: the field, and the row where there is one.
BROKEN_INSTANCES = [
    # Header.
    ("format", ABSENT, "format"),
    ("format", "expertcache/solution", "format"),
    ("format", 1, "format"),
    ("format", ["expertcache/instance"], "format"),
    ("format", DEEP, "not JSON"),
    ("version", ABSENT, "version"),
    ("version", 2, "version"),
    ("version", 0, "version"),
    ("version", "1", "version"),
    ("version", True, "version"),
    ("version", 1.5, "version"),
    ("version", None, "version"),
    ("version", BIG, "version"),
    # Missing keys at every level.
    ("models", ABSENT, "`models`"),
    ("servers", ABSENT, "`servers`"),
    ("users", ABSENT, "`users`"),
    ("latency_s", ABSENT, "`latency_s`"),
    ("requests", ABSENT, "`requests`"),
    ("models.1.top_k", ABSENT, "models[1]: Object missing required field `top_k`"),
    ("servers.1.capacity_bytes", ABSENT, "servers[1]"),
    ("latency_s.cloud", ABSENT, "`cloud`"),
    ("requests.rate", ABSENT, "`rate`"),
    # Unknown keys at every level.
    ("color", 1, "`color`"),
    ("models.0.color", 1, "models[0]: Object contains unknown field `color`"),
    ("servers.1.color", 1, "servers[1]"),
    ("users.1.color", 1, "users[1]"),
    ("latency_s.color", 1, "latency_s"),
    ("requests.color", 1, "requests"),
    # Wrong types.
    ("name", 1, "name"),
    ("description", None, "description"),
    ("meta", [], "meta"),
    ("meta", DEEP, "not JSON"),
    ("meta", Raw('{"a": NaN}'), "not JSON"),
    ("models", {}, "models"),
    ("models.0", None, "models[0]"),
    ("models.1.name", 1, "models[1].name"),
    ("models.0.layers", "2", "models[0].layers"),
    ("models.0.layers", 2.5, "models[0].layers"),
    ("models.0.experts", True, "models[0].experts"),
    ("models.0.expert_bytes", None, "models[0].expert_bytes"),
    ("servers", None, "servers"),
    ("servers.0.capacity_bytes", "20", "servers[0].capacity_bytes"),
    ("servers.0.capacity_bytes", None, "servers[0].capacity_bytes"),
    ("servers.0.capacity_bytes", True, "servers[0].capacity_bytes"),
    ("servers.0.position_m", [1, 2, 3], "servers[0].position_m"),
    ("servers.0.position_m", [1, None], "servers[0].position_m[1]"),
    ("users.0.position_m", [1], "users[0].position_m"),
    ("users.0.position_m", Raw("[1e999, 0]"), "users[0].position_m[0]"),
    ("users.0.local", None, "users[0].local"),
    ("users.0.local", [[0, 0]], "users[0].local[0]"),
    ("users.0.local", [[0, 0, 0, 0]], "users[0].local[0]"),
    ("users.0.local", [[0, 0, 0.5]], "users[0].local[0]"),
    ("latency_s.server", None, "latency_s.server"),
    ("latency_s.server.0.1.0", "1", "latency_s.server[0][1][0]"),
    ("latency_s.cloud.1.0", None, "latency_s.cloud[1][0]"),
    ("latency_s.local.1.0", True, "latency_s.local[1][0]"),
    ("requests", [], "requests"),
    ("requests.user", 0, "requests.user"),
    ("requests.user.1", True, "requests.user[1]"),
    ("requests.layer.1", 0.5, "requests.layer[1]"),
    ("requests.experts.1", 1, "requests.experts[1]"),
    ("requests.experts.1.0", False, "requests.experts[1][0]"),
    ("requests.rate.1", "0.5", "requests.rate[1]"),
    ("requests.rate.1", True, "requests.rate[1]"),
    ("requests.rate.1", None, "requests.rate[1]"),
    # Wrong ranges.
    ("models.0.layers", 0, "models[0].layers"),
    ("models.0.experts", -1, "models[0].experts"),
    ("models.1.top_k", 0, "models[1].top_k"),
    ("models.1.top_k", 3, "models[1].top_k"),
    ("models.0.expert_bytes", 0, "models[0].expert_bytes"),
    ("servers.1.capacity_bytes", -1, "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", -0.5, "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", -(10**30), "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", Raw("1e999"), "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", Raw("NaN"), "not JSON"),
    ("servers.1.capacity_bytes", Raw("Infinity"), "not JSON"),
    ("latency_s.server.1.1.0", 0, "latency_s.server[1][1][0]"),
    ("latency_s.server.1.1.0", -0.1, "latency_s.server[1][1][0]"),
    ("latency_s.server.1.1.0", Raw("1e-999"), "latency_s.server[1][1][0]"),
    ("latency_s.cloud.0.1", 0.0, "latency_s.cloud[0][1]"),
    ("latency_s.cloud.0.1", Raw("1e999"), "latency_s.cloud[0][1]"),
    ("latency_s.cloud.0.1", Raw("-Infinity"), "not JSON"),
    ("latency_s.local.0.1", -1, "latency_s.local[0][1]"),
    ("requests.rate.2", -0.1, "requests.rate[2]"),
    ("requests.rate.2", Raw("NaN"), "not JSON"),
    ("requests.rate.2", Raw("Infinity"), "not JSON"),
    ("requests.rate.2", Raw("1e999"), "requests.rate[2]"),
    ("requests.rate.2", BIG, "requests.rate[2]"),
    ("requests.rate", [1e308] * 4, "requests.rate"),
    # Indices out of range.
    ("requests.user.3", 2, "requests.user[3]"),
    ("requests.user.3", -1, "requests.user[3]"),
    ("requests.user.3", 2**31, "requests.user[3]"),
    ("requests.user.3", 10**30, "requests.user[3]"),
    ("requests.user.3", BIG, "requests.user[3]"),
    ("requests.model.3", 2, "requests.model[3]"),
    ("requests.model.3", -1, "requests.model[3]"),
    ("requests.layer.3", 1, "requests.layer[3]"),
    ("requests.layer.3", 2**64, "requests.layer[3]"),
    ("requests.experts.3", [2], "requests.experts[3]"),
    ("requests.experts.3", [-1], "requests.experts[3]"),
    ("requests.experts.0", [0, -1], "requests.experts[0]"),
    ("requests.experts.3", [2**32], "requests.experts[3]"),
    ("users.0.local.1", [2, 0, 0], "users[0].local[1]"),
    ("users.0.local.1", [0, 2, 0], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 3], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, -1], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 10**30], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, True], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 0], "users[0].local[1]"),
    # Rows that make no set.
    ("requests.experts.3", [], "requests.experts[3]"),
    ("requests.experts.1", [1, 1], "requests.experts[1]"),
    ("requests.experts.1", [0, 1, 2], "requests.experts[1]: more experts"),
    ("requests.experts.3", [0, 1], "requests.experts[3]: more experts"),
    # Wrong lengths at every level.
    ("requests.user", [0, 0, 1], "requests"),
    ("requests.experts", [[0], [1]], "requests.experts"),
    ("requests.rate", [], "requests.rate"),
    ("latency_s.server", [], "latency_s.server"),
    ("latency_s.server.1", [[0.1, 0.1]], "latency_s.server[1]"),
    ("latency_s.server.1", [[0.1, 0.1]] * 3, "latency_s.server[1]"),
    ("latency_s.server.1.0", [0.1], "latency_s.server[1][0]"),
    ("latency_s.server.1.1", [0.1] * 3, "latency_s.server[1][1]"),
    ("latency_s.server.1.1", [], "latency_s.server[1][1]"),
    ("latency_s.cloud", [[1, 1]], "latency_s.cloud"),
    ("latency_s.cloud", [[1, 1]] * 3, "latency_s.cloud"),
    ("latency_s.cloud", [[1, 1], [1, 1], [1]], "latency_s.cloud"),
    ("latency_s.cloud.1", [1], "latency_s.cloud[1]"),
    ("latency_s.local", [[1]], "latency_s.local"),
    ("latency_s.local.0", [1, 1, 1], "latency_s.local[0]"),
    ("users", [], "latency_s"),
    ("servers", [], "latency_s"),
    ("models", [], "latency_s"),
    # Sizes that no machine has room for.
    ("models.0.layers", 10**12, "models"),
    ("models.0.experts", 10**12, "models"),
    ("models.0.layers", 2**62, "models"),
    ("models.0.layers", BIG, "models[0].layers"),
    ("models.0.expert_bytes", 10**30, "models[0].expert_bytes"),
    ("models.0.expert_bytes", 2**61, "models"),
    ("models.0.top_k", 10**12, "models[0].top_k"),
]


def identifier(case):
    path, value, _ = case
    text = "absent" if value is ABSENT else str(value)
    return f"{path}={text[:20]}"


@pytest.mark.parametrize("case", BROKEN_INSTANCES, ids=identifier)
def test_broken_instance(case, refused):
    path, value, says = case
    Path("broken.json").write_text(edited(INSTANCE, path, value))
    refused("solve", "broken.json", "--method", "popularity", "--output", "out.json", says=says)


def test_the_message_names_the_file(refused):
    Path("broken.json").write_text(edited(INSTANCE, "version", 2))
    refused("bound", "broken.json", says="broken.json: version")


COMMANDS = [
    ("solve", "{}", "--method", "milp", "--output", "out.json", "--json"),
    ("evaluate", "{}", "solution.json", "--json"),
    ("bound", "{}", "--json"),
    ("export", "{}", "--format", "lp", "--output", "out.lp"),
    ("study", "{}", "--methods", "greedy", "--output", "study"),
    ("study", "tiny", "{}", "--methods", "greedy", "--output", "study"),
    ("replay", "{}", "solution.json", "--trace", "trace.npz"),
    ("draw", "{}", "solution.json", "--output", "pictures"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_broken_instance(command, refused):
    Path("broken.json").write_text(edited(INSTANCE, "requests.rate.2", -0.1))
    refused(*(part.format("broken.json") for part in command), says="requests.rate[2]")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_missing_instance(command, refused):
    refused(*(part.format("missing.json") for part in command), says="missing.json")


GZIPPED = gzip.compress(json.dumps(INSTANCE).encode())
BROKEN_FILES = [
    ("empty.json", b"", "not JSON"),
    ("empty.json.gz", b"", "empty.json.gz"),
    ("text.json", b"hello", "not JSON"),
    ("half.json", json.dumps(INSTANCE).encode()[:100], "not JSON"),
    ("two.json", json.dumps(INSTANCE).encode() * 2, "not JSON"),
    ("list.json", b"[]", "Expected `object`"),
    ("null.json", b"null", "Expected `object`"),
    ("object.json", b"{}", "format"),
    ("binary.json", bytes(range(256)) * 10, "not JSON"),
    ("gzipped.json", GZIPPED, "not JSON"),
    ("utf16.json", json.dumps(INSTANCE).encode("utf-16"), "not JSON"),
    ("latin1.json", json.dumps(INSTANCE).encode().replace(b"toy", b"t\xfcy"), "not JSON"),
    ("surrogate.json", json.dumps(INSTANCE).encode().replace(b"toy", rb"\ud800"), "not JSON"),
    ("deep.json", b"[" * 100_000, "deep.json"),
    ("deeper.json", b'{"x":' * 100_000, "not JSON"),
    ("plain.json.gz", json.dumps(INSTANCE).encode(), "not a gzip file"),
    ("truncated.json.gz", GZIPPED[:-20], "truncated"),
    ("header.json.gz", GZIPPED[:5], "truncated"),
    ("checksum.json.gz", GZIPPED[:-8] + bytes(8), "not a gzip file"),
    ("inside.json.gz", gzip.compress(b"hello"), "not JSON"),
]


@pytest.mark.parametrize(("name", "data", "says"), BROKEN_FILES, ids=[f[0] for f in BROKEN_FILES])
def test_broken_file(name, data, says, refused):
    Path(name).write_bytes(data)
    refused("solve", name, "--method", "popularity", "--output", "out.json", says=says)
    refused("evaluate", "good.json", name, says=name)


def test_a_directory_is_no_file(refused):
    Path("directory.json").mkdir()
    refused("solve", "directory.json", says="directory")
    refused("evaluate", "good.json", "directory.json", says="directory")
    refused("study", "directory.json", "--methods", "greedy", "--output", "study", says="directory")


def test_a_file_that_may_not_be_read(refused, monkeypatch):
    # Permission bits do not bind root. `listing` reads too, with absolute paths.
    opened = Path.open

    def closed(self, *args, **kwargs):
        if self == Path("closed.json"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *args, **kwargs)

    Path("closed.json").write_text(json.dumps(INSTANCE))
    monkeypatch.setattr(Path, "open", closed)
    refused("solve", "closed.json", "--output", "out.json", says="closed.json: Permission denied")


def test_names_longer_than_the_file_system_allows(refused):
    name = "x" * 300 + ".json"
    refused("solve", name, says="too long")
    refused("evaluate", "good.json", name, says="too long")
    refused("solve", "good.json", "--method", "greedy", "--output", name, says="too long")
    refused("study", name, "--methods", "greedy", "--output", "study", says="xxx")


BROKEN_SOLUTIONS = [
    ("format", "expertcache/instance", "format"),
    ("version", 2, "version"),
    ("version", "1", "version"),
    ("version", True, "version"),
    ("version", 1.5, "version"),
    ("color", 1, "`color`"),
    ("instance", ABSENT, "`instance`"),
    ("placement", ABSENT, "`placement`"),
    ("status", ABSENT, "`status`"),
    ("status", "none", "placement"),
    ("status", "best", "status"),
    ("status", None, "status"),
    ("stopped_by", "boredom", "stopped_by"),
    ("seed", 0.5, "seed"),
    ("seed", True, "seed"),
    ("options", [], "options"),
    ("latency_s", -1, "latency_s"),
    ("latency_s", Raw("NaN"), "not JSON"),
    ("latency_s", Raw("1e999"), "latency_s"),
    ("latency_empty_s", None, "latency_empty_s"),
    ("seconds", -1, "seconds"),
    ("seconds", "1", "seconds"),
    ("placement", None, "placement"),
    ("placement", {}, "placement"),
    ("placement.1", None, "placement[1]"),
    ("placement.1", [1, 0, 1], "placement[1]"),
    ("placement.1", [1, 0, 1, 2, 0], "placement[1]"),
    ("placement.1", [], "placement[1]"),
    ("placement.1", [1, 0, 1, "2"], "placement[1]"),
    ("placement.1", [1, 0, 1, True], "placement[1]"),
    ("placement.1", [1, 0, 1, 0.5], "placement[1]"),
    ("placement.1", [2, 0, 1, 2], "placement[1]"),
    ("placement.1", [-1, 0, 1, 2], "placement[1]"),
    ("placement.1", [1, 2, 0, 0], "placement[1]"),
    ("placement.1", [1, -1, 0, 0], "placement[1]"),
    ("placement.1", [1, 0, 2, 2], "placement[1]"),
    ("placement.1", [1, 1, 1, 0], "placement[1]"),
    ("placement.1", [1, 0, 1, 3], "placement[1]"),
    ("placement.1", [1, 0, 1, -1], "placement[1]"),
    ("placement.1", [1, 0, 1, 10**30], "placement[1]"),
    ("placement.1", Raw("[1, 0, 1, " + BIG + "]"), "placement[1]"),
    ("placement.1", [0, 0, 0, 0], "placement[1]"),
]


@pytest.mark.parametrize("case", BROKEN_SOLUTIONS, ids=identifier)
def test_broken_solution(case, refused):
    path, value, says = case
    Path("broken.json").write_text(edited(SOLUTION, path, value))
    refused("evaluate", "good.json", "broken.json", "--json", says=says)
    refused("solve", "good.json", "--start", "broken.json", "--output", "out.json", says=says)


def test_an_instance_is_no_solution_and_the_other_way_round(refused):
    refused("evaluate", "solution.json", "good.json", says="solution.json: format")
    refused("evaluate", "good.json", "good.json", says="good.json: format")


SOLVE = ("solve", "good.json", "--output", "out.json")
STUDY = ("study", "--output", "study", "good.json")
BOUND = ("bound", "good.json")
GENERATE = ("generate", "--layers", "1", "--experts", "4", "--output", "out.json")
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
    # Methods, their options and limits.
    ((*SOLVE, "--method", "magic"), "magic"),
    ((*SOLVE, "--method", "ma\ngic"), "unknown method"),
    ((*SOLVE, "--method", ""), "unknown method"),
    ((*SOLVE, "--option", "color=1"), "color"),
    ((*SOLVE, "--option", "color"), "KEY=VALUE"),
    ((*SOLVE, "--option", "=1"), "KEY=VALUE"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=magic"), "rule"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=best", "--option", "rule=best"), "rule"),
    ((*SOLVE, "--method", "greedy", "--option", "seed=1"), "seed"),
    ((*SOLVE, "--time-limit", "0"), "time limit"),
    ((*SOLVE, "--time-limit", "-1"), "time limit"),
    ((*SOLVE, "--time-limit", "nan"), "time limit"),
    ((*SOLVE, "--time-limit", "soon"), "--time-limit"),
    ((*SOLVE, "--threads", "0"), "threads"),
    ((*SOLVE, "--threads", "-1"), "threads"),
    ((*SOLVE, "--threads", "1000000"), "threads"),
    ((*SOLVE, "--threads", "1.5"), "--threads"),
    ((*SOLVE, "--seed", "-1"), "seed"),
    ((*SOLVE, "--seed", "2147483648"), "seed"),
    ((*SOLVE, "--seed", "x"), "--seed"),
    ((*SOLVE, "--gap", "-0.1"), "gap"),
    ((*SOLVE, "--gap", "nan"), "gap"),
    ((*SOLVE, "--gap", "inf"), "gap"),
    ((*SOLVE, "--node-limit", "-1"), "node limit"),
    ((*SOLVE, "--start", "missing.json"), "missing.json"),
    ((*SOLVE, "--method", "greedy", "--start", "solution.json"), "start"),
    ((*BOUND, "--method", "magic"), "magic"),
    ((*BOUND, "--method", "greedy"), "no bound"),
    ((*BOUND, "--time-limit", "0"), "time limit"),
    ((*BOUND, "--time-limit", "nan"), "time limit"),
    ((*BOUND, "--threads", "0"), "threads"),
    (("export", "good.json", "--output", "out"), "--format"),
    (("export", "good.json", "--output", "out", "--format", "xls"), "--format"),
    (("export", "good.json", "--output", "out", "--format", "lp", "--formulation", "x"), "--form"),
    # Suites and studies.
    (("suite", "build", "magic", "--output", "suite"), "magic"),
    (("suite", "build", "tiny", "--output", "good.json"), "good.json"),
    (("suite", "build", "tiny", "--output", "good.json/suite"), "good.json"),
    ((*STUDY, "magic", "--methods", "greedy"), "magic"),
    ((*STUDY, "good.json", "--methods", "greedy"), "toy"),
    ((*STUDY,), "--methods"),
    ((*STUDY, "--methods", ""), "method"),
    ((*STUDY, "--methods", "magic"), "magic"),
    ((*STUDY, "--methods", "greedy,greedy"), "greedy"),
    ((*STUDY, "--methods", "greedy", "--sweep", "capacity=0.1,0.4"), "do not change good.json"),
    ((*STUDY, "tiny", "--methods", "greedy", "--set", "layers=1"), "--set"),
    ((*STUDY, "--methods", "greedy", "--seed", "-1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--seed", "1", "--seed", "1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "0"), "time limit"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "nan"), "time limit"),
    (("study", "good.json", "--methods", "greedy", "--output", "good.json"), "good.json"),
    # Scenarios.
    ((*GENERATE, "--model", "magic"), "magic"),
    ((*GENERATE, "--precision", "fp7"), "precision"),
    ((*GENERATE, "--layers", "0"), "layers"),
    ((*GENERATE, "--experts", "0"), "experts"),
    ((*GENERATE, "--top-k", "0"), "top_k"),
    ((*GENERATE, "--top-k", "5"), "top_k"),
    ((*GENERATE, "--servers", "0"), "servers"),
    ((*GENERATE, "--servers", "-1"), "servers"),
    ((*GENERATE, "--servers", "few"), "--servers"),
    ((*GENERATE, "--users", "0"), "users"),
    ((*GENERATE, "--capacity", "nan"), "capacity"),
    ((*GENERATE, "--capacity", "inf"), "capacity"),
    ((*GENERATE, "--capacity", "-0.1"), "capacity"),
    ((*GENERATE, "--capacity", "1e300"), "capacity"),
    ((*GENERATE, "--capacity", "1e12"), "capacity"),
    ((*GENERATE, "--local", "5"), "local"),
    ((*GENERATE, "--local", "-1"), "local"),
    ((*GENERATE, "--radius", "0"), "radius"),
    ((*GENERATE, "--radius", "nan"), "radius"),
    ((*GENERATE, "--area", "inf"), "area"),
    ((*GENERATE, "--skew", "-1"), "skew"),
    ((*GENERATE, "--skew", "21"), "skew"),
    ((*GENERATE, "--coactivation", "1e9"), "coactivation"),
    ((*GENERATE, "--user-concentration", "0"), "user_concentration"),
    ((*GENERATE, "--sets", "0"), "sets"),
    ((*GENERATE, "--tokens", "0"), "tokens"),
    ((*GENERATE, "--seed", "-1"), "seed"),
    ((*GENERATE, "--set", "color=1"), "color"),
    ((*GENERATE, "--set", "skew"), "--set"),
    ((*GENERATE, "--set", "skew=high"), "skew"),
    ((*GENERATE, "--set", "skew=1", "--set", "skew=2"), "skew"),
    ((*GENERATE, "--set", "models=dbrx"), "model"),
    ((*GENERATE, "--set", "cloud_s=nan"), "cloud_s"),
    ((*GENERATE, "--set", "cloud_s=0"), "cloud_s"),
    ((*GENERATE, "--set", "servers=1.5"), "servers"),
    # Bytes that are no text in this locale arrive as lone surrogates.
    ((*GENERATE, "--name", "\udcff"), "error"),
    ((*GENERATE, "--model", "\udcff"), "model"),
    ((*GENERATE, "--set", "precision=\udcff"), "error"),
    ((*SOLVE, "--method", "\udcff"), "unknown method"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=\udcff"), "error"),
    # Absurd sizes.
    ((*GENERATE, "--users", 10**9), "users"),
    ((*GENERATE, "--users", 10**30), "users"),
    ((*GENERATE, "--users", 10**400), "users"),
    ((*GENERATE, "--servers", 10**9), "servers"),
    ((*GENERATE, "--servers", 10**400), "servers"),
    ((*GENERATE, "--layers", 10**12), "error"),
    ((*GENERATE, "--layers", 10**400), "error"),
    ((*GENERATE, "--experts", 10**12), "experts"),
    ((*GENERATE, "--experts", 10**400), "experts"),
    ((*GENERATE, "--sets", 10**12), "sets"),
    ((*GENERATE, "--sets", 10**400), "sets"),
    ((*GENERATE, "--tokens", 10**30), "tokens"),
    ((*GENERATE, "--set", "activation_bits=1" + "0" * 400), "activation_bits"),
    ((*GENERATE, "--seed", "1" + "0" * 5000), "--seed"),
]


def usage_identifier(case):
    return " ".join(str(part)[:20] for part in case[0] if part != "out.json") or "nothing"


@pytest.mark.parametrize("case", USAGE, ids=usage_identifier)
def test_bad_usage(case, refused):
    arguments, says = case
    refused(*arguments, says=says)


def test_a_start_that_does_not_fit(refused):
    rows = [[1, 0, 0, 0], [1, 0, 1, 2]]
    Path("full.json").write_text(edited(SOLUTION, "placement", rows))
    refused("solve", "good.json", "--start", "full.json", "--output", "out.json", says="capacity")


OUTPUTS = [
    ("solve", "good.json", "--method", "greedy", "--output"),
    ("export", "good.json", "--format", "mps", "--output"),
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


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy():
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 2, 1), dtype=int))
    return stream.getvalue()


def torn_npz():
    """An archive whose compressed stream begins with a block type that does not exist."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("expert_ids.npy", npy())
    data = bytearray(stream.getvalue())
    data[30 + len("expert_ids.npy")] = 0xFF
    return bytes(data)


def huge_npz():
    """An array whose header claims far more than there is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        header = npy().replace(b"(2, 2, 1), }", b"(%d, 1, 1), }" % 10**15)
        archive.writestr("expert_ids.npy", header)
    return stream.getvalue()


TRACES = {
    "empty": (b"", "x.npz"),
    "text": (b"hello", "x.npz"),
    "npy": (npy(), "x.npz"),
    "truncated": (npz(expert_ids=np.zeros((2, 2, 1), dtype=int))[:-40], "x.npz"),
    "torn": (torn_npz(), "x.npz"),
    "huge": (huge_npz(), "x.npz"),
    "other array": (npz(experts=np.zeros((2, 2, 1), dtype=int)), "expert_ids"),
    "objects": (npz(expert_ids=np.array([{}, []], dtype=object)), "x.npz"),
    "two dimensions": (npz(expert_ids=np.zeros((2, 2), dtype=int)), "expert_ids"),
    "no tokens": (npz(expert_ids=np.zeros((0, 2, 1), dtype=int)), "expert_ids"),
    "floats": (npz(expert_ids=np.zeros((2, 2, 1))), "expert_ids"),
    "negative": (npz(expert_ids=np.full((2, 2, 1), -1)), "expert_ids"),
    "repeated": (npz(expert_ids=np.zeros((2, 2, 2), dtype=int)), "expert_ids[0, 0]"),
    "no such model": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0, 0])),
        "--model",
    ),
    # There is a note about the missing array, but not before an error.
    "no sequence": (npz(expert_ids=np.zeros((2, 2, 1), dtype=int)), "--model"),
    "no such sequence": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0, 1])),
        "sequence",
    ),
    "sequence too short": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0])),
        "sequence",
    ),
}


@pytest.mark.parametrize("kind", TRACES)
def test_broken_trace(kind, refused):
    data, says = TRACES[kind]
    Path("x.npz").write_bytes(data)
    Path("sequences.json").write_text('[{"category": "a"}]')
    Path("sites.csv").write_text("latitude,longitude\n1,1\n")
    refused(
        "import", "trace", "x.npz", "--sequences", "sequences.json", "--sites", "sites.csv",
        "--points", "sites.csv", "--servers", 1, "--users", 1, "--output", "out.json", says=says,
    )  # fmt: skip


COUNTS = [
    ("hello", "not JSON"),
    ("{}", "expert_popularity"),
    ("[]", "no counts"),
    ("[[]]", "no counts"),
    ("[[1, 1, 1, 1], [1, 1]]", "layer 1"),
    ("[[1, 1, 1, -1]]", "layer 0"),
    ("[[0, 0, 0, 0]]", "layer 0"),
    ("[[1, 1, 1, NaN]]", "not JSON"),
    ("[[1, 1, 1, 1e999]]", "[0][3]"),
    ("[[1e308, 1e308, 1e308, 1e308]]", "layer 0"),
    ("[[1, 1]]", "experts"),
]


@pytest.mark.parametrize(("text", "says"), COUNTS)
def test_broken_counts(text, says, refused):
    Path("counts.json").write_text(text)
    scenario = ("--model", "mixtral-8x7b", "--layers", "1", "--output", "out.json")
    refused("import", "popularity", "counts.json", *scenario, says=says)


SITES = [
    (b"", "no rows"),
    (b"latitude,longitude\n", "no rows"),
    (b"latitude,longitude\n\n\n", "no rows"),
    (b"lat,lon\n1,1\n", "latitude"),
    (b"latitude\n1\n", "longitude"),
    (b"latitude,longitude\n1,1\n1\n", "line 3"),
    (b"latitude,longitude\n1,east\n", "line 2"),
    (b"latitude,longitude\n91,1\n", "line 2"),
    (b"latitude,longitude\nnan,1\n", "line 2"),
    (b"latitude,longitude\n1,-181\n", "line 2"),
    (b"latitude,longitude\n\xff,1\n", "not a CSV file"),
    (b'latitude,longitude\n"1,1\n', "not a CSV file"),
    (b"latitude,longitude\n1,1\n", "1 positions, cannot draw 2"),
]


@pytest.mark.parametrize(("data", "says"), SITES)
def test_broken_sites(data, says, refused):
    Path("sites.csv").write_bytes(data)
    refused(
        "import", "sites", "--sites", "sites.csv", "--points", "sites.csv", "--layers", 1,
        "--servers", 2, "--users", 1, "--output", "out.json", says=says,
    )  # fmt: skip


def test_points_without_sites(refused):
    Path("counts.json").write_text("[[1, 1, 1, 1, 1, 1, 1, 1]]")
    Path("sites.csv").write_text("latitude,longitude\n1,1\n")
    refused(
        "import", "popularity", "counts.json", "--model", "mixtral-8x7b", "--points", "sites.csv",
        "--output", "out.json", says="sites",
    )  # fmt: skip


# What a study that goes on finds in its folder.
STUDY_FILES = [
    ("study.json", b"hello", "study.json"),
    ("study.json", b"[]", "study.json"),
    ("study.json", b'{"study": "\xff"}', "study.json"),
    ("study.json", b'{"study":' + b"[" * 100_000, "study.json"),
    ("study.json", None, "study.json"),
    ("cells/0-0.json", b"", "0-0.json"),
    ("cells/0-0.json", b"\xff\n", "0-0.json"),
    ("cells/0-1-0.json", b"{}", "0-1-0.json"),
    ("cells/0-1-0.json", b'{"time_limit_s": "much"}', "0-1-0.json: time_limit_s"),
]


@pytest.mark.parametrize(("name", "data", "says"), STUDY_FILES)
def test_broken_study_folder(name, data, says, refused, capsys):
    study = ("study", "good.json", "--methods", "cloud-only", "--output", "study")
    assert main(study) == 0
    capsys.readouterr()
    path = Path("study", name)
    if data is None:
        # A limit that is no number.
        data = path.read_bytes().replace(b'"time_limit_s": 60', b'"time_limit_s": "x"')
    path.write_bytes(data)
    refused(*study, says=says)


# The rest runs as a process of its own.


def run(*arguments, limits=(), seconds=20):
    resource = pytest.importorskip("resource")

    def limit():
        for name, value in limits:
            resource.setrlimit(getattr(resource, name), (value, value))

    return subprocess.run(
        [sys.executable, "-m", "expertcache", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        # Every thread of a linear algebra library takes address space of its own.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        preexec_fn=limit,
        check=False,
    )


def check_process(done, says):
    check(done.returncode, done.stdout, done.stderr, says)


TWO_GIB = [("RLIMIT_AS", 2 * 2**30)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("solve", "good.json", "--frobnicate"), "--frobnicate"),
        (("solve", "missing.json", "--output", "out.json"), "missing.json"),
        (("evaluate", "good.json", "good.json"), "format"),
    ],
)
def test_a_process_says_the_same(arguments, says, folder):
    before = listing(folder)
    check_process(run(*arguments), says)
    assert listing(folder) == before


def test_a_small_file_needs_little_memory(folder):
    done = run("solve", "good.json", "--method", "popularity", limits=TWO_GIB)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "sizes",
    [
        ("--users", 10**9),
        ("--servers", 10**9),
        ("--layers", 10**12),
        # The number of sets of half of the experts has three million digits.
        ("--experts", 10**7, "--top-k", 5 * 10**6),
    ],
    ids=lambda sizes: " ".join(map(str, sizes)),
)
def test_absurd_sizes_cost_no_time_or_memory(sizes, folder):
    before = listing(folder)
    done = run(*GENERATE, *sizes, limits=TWO_GIB, seconds=5)
    check_process(done, "error")
    assert listing(folder) == before


def test_one_long_row_does_not_widen_the_others(folder):
    # Every row padded to the longest would take 8 GB.
    rows = 10_000
    columns = {name: [0] * rows for name in ("user", "model", "layer", "rate")}
    requests = {**columns, "experts": [[0]] * (rows - 1) + [list(range(200_000))]}
    Path("long.json").write_text(json.dumps({**INSTANCE, "requests": requests}))
    done = run("solve", "long.json", "--method", "popularity", limits=[("RLIMIT_AS", 6 * 2**30)])
    check_process(done, "requests.experts[9999]")


def test_absurd_models_in_a_file_cost_no_memory(folder):
    text = edited(INSTANCE, "models.0.layers", 10**12)
    Path("broken.json").write_text(text)
    done = run("solve", "broken.json", limits=[("RLIMIT_AS", 6 * 2**30)], seconds=5)
    check_process(done, "models")


def test_a_file_that_may_not_grow(folder):
    # The limit stops the write in the middle, as a full disk would.
    Path("out.json").write_text("old")
    before = listing(folder)
    done = run(*GENERATE, "--users", 200, limits=[("RLIMIT_FSIZE", 4096)])
    check_process(done, "out.json")
    assert listing(folder) == before


def test_an_odd_name_of_a_file(folder):
    # Bytes that are no text: the name can be printed neither as it is nor encoded.
    name = b"\xff.json"
    Path(os.fsdecode(name)).write_text(json.dumps(INSTANCE))
    command = [sys.executable, "-m", "expertcache"]
    solve = [*command, "solve", name, "--method", "greedy", "--output", b"\xfe.json"]
    generate = [*command, *GENERATE[:-1], b"\xfd.json"]
    env = {**os.environ, "PYTHONUTF8": "1"}
    for arguments in (solve, generate):
        done = subprocess.run(arguments, capture_output=True, env=env, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_an_odd_name_of_a_source(folder):
    # The names of the sources go into the instance, which is text: refused or replaced.
    name = b"\xff.csv"
    Path(os.fsdecode(name)).write_text("latitude,longitude\n1,1\n")
    scenario = ["--layers", "1", "--servers", "1", "--users", "1", "--output", "out.json"]
    command = [sys.executable, "-m", "expertcache", "import", "sites", "--sites", name]
    done = subprocess.run(
        [*command, "--points", name, *scenario], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        check_process(done, "error")
