"""A package of one's own adds a method by name."""

import os
import subprocess
import sys

import pytest
from expertcache import InputError, find_method, write_instance

MODULE = """
from expertcache import Method, Outcome, Placement


def nothing(instance, *, limits, seed, times: int = 1):
    return Outcome(Placement.empty(), meta={"times": times})


METHOD = Method("nothing", "caches nothing", nothing)
NO_METHOD = 3
"""

ENTRY_POINTS = """
[expertcache.methods]
nothing = own_methods:METHOD
greedy = own_methods:METHOD
number = own_methods:NO_METHOD
absent = own_methods:ABSENT
lost = no_such_module:METHOD
"""


@pytest.fixture
def run(tmp_path, two_servers):
    """Run a command where a package with methods is installed."""
    (tmp_path / "own_methods.py").write_text(MODULE)
    metadata = tmp_path / "own_methods-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-methods\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    write_instance(two_servers, tmp_path / "x.json")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))

    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "expertcache", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
        )

    return command


def test_by_name_with_options(run):
    listed = run("methods").stdout
    assert "nothing            caches nothing\n" in listed
    assert "--option times=1" in listed
    assert "lost               method lost: no_such_module:METHOD: " in listed
    solved = run("solve", "x.json", "--method", "nothing", "--option", "times=2", "--json")
    assert (solved.returncode, '"times":2' in solved.stdout) == (0, True)


def test_in_a_study_with_processes(run, tmp_path):
    words = ("study", "x.json", "--methods", "nothing,greedy", "--jobs", "2", "--output", "out")
    done = run(*words)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "out" / "results.csv").read_text()
    assert ",nothing,,feasible" in rows


def test_a_method_that_nobody_registered(run, tmp_path):
    solved = run("solve", "x.json", "--method", "own_methods:METHOD", "--json")
    assert (solved.returncode, '"method":"nothing"' in solved.stdout) == (0, True), solved.stderr
    study = (
        'methods = ["own_methods:METHOD", {method = "own_methods:METHOD", label = "twice", '
        'options = {times = 2}}]\ninstances = ["x.json"]\n'
    )
    (tmp_path / "study.toml").write_text(study)
    done = run("study", "study.toml", "--jobs", "2", "--output", "out")
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "out" / "results.csv").read_text()
    assert ",nothing,,feasible" in rows
    assert ",twice,,feasible" in rows


def test_modules_of_the_current_folder(tmp_path, two_servers):
    write_instance(two_servers, tmp_path / "x.json")
    (tmp_path / "here.py").write_text(MODULE)
    # As the installed command does: the folder of the script is not the current one.
    code = "import sys; sys.path.remove(''); from expertcache.command_line.parser import main; "
    words = ["study", "x.json", "--methods", "here:METHOD", "--output", "out"]
    done = subprocess.run(
        [sys.executable, "-c", code + f"sys.argv[1:] = {words}; sys.exit(main())"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert ",nothing,,feasible" in (tmp_path / "out" / "results.csv").read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own_methods:ABSENT", "ABSENT"),
        ("own_methods:NO_METHOD", "is no expertcache.Method"),
        ("no_such_module:METHOD", "no_such_module"),
        ("own_methods:", "unknown method"),
        ("own methods:METHOD", "unknown method"),
    ],
)
def test_names_that_lead_nowhere(name, says, tmp_path, monkeypatch):
    (tmp_path / "own_methods.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=says):
        find_method(name)


def test_our_own_names_stay_ours(run):
    assert '"rule"' in run("solve", "x.json", "--method", "greedy", "--json").stdout


@pytest.mark.parametrize("name", ["number", "absent", "lost"])
def test_a_method_that_cannot_be_loaded_is_named(name, run):
    failed = run("solve", "x.json", "--method", name)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"error: method {name}: ")
    assert failed.stderr.count("\n") == 1
