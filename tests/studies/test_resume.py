"""A study that goes on: failed cells, larger limits, what is refused."""

import sys
import time

import msgspec
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.recipe import stored
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import write_instance
from expertcache.studies.study import Study

RECIPES = SUITES["tiny"].recipes[:2]


def study(methods=("greedy", "random"), recipes=RECIPES, **more):
    return Study(recipes, methods, **{"reference": "none", "time_limit_s": 30.0} | more)


def cells(folder):
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


def change(path, **values):
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | values))


def test_failed_cells_say_why_and_run_again_when_asked(tmp_path, two_servers, capsys):
    path, folder = tmp_path / "x.json", tmp_path / "d"
    write_instance(two_servers, path)
    plan = study(recipes=(stored(path),))
    data = path.read_bytes()
    path.unlink()
    report = plan.run(folder)
    assert not report.succeeded
    (greedy, random) = report.failures
    assert greedy.startswith("1 cell of greedy: ")
    assert "x.json: No such file" in random
    before = cells(folder)
    path.write_bytes(data)
    # Not by itself: what has failed once fails again, as a rule.
    assert not plan.run(folder).succeeded
    assert cells(folder) == before
    report = plan.run(folder, retry_failed=True)
    assert (report.succeeded, report.failures, report.missing) == (True, (), 0)
    after = cells(folder)
    plan.run(folder, retry_failed=True)
    assert cells(folder) == after


def test_exit_status_and_reasons_on_the_command_line(tmp_path, random_instance, capsys):
    words = ["study", "tiny", "--reference", "none", "--output", str(tmp_path / "d"), "--methods"]
    # K >= 2 in four instances of six.
    assert main([*words, "pipage"]) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "failed cells (--retry-failed runs them again):",
        "  4 cells of pipage: pipage: is for K = 1; successive, ascent and local-search take any K",
    ]
    assert "2/6" in captured.out
    write_instance(random_instance(1), tmp_path / "x.json")
    words = ["study", str(tmp_path / "x.json"), "--methods", "pipage", "--reference", "none"]
    for more in ([], [], ["--retry-failed"]):
        assert main([*words, "--output", str(tmp_path / "e"), *more]) == 3
        assert "pipage: is for K = 1" in capsys.readouterr().err


def test_a_reference_that_fails_is_named(tmp_path):
    # Every process is killed before it can answer.
    report = study(("greedy",), reference="milp", grace_s=0.01, time_limit_s=0.01).run(tmp_path)
    assert [line.partition(":")[0] for line in report.failures] == [
        "2 cells of reference milp",
        "2 cells of greedy",
    ]


def test_a_larger_time_limit_runs_again_what_time_has_stopped(tmp_path):
    study().run(tmp_path)
    change(tmp_path / "cells" / "0-0.json", stopped_by="time")
    before = cells(tmp_path)
    study().run(tmp_path)
    assert cells(tmp_path) == before
    study(time_limit_s=31.0).run(tmp_path)
    after = cells(tmp_path)
    assert [name for name in after if after[name] != before[name]] == ["0-0.json"]
    assert msgspec.json.decode(after["0-0.json"])["stopped_by"] == "finished"
    # From now on the larger limit is the study's.
    with pytest.raises(InputError, match=r"larger time limit \(31 s\)"):
        study().run(tmp_path)
    assert cells(tmp_path) == after


def test_what_was_killed_for_its_time_runs_again_under_a_larger_limit(tmp_path):
    report = study(time_limit_s=0.01, grace_s=0.01).run(tmp_path)
    assert not report.succeeded
    assert (report.rows["stopped_by"] == "time").all()
    assert "killed" in report.failures[0]
    report = study().run(tmp_path)
    assert (report.succeeded, report.failures) == (True, ())


@pytest.mark.skipif(sys.platform != "linux", reason="data limits work on Linux alone")
def test_a_larger_memory_limit_runs_again_what_has_failed(tmp_path):
    methods = ("milp",)
    assert not study(methods, memory_mb=1).run(tmp_path).succeeded
    report = study(methods, memory_mb=4000).run(tmp_path)
    assert (report.succeeded, report.failures) == (True, ())
    with pytest.raises(InputError, match=r"larger memory limit \(4000 MiB\)"):
        study(methods, memory_mb=1).run(tmp_path)
    before = cells(tmp_path)
    study(methods, memory_mb=None).run(tmp_path)
    assert cells(tmp_path) == before
    with pytest.raises(InputError, match=r"larger memory limit \(none\)"):
        study(methods, memory_mb=4000).run(tmp_path)


def test_a_folder_of_another_version_is_refused(tmp_path):
    study().run(tmp_path)
    change(tmp_path / "study.json", study=2)
    with pytest.raises(InputError, match="another version"):
        study().run(tmp_path)


def test_a_reference_with_a_larger_limit_gives_new_ratios(tmp_path):
    plan = study(("greedy",), reference="milp")
    first = plan.run(tmp_path).rows
    path = tmp_path / "cells" / "0-1-0.json"
    known = msgspec.json.decode(path.read_bytes())
    bounds = {"bound_latency_s": 0.0, "bound_saving_s": 2 * known["saving_s"]}
    change(path, status="feasible", stopped_by="time", **bounds)
    assert plan.run(tmp_path).rows["ratio"][0] < first["ratio"][0]
    again = study(("greedy",), reference="milp", time_limit_s=60.0).run(tmp_path).rows
    assert again.equals(first)


def test_thousands_of_cells(tmp_path):
    study(("random",), recipes=RECIPES[:1]).run(tmp_path)
    # As if all had run: the same file under each seed's name.
    data = (tmp_path / "cells" / "0-0-0.json").read_bytes()
    for seed in range(3000):
        (tmp_path / "cells" / f"0-0-{seed}.json").write_bytes(data)
    change(tmp_path / "study.json", seeds=list(range(3000)))
    plan = study(("random",), recipes=RECIPES[:1], seeds=tuple(range(3000)))
    began = time.monotonic()
    report = plan.run(tmp_path)
    assert (len(report.rows), report.missing) == (3000, 0)
    assert time.monotonic() - began < 60
