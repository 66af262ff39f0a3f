import csv

import pytest
from expertcache.command_line.parser import main
from expertcache.instances.suite_folder import build_suite
from expertcache.instances.suites import find_suite
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import write_instance
from expertcache.studies.study import Variant
from expertcache.studies.study_file import read_study

GOOD = """
methods = ["greedy", {method = "max-convolution", label = "coarse", options = {epsilon = 0.5}}]
instances = ["tiny", "x.json"]
instance_seeds = [1, 2]
seeds = [3]
time_limit_s = 7
memory_mb = 2000
reference = "lp"

[[scenario]]
name = "Mixtral"
models = ["mixtral-8x7b"]
layers = 1

[[scenario]]
models = ["switch-base-8"]

[sweep]
capacity = [0.1, 0.25]
local = [0, 1]
"""


def test_everything_is_read(tmp_path, two_servers):
    write_instance(two_servers, tmp_path / "x.json")
    (tmp_path / "study.toml").write_text(GOOD)
    study = read_study(tmp_path / "study.toml")
    assert study.variants == (
        Variant("greedy"),
        Variant("max-convolution", "coarse", {"epsilon": 0.5}),
    )
    assert (study.seeds, study.time_limit_s, study.memory_mb) == ((3,), 7.0, 2000)
    assert study.reference == "lp"
    names = [recipe.name for recipe in study.recipes]
    assert len(names) == 6 + 1 + 2 * 2 * 2 * 2
    assert names[6] == two_servers.name
    assert names[7] == "Mixtral capacity=0.1 local=0 s1"
    assert names[-1] == "scenario-2 capacity=0.25 local=1 s2"
    assert study.recipes[7].labels == {
        "scenario": "Mixtral",
        "sweep_capacity": "0.1",
        "sweep_local": "0",
    }
    instance = study.recipes[-1].make()
    assert (instance.models[0].name, instance.local.sum() > 0) == ("switch-base-8", True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"greedy"', '"magic"', "magic"),
        ("[sweep]", "[sweeps]", "sweeps"),
        ("[0.1, 0.25]", "[]", "capacity"),
        ("[0.1, 0.25]", '["much"]', "capacity"),
        ("[0.1, 0.25]", "[-1]", "capacity"),
        ("local = [0, 1]", "speed = [1]", "speed"),
        ("layers = 1", "layers = 0", "Mixtral"),
        ("layers = 1", 'trace = "x"', "trace"),
        ("layers = 1", 'trace = {trace = "no.npz", sites = "a", points = "b"}', "no.npz"),
        ('"x.json"', '"y.json"', "y.json"),
        ("epsilon = 0.5", "speed = 1", "speed"),
        ("time_limit_s = 7", "time_limit_s = 0", "time limit"),
        ("time_limit_s = 7", 'time_limit_s = "x"', "time_limit_s"),
        ('reference = "lp"', 'reference = "magic"', "reference: 'magic' is not one of .*milp"),
        ("seeds = [3]", "seeds = 3", "seeds"),
        ("methods = [", "methods = [[", "TOML"),
        ('name = "Mixtral"', 'name = "scenario-2"', "repeated"),
    ],
)
def test_broken_files_are_refused(old, new, says, tmp_path, two_servers):
    write_instance(two_servers, tmp_path / "x.json")
    assert old in GOOD
    (tmp_path / "study.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=says):
        read_study(tmp_path / "study.toml")


def test_folders_and_patterns(tmp_path, two_servers):
    build_suite(find_suite("tiny"), tmp_path / "tiny")
    (tmp_path / "more").mkdir()
    for name in ("b.json.gz", "a.json"):
        write_instance(two_servers.replace(name=name), tmp_path / "more" / name)
    (tmp_path / "more" / "notes.txt").write_text("mine")

    def names(*instances):
        path = tmp_path / "study.toml"
        path.write_text(f'methods = ["greedy"]\ninstances = {list(instances)}\n')
        return [recipe.name for recipe in read_study(path).recipes]

    tiny = [recipe.name for recipe in find_suite("tiny").recipes]
    assert names("more") == names("more/*.json*") == ["a.json", "b.json.gz"]
    assert names("./tiny", "more/a.json") == [*tiny, "a.json"]
    assert names("m*") == ["a.json", "b.json.gz"]
    assert names(str(tmp_path / "tiny" / "tiny-k?.json")) == ["tiny-k1", "tiny-k2", "tiny-k3"]
    for nothing in ("none/*.json", "less", "tiny/*.gz"):
        with pytest.raises(InputError, match="neither a file"):
            names(nothing)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no instance files"):
        names("empty")
    # Of a set without its manifest, nobody knows what belongs to it.
    (tmp_path / "more" / "c.json").write_text("{}")
    with pytest.raises(InputError, match=r"c\.json"):
        names("more")


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b'\xef\xbb\xbfmethods = ["greedy"]\ninstances = ["tiny"]\n')
    assert len(read_study(path).recipes) == 6


def test_a_sweep_without_a_scenario_is_refused(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('methods = ["greedy"]\ninstances = ["tiny"]\n[sweep]\ncapacity = [1]\n')
    with pytest.raises(InputError, match="scenario"):
        read_study(path)


def test_words_and_file_give_the_same_rows(tmp_path, capsys):
    words = ["--set", "layers=1", "--set", "servers=2", "--set", "users=3"]
    words += ["--sweep", "capacity=0.1,0.40", "--instance-seed", "5", "--methods", "successive"]
    assert main(["study", *words, "--output", str(tmp_path / "words")]) == 0
    (tmp_path / "s.toml").write_text(
        'methods = ["successive"]\ninstance_seeds = [5]\n'
        "[[scenario]]\nlayers = 1\nservers = 2\nusers = 3\n[sweep]\ncapacity = [0.1, 0.4]\n"
    )
    assert main(["study", str(tmp_path / "s.toml"), "--output", str(tmp_path / "file")]) == 0
    one, two = (
        list(csv.DictReader((tmp_path / name / "results.csv").read_text().splitlines()))
        for name in ("words", "file")
    )
    assert [row["sweep_capacity"] for row in one] == ["0.1", "0.4"]
    assert [row | {"seconds": ""} for row in one] == [row | {"seconds": ""} for row in two]
    capsys.readouterr()


def test_a_study_file_stands_alone(tmp_path, capsys):
    path = tmp_path / "s.toml"
    path.write_text('methods = ["greedy"]\ninstances = ["tiny"]\n')
    assert main(["study", str(path), "--methods", "milp", "--output", str(tmp_path / "d")]) == 2
    assert "no other options" in capsys.readouterr().err
