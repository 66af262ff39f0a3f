import csv
import math
import os
import subprocess
import sys
import termios

import msgspec
import pandas as pd
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.recipe import stored
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import read_instance, write_instance
from expertcache.problem.solution import Status, StoppedBy, read_solution
from expertcache.studies.results import Result
from expertcache.studies.rows import COLUMNS
from expertcache.studies.study import Study, Variant, _progress
from tqdm.notebook import tqdm_notebook

RECIPES = SUITES["tiny"].recipes[:3]


def study(methods, recipes=RECIPES, **more):
    return Study(recipes, methods, time_limit_s=30.0, **more)


def rows_of(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_table_figure_and_page(tmp_path, real_pictures):
    plan = study(("greedy", "milp", "random"), seeds=(0, 1), command="study me")
    table = plan.run(tmp_path).table
    rows = rows_of(tmp_path)
    assert tuple(rows[0]) == COLUMNS
    keys = [(r["instance"], r["method"], r["seed"]) for r in rows]
    # Nothing is random in `greedy`: one row, without a seed.
    assert len(keys) == len(set(keys)) == 3 * (1 + 2 + 2)
    assert {key[2] for key in keys if key[1] == "greedy"} == {""}
    assert {key[2] for key in keys if key[1] == "random"} == {"0", "1"}
    for row in rows:
        assert row["reference"] == "optimum"
        ratio = float(row["ratio"])
        assert 0 <= ratio <= 1 + 1e-6
        assert float(row["gap"]) == pytest.approx(
            float(row["latency_s"]) / float(row["bound_latency_s"]) - 1, abs=1e-12
        )
        if row["method"] == "milp":
            assert (row["status"], ratio) == ("optimal", pytest.approx(1))
    assert "3 proved optimal" in table
    assert [line.split()[0] for line in table.splitlines()[3:]] == ["greedy", "milp", "random"]
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "study me" in page
    assert (tmp_path / "ratio.png").read_bytes().startswith(b"\x89PNG")


def test_goes_on_where_it_stopped_and_repeats_nothing(tmp_path):
    plan = study(("greedy", "successive", "milp"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    plan.run(whole)
    plan.run(broken)
    # As if a kill had come after five cells, before results.csv was written.
    cells = sorted((broken / "cells").iterdir())
    kept = {path: path.read_bytes() for path in cells[:5]}
    for path in [*cells[5:], broken / "results.csv", broken / "report.html"]:
        path.unlink()
    plan.run(broken)
    assert without_time(rows_of(broken)) == without_time(rows_of(whole))
    assert {path: path.read_bytes() for path in kept} == kept
    before = {path: path.read_bytes() for path in (broken / "cells").iterdir()}
    table = (broken / "results.csv").read_bytes()
    plan.run(broken, jobs=2)
    assert {path: path.read_bytes() for path in (broken / "cells").iterdir()} == before
    assert (broken / "results.csv").read_bytes() == table


def test_several_processes_give_the_same_table(tmp_path):
    plan = study(("milp", "successive", "random"), seeds=(0, 1))
    plan.run(tmp_path / "one", jobs=1)
    plan.run(tmp_path / "two", jobs=2)
    assert without_time(rows_of(tmp_path / "one")) == without_time(rows_of(tmp_path / "two"))
    for kind in ("svg", "png"):
        one, two = ((tmp_path / n / f"ratio.{kind}").read_bytes() for n in ("one", "two"))
        assert one == two


@pytest.mark.parametrize(
    "change",
    [
        {"methods": ("greedy",)},
        {"methods": (Variant("cloud-only", label="other"),)},
        {"seeds": (1,)},
        {"reference": "lp"},
        {"recipes": RECIPES[1:2]},
    ],
    ids=str,
)
def test_other_settings_in_the_same_folder_are_refused(change, tmp_path):
    base = {"recipes": RECIPES[:1], "methods": ("cloud-only",), "reference": "none"}
    Study(**base).run(tmp_path)
    before = (tmp_path / "results.csv").read_bytes()
    with pytest.raises(InputError, match="other"):
        Study(**base | change).run(tmp_path)
    assert (tmp_path / "results.csv").read_bytes() == before


def test_a_method_that_refuses_is_a_row(tmp_path):
    study(("pipage", "greedy"), recipes=RECIPES[2:3], reference="none").run(tmp_path)
    first, second = rows_of(tmp_path)
    assert (first["status"], first["stopped_by"]) == ("none", "error")
    assert "K = 1" in first["error"]
    assert (second["status"], second["error"], second["ratio"]) == ("feasible", "", "")


def test_a_file_that_disappears_is_a_row_of_each_method(tmp_path, two_servers):
    path = tmp_path / "x.json"
    write_instance(two_servers, path)
    plan = study(("milp", "greedy"), recipes=(stored(path), RECIPES[0]))
    path.unlink()
    plan.run(tmp_path / "d")
    rows = rows_of(tmp_path / "d")
    assert ["x.json" in row["error"] for row in rows] == [True, True, False, False]
    assert [row["status"] for row in rows[2:]] == ["optimal", "feasible"]


def test_ratio_against_a_bound_where_nothing_is_proved(tmp_path):
    plan = study(("milp", "greedy"), recipes=RECIPES[:1])
    plan.run(tmp_path)
    # As if the time limit had struck with half of the way to go.
    path = tmp_path / "cells" / "0-0-0.json"
    proved = msgspec.json.decode(path.read_bytes(), type=Result)
    stopped = msgspec.structs.replace(
        proved,
        status=Status.FEASIBLE,
        stopped_by=StoppedBy.TIME,
        bound_latency_s=proved.latency_s / 2,
        bound_saving_s=proved.saving_s + proved.latency_s / 2,
    )
    path.write_bytes(msgspec.json.encode(stopped))
    plan.run(tmp_path)
    row = rows_of(tmp_path)[1]
    assert (row["method"], row["reference"]) == ("greedy", "bound")
    most = float(row["latency_empty_s"]) - proved.latency_s / 2
    assert float(row["ratio"]) == pytest.approx(float(row["saving_s"]) / most)


def test_linear_relaxation_as_the_reference(tmp_path):
    study(("milp", "greedy"), reference="lp").run(tmp_path)
    rows = rows_of(tmp_path)
    assert {row["reference"] for row in rows} == {"bound"}
    assert all(0 <= float(row["ratio"]) <= 1 + 1e-9 for row in rows)
    assert all(float(row["gap"]) >= 0 for row in rows)


def test_methods_with_options_under_their_own_names(tmp_path):
    methods = (
        Variant("max-convolution", "coarse", {"epsilon": 0.5}),
        Variant("max-convolution", "", {"epsilon": "0.01"}),
    )
    Study(RECIPES[:1], methods).run(tmp_path)
    assert [row["method"] for row in rows_of(tmp_path)] == ["coarse", "max-convolution"]


def test_every_placement_is_kept(tmp_path):
    # `cloud-only` caches nothing: an empty placement is one, too. `pipage` refuses K = 2.
    study(("greedy", "cloud-only", "pipage")).run(tmp_path)
    names = {path.name for path in (tmp_path / "solutions").iterdir()}
    # Behind the three methods comes the reference.
    made = {f"{i}-{m}.json.gz" for i in range(3) for m in range(2)}
    assert names == made | {f"{i}-3-0.json.gz" for i in range(3)} | {
        "0-2-0.json.gz",
        "1-2-0.json.gz",
    }
    assert len(read_solution(tmp_path / "solutions" / "2-1.json.gz").placement) == 0


def test_no_ratio_where_nothing_can_be_saved(tmp_path, capsys):
    words = ["study", "--set", "layers=1", "--set", "servers=3", "--set", "users=6"]
    words += ["--set", "area_m=500", "--sweep", "capacity=0.1,0.4", "--instance-seed", "1"]
    words += ["--methods", "exact,cloud-only"]
    for reference in ("milp", "lp", "none"):
        folder = tmp_path / reference
        assert main([*words, "--reference", reference, "--output", str(folder)]) == 0
        out = capsys.readouterr().out
        rows = rows_of(folder)
        assert [row["ratio"] for row in rows[:2]] == ["", ""]
        assert float(rows[2]["ratio"]) > 0.5
        assert "1 with nothing to save" in out.splitlines()[0]
        assert "1 with nothing to save" in (folder / "report.html").read_text()
    rows = rows_of(tmp_path / "milp")
    assert [row["ratio"] for row in rows] == ["", "", "1.0", "0.0"]


def test_infinite_fields_of_a_scenario(tmp_path):
    words = ["study", "--set", "layers=1", "--set", "servers=2", "--set", "users=3", "--reference"]
    words += ["none", "--sweep", "user_concentration=1,inf", "--methods", "cloud-only"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert [row["status"] for row in rows_of(tmp_path)] == ["feasible", "feasible"]
    assert "inf" in (tmp_path / "study.json").read_text()


@pytest.mark.parametrize("name", ["NA", "null", "007"])
def test_names_are_names(name, tmp_path, two_servers):
    write_instance(two_servers.replace(name=name), tmp_path / "x.json")
    recipes = (stored(tmp_path / "x.json"),)
    report = study(("cloud-only",), recipes, reference="none").run(tmp_path / "d")
    assert list(report.rows["instance"]) == [name]


@pytest.mark.parametrize(
    "change",
    [
        {"recipes": ()},
        {"methods": ()},
        {"methods": ("greedy", Variant("greedy"))},
        {"methods": ("magic",)},
        {"methods": (Variant("greedy", options={"rule": "worst"}),)},
        {"seeds": (-1,)},
        {"seeds": (0, 0)},
        {"seeds": ()},
        {"time_limit_s": 0.0},
        {"time_limit_s": math.inf},
        {"time_limit_s": math.nan},
        {"memory_mb": 0},
        {"grace_s": 0.0},
    ],
    ids=str,
)
def test_bad_studies_are_refused(change):
    with pytest.raises(InputError):
        Study(**{"recipes": RECIPES, "methods": ("greedy",)} | change)


def test_command_takes_suites_and_files(tmp_path, capsys):
    path = tmp_path / "x.json"
    write_instance(RECIPES[0].make().replace(name="mine"), path)
    words = ["--methods", "greedy,cloud-only", "--seed", "0", "--seed", "1", "--time-limit", "20"]
    assert main(["study", "tiny", str(path), *words, "--output", str(tmp_path / "d")]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "saving as a share of the optimum" in captured.out
    table = pd.read_csv(tmp_path / "d" / "results.csv")
    assert len(table) == (len(SUITES["tiny"].recipes) + 1) * 2
    assert read_instance(path).name == "mine"


def test_one_line_of_progress_on_a_terminal_alone(tmp_path):
    command = [sys.executable, "-m", "expertcache", "study", "tiny", "--methods", "cloud-only"]
    command += ["--reference", "none", "--output"]
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen(
        [*command, tmp_path / "a"], stdout=subprocess.PIPE, stderr=theirs
    ) as shown:
        os.close(theirs)
        assert "cloud-only" in shown.stdout.read().decode()
        written = os.read(ours, 65536).decode()
    os.close(ours)
    assert "6/6" in written.strip().rsplit("\r", 1)[-1]
    assert written.strip().count("\n") == 0
    hidden = subprocess.run([*command, tmp_path / "b"], capture_output=True, check=True)
    assert hidden.stderr == b""


def test_progress_in_a_notebook(monkeypatch):
    given = {}

    class Bar(tqdm_notebook):
        def __init__(self, **words):
            given.update(words)
            super().__init__(disable=True)

    monkeypatch.setattr("expertcache.studies.study.tqdm", Bar)
    _progress(5, 2)
    assert given == {"total": 5, "initial": 3, "unit": "cell", "disable": False}
