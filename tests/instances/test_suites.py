import hashlib

import pytest
from expertcache.instances.recipe import Generated
from expertcache.instances.records import records
from expertcache.instances.suite_folder import build_suite
from expertcache.instances.suites import SUITES, find_suite
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance

#: Made in seconds.
QUICK = [name for name in SUITES if name != "models"]


def test_no_two_instances_are_the_same():
    known = records()
    for name, suite in SUITES.items():
        own = [known[recipe.name] for recipe in suite.recipes]
        assert {(record.suite, record.version) for record in own} == {(name, suite.version)}
        assert len({record.sha256 for record in own}) == len(own) > 0


def test_names_are_distinct():
    names = [recipe.name for suite in SUITES.values() for recipe in suite.recipes]
    assert len(set(names)) == len(names)
    assert all(key == suite.name and suite.summary for key, suite in SUITES.items())


@pytest.mark.parametrize("name", QUICK)
def test_instances_are_worth_solving(name):
    for recipe, instance in zip(SUITES[name].recipes, SUITES[name].instances(), strict=True):
        assert instance.name == recipe.name
        if isinstance(recipe, Generated):
            assert instance.meta["seed"] == recipe.seed
        # Somebody reaches a server that is faster than the cloud and has room for an expert.
        gain = instance.server_latency_s < instance.cloud_latency_s[:, None]
        assert gain.any()
        assert instance.capacity_bytes.max() >= min(m.expert_bytes for m in instance.models)


def test_small_has_every_kind():
    instances = list(find_suite("small").instances())
    assert {i.top_k for i in instances} == {1, 2, 3, 4}
    assert any(len(i.models) == 2 for i in instances)
    assert any(i.local.any() for i in instances)


@pytest.mark.parametrize("name", QUICK)
def test_files_and_their_sums(name, tmp_path):
    suite = find_suite(name)
    folder = tmp_path / "new" / name
    paths = build_suite(suite, folder)
    assert [p.name for p in paths] == [f"{recipe.name}.json" for recipe in suite.recipes]
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = [*paths, folder / "suite.manifest"]
    assert lines == [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}" for p in listed]
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*(p.name for p in listed), "SHA256SUMS"]
    )
    for path, instance in zip(paths, suite.instances(), strict=True):
        assert instance_bytes(read_instance(path)) == path.read_bytes() == instance_bytes(instance)
    # Once more into the same folder: the same files.
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    build_suite(suite, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_unknown_suites_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'big'.*tiny, small"):
        find_suite("big")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        build_suite(find_suite("tiny"), tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "folder", "says"),
    [
        ("magic", "suite", "magic"),
        ("tiny", "good.json", "good.json"),
        ("tiny", "good.json/suite", "good.json"),
    ],
)
def test_the_command_line_refuses_in_one_line(name, folder, says, refused):
    refused("suite", "build", name, "--output", folder, says=says)
