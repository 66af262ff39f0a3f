import csv
import math

import msgspec
import pandas as pd
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.recipe import stored
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import read_instance, write_instance
from expertcache.problem.solution import Status, StoppedBy, read_solution, write_solution
from expertcache.studies.results import COLUMNS
from expertcache.studies.study import Choice, Study

RECIPES = SUITES["tiny"].recipes[:3]


def study(methods, recipes=RECIPES, **more):
    return Study(recipes, tuple(Choice(m) for m in methods), time_limit_s=30.0, **more)


def rows_of(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_table_figure_and_page(tmp_path):
    table = study(("greedy", "milp", "random"), seeds=(0, 1), command="study me").run(tmp_path)
    rows = rows_of(tmp_path)
    assert tuple(rows[0]) == COLUMNS
    keys = [(r["instance"], r["method"], r["seed"]) for r in rows]
    assert len(keys) == len(set(keys)) == 3 * 3 * 2
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
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["greedy", "milp", "random"]
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "study me" in page
    assert (tmp_path / "ratio.png").read_bytes().startswith(b"\x89PNG")


def test_goes_on_where_it_stopped_and_repeats_nothing(tmp_path):
    plan = study(("greedy", "successive", "milp"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    plan.run(whole)
    plan.run(broken)
    # As if a kill had come after four rows, in the middle of the fifth.
    lines = (broken / "results.csv").read_bytes().splitlines(keepends=True)
    (broken / "results.csv").write_bytes(b"".join(lines[:5]) + lines[5][:20])
    (broken / "references" / "2.json").unlink()
    plan.run(broken)
    assert without_time(rows_of(broken)) == without_time(rows_of(whole))
    assert (broken / "results.csv").read_bytes().splitlines(keepends=True)[:5] == lines[:5]
    before = (broken / "results.csv").read_bytes()
    plan.run(broken, jobs=2)
    assert (broken / "results.csv").read_bytes() == before


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
        {"choices": (Choice("greedy"),)},
        {"choices": (Choice("cloud-only", label="other"),)},
        {"seeds": (1,)},
        {"time_limit_s": 5.0},
        {"reference": "lp"},
        {"memory_mb": 4000},
        {"recipes": RECIPES[1:2]},
    ],
    ids=str,
)
def test_other_settings_in_the_same_folder_are_refused(change, tmp_path):
    base = {"recipes": RECIPES[:1], "choices": (Choice("cloud-only"),), "reference": "none"}
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
    path = tmp_path / "references" / "0.json"
    proved = read_solution(path)
    stopped = msgspec.structs.replace(
        proved,
        status=Status.FEASIBLE,
        stopped_by=StoppedBy.TIME,
        bound_latency_s=proved.latency_s / 2,
    )
    write_solution(stopped, path)
    lines = (tmp_path / "results.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "results.csv").write_bytes(b"".join(lines[:2]))
    plan.run(tmp_path)
    row = rows_of(tmp_path)[1]
    assert (row["method"], row["reference"]) == ("greedy", "bound")
    most = proved.latency_empty_s - proved.latency_s / 2
    assert float(row["ratio"]) == pytest.approx(float(row["saving_s"]) / most)


def test_linear_relaxation_as_the_reference(tmp_path):
    study(("milp", "greedy"), reference="lp").run(tmp_path)
    rows = rows_of(tmp_path)
    assert {row["reference"] for row in rows} == {"bound"}
    assert all(0 <= float(row["ratio"]) <= 1 + 1e-9 for row in rows)
    assert all(float(row["gap"]) >= 0 for row in rows)


def test_methods_with_options_under_their_own_names(tmp_path):
    choices = (
        Choice("max-convolution", "coarse", {"epsilon": 0.5}),
        Choice("max-convolution", "", {"epsilon": "0.01"}),
    )
    Study(RECIPES[:1], choices).run(tmp_path)
    assert [row["method"] for row in rows_of(tmp_path)] == ["coarse", "max-convolution"]


def test_placements_are_kept(tmp_path):
    study(("greedy",)).run(tmp_path)
    paths = sorted((tmp_path / "solutions").iterdir())
    assert paths
    for path in paths:
        assert read_solution(path).placement is not None


@pytest.mark.parametrize(
    "change",
    [
        {"recipes": ()},
        {"choices": ()},
        {"choices": (Choice("greedy"), Choice("greedy"))},
        {"choices": (Choice("magic"),)},
        {"choices": (Choice("greedy", options={"rule": "worst"}),)},
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
        Study(**{"recipes": RECIPES, "choices": (Choice("greedy"),)} | change)


def test_command_takes_suites_and_files(tmp_path, capsys):
    path = tmp_path / "x.json"
    write_instance(RECIPES[0].make().replace(name="mine"), path)
    words = ["--methods", "greedy,cloud-only", "--seed", "0", "--seed", "1", "--time-limit", "20"]
    assert main(["study", "tiny", str(path), *words, "--output", str(tmp_path / "d")]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "saving as a share of the optimum" in captured.out
    table = pd.read_csv(tmp_path / "d" / "results.csv")
    assert len(table) == (len(SUITES["tiny"].recipes) + 1) * 2 * 2
    assert read_instance(path).name == "mine"
