"""Sets of one's own: made from a file, checked in their folder."""

import hashlib
import json
from pathlib import Path

import pytest
from expertcache.command_line.parser import main
from expertcache.instances.suite_file import read_suite
from expertcache.instances.suite_folder import build_suite, stored_suite
from expertcache.instances.suites import SUITES, Suite, find_suite
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes

SET = """
name = "mine"
version = 3
summary = "two seeds, two sizes"
instance_seeds = [1, 2]

[[scenario]]
name = "toy/é"
models = ["mixtral-8x7b"]
layers = 1
experts = 4
servers = 2
users = 3

[sweep]
capacity = [0.25, 0.5]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The current folder with a set's file and the set built from it."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(SET)
    assert main(["suite", "build", "mine.toml", "--output", "mine"]) == 0
    return tmp_path / "mine"


def test_what_is_built_is_what_the_file_says(mine):
    made, stored = read_suite("mine.toml"), stored_suite("mine")
    assert (stored.name, stored.version, stored.summary) == ("mine", 3, "two seeds, two sizes")
    assert [recipe.name for recipe in stored.recipes] == [recipe.name for recipe in made.recipes]
    assert stored.recipes[-1].labels == {"scenario": "toy/é", "sweep_capacity": "0.5"}
    for one, other in zip(made.instances(), stored.instances(), strict=True):
        assert instance_bytes(one) == instance_bytes(other)
    # What `sha256sum --check` reads tells of every file but itself.
    lines = [line.split("  ") for line in (mine / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {path.name for path in mine.iterdir()} - {"SHA256SUMS"}
    for value, name in lines:
        assert hashlib.sha256((mine / name).read_bytes()).hexdigest() == value
    assert {path.suffix for path in mine.iterdir()} == {".json", ".manifest", ""}
    before = {path: path.read_bytes() for path in mine.iterdir()}
    build_suite(made, mine)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


def test_check_of_a_set(mine, capsys):
    capsys.readouterr()
    assert main(["suite", "check", "mine"]) == 0
    assert capsys.readouterr().out == "mine v3: 4 instances, all as published\n"
    assert main(["suite", "check", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"suite": "mine", "version": 3, "instances": 4}
    changed = next(mine.glob("toy*"))
    changed.write_bytes(changed.read_bytes().replace(b'"user-0"', b'"user-9"'))
    assert main(["suite", "check", "mine"]) == 2
    assert changed.name in capsys.readouterr().err
    study = ["study", "mine", "--methods", "greedy", "--output", "d"]
    assert main(study) == 2
    assert not Path("d").exists()
    changed.unlink()
    assert main(["suite", "check", "mine"]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "mine"', "", "name"),
        ('name = "mine"', 'name = "tiny"', "another name"),
        ('name = "mine"', 'name = "a\\nb"', "control character"),
        ("version = 3", "version = 0", "version"),
        ("version = 3", "", "version"),
        ("[[scenario]]", "[[scenarios]]", "scenario"),
        ("layers = 1", "layers = 0", "mine.toml: scenario toy/é: layers"),
        ("[0.25, 0.5]", "[]", "mine.toml: sweep: capacity"),
        ("[1, 2]", "[]", "instance_seeds"),
        ("[1, 2]", "[1, 1]", "same file"),
        ("[1, 2]", "[", "TOML"),
    ],
)
def test_broken_files_are_refused(old, new, says, refused):
    assert old in SET
    Path("mine.toml").write_text(SET.replace(old, new, 1))
    refused("suite", "build", "mine.toml", "--output", "mine", says=says)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("format", "expertcache/instance", "format"),
        ("version", 2, "version"),
        ("file", "../x.json", "instances[0].file"),
        ("sha256", "0", "differs"),
    ],
)
def test_broken_manifests_are_refused(field, value, says, refused):
    build_suite(find_suite("tiny"), "tiny")
    path = Path("tiny", "suite.manifest")
    manifest = json.loads(path.read_text())
    place = manifest if field in manifest else manifest["instances"][0]
    place[field] = value
    path.write_text(json.dumps(manifest))
    refused("suite", "check", "tiny", says=says)
    refused("study", "./tiny", "--methods", "greedy", "--output", "d", says=says)


def test_names_that_would_share_a_file_are_refused(tmp_path):
    recipe = SUITES["tiny"].recipes[0]
    for names in (("a b", "a/b"), ("A", "a")):
        recipes = tuple(type(recipe)(name, recipe.scenario, recipe.seed) for name in names)
        with pytest.raises(InputError, match="same file"):
            build_suite(Suite("s", "", 1, recipes), tmp_path / "s")
    assert not (tmp_path / "s").exists()
