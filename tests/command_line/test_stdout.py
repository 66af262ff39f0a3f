"""Standard output is ours alone, whatever the libraries print."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from expertcache import read_instance, write_instance
from expertcache.solver import METHODS, find_method

#: In processes of their own: some libraries print once in a process, past Python.
RUN = [sys.executable, "-m", "expertcache"]


@pytest.fixture
def instance_path(random_instance, tmp_path):
    # K = 1, so that every method takes it.
    path = tmp_path / "x.json"
    write_instance(random_instance(3, top_k=1, servers=2, layers=2, rows=12), path)
    return str(path)


def printed(*arguments, status=0):
    """The JSON value that a command prints, and nothing else on any stream."""
    run = subprocess.run([*RUN, *arguments], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (status, "")
    return json.loads(run.stdout)


@pytest.mark.parametrize("method", METHODS)
def test_solve(method, instance_path):
    if find_method(method).unsupported(read_instance(instance_path)):
        pytest.skip("not for this instance")
    places = find_method(method).places
    result = printed(
        "solve", instance_path, "--method", method, "--json", status=0 if places else 3
    )
    assert result["method"] == method


@pytest.mark.parametrize("method", [name for name in METHODS if find_method(name).bound])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_bound(method, threads, instance_path):
    words = ["bound", instance_path, "--method", method, "--threads", threads, "--json"]
    assert printed(*words)["method"] == method
    solved = printed("solve", instance_path, "--method", "greedy", "--bound", method, "--json")
    assert solved["bound_latency_s"] is not None


def test_evaluate_and_suite_check(tmp_path):
    folder, solution = tmp_path / "tiny", tmp_path / "s.json"
    subprocess.run([*RUN, "suite", "build", "tiny", "--output", folder], check=True, timeout=60)
    path = str(folder / "tiny-k2.json")
    solved = printed("solve", path, "--method", "milp", "--json", "--output", str(solution))
    assert printed("evaluate", path, str(solution), "--json")["saving_s"] == solved["saving_s"]
    assert printed("suite", "check", str(solution), "--json")["outcome"] == "equal"


def test_replay(tmp_path):
    rng = np.random.default_rng(0)
    ids = rng.random((60, 2, 8)).argsort(axis=2)[:, :, :2]
    np.savez(tmp_path / "t.npz", expert_ids=ids, sequence=np.arange(60) % 10)
    for name, count in (("sites", 3), ("points", 6)):
        rows = [f"{-37.81 + 0.001 * k},{144.96 + 0.001 * k}" for k in range(count)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["LATITUDE,LONGITUDE", *rows]) + "\n")
    trace, path, solution = (str(tmp_path / name) for name in ("t.npz", "x.json", "s.json"))
    subprocess.run(
        [*RUN, "import", "trace", trace, "--sites", tmp_path / "sites.csv",
         "--points", tmp_path / "points.csv", "--model", "mixtral-8x7b", "--layers", "2",
         "--servers", "2", "--users", "3", "--test-share", "0.3", "--output", path],
        check=True, stdout=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    printed("solve", path, "--method", "successive", "--json", "--output", solution)
    (row,) = printed("replay", path, solution, "--trace", trace, "--json")
    assert row["placement"] == solution


def test_nothing_is_printed_in_python(instance_path):
    code = (
        "import sys\n"
        "from expertcache import Limits, bound, read_instance, solve\n"
        "from expertcache.solver import METHODS, find_method\n"
        "if __name__ == '__main__':\n"
        "    instance = read_instance(sys.argv[1])\n"
        "    for method in METHODS:\n"
        "        find_method(method).unsupported(instance) or solve(instance, method)\n"
        "    bound(instance, 'decomposition', limits=Limits(threads=2))\n"
        "    print('ours')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, instance_path], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "ours\n", "")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["methods"],
        ["suite", "list"],
        ["solve", "{}", "--method", "greedy"],
        ["solve", "{}", "--method", "milp", "--json"],
        ["bound", "{}"],
    ],
    ids=" ".join,
)
def test_standard_output_that_takes_nothing(words, instance_path):
    command = [*RUN, *(word.format(instance_path) for word in words)]
    with FULL.open("w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr == "error: standard output: No space left on device\n"


def test_standard_output_that_is_closed(instance_path, tmp_path):
    words = ["solve", instance_path, "--method", "milp", "--output", str(tmp_path / "s.json")]
    run = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *RUN, *words],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (2, "error: standard output is closed\n")
    assert not (tmp_path / "s.json").exists()
