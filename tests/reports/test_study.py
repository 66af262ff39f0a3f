import csv

import pandas as pd
import pytest
from expertcache.cli import main
from expertcache.instances.errors import InputError
from expertcache.instances.instance_file import write_instance
from expertcache.instances.suites import SUITES
from expertcache.reports import study as module
from expertcache.reports.study import COLUMNS, Study


@pytest.fixture(scope="module")
def instances():
    return tuple(SUITES["tiny"].instances())[:3]


def rows_of(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_table_figure_and_page(instances, tmp_path):
    study = Study(instances, ("greedy", "milp", "random"), (0, 1), 30.0, ("tiny",))
    table = study.run(tmp_path)
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
    assert "expertcache study tiny --methods greedy,milp,random" in page
    assert (tmp_path / "ratio.png").read_bytes().startswith(b"\x89PNG")


def test_goes_on_where_it_stopped_and_repeats_nothing(instances, tmp_path, monkeypatch):
    study = Study(instances, ("greedy", "successive"), (0,), 30.0)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    study.run(whole)
    calls = []
    real = module.solve

    def dying(instance, method, **arguments):
        calls.append((instance.name, method))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(instance, method, **arguments)

    monkeypatch.setattr(module, "solve", dying)
    with pytest.raises(KeyboardInterrupt):
        study.run(broken)
    # A kill may also tear a row in two.
    with (broken / "results.csv").open("a") as file:
        file.write("tiny-k1,succ")
    study.run(broken)
    assert len(calls) == len(set(calls)) + 1
    assert without_time(rows_of(broken)) == without_time(rows_of(whole))
    # Nothing is left to do.
    calls.clear()
    study.run(broken)
    assert calls == []


@pytest.mark.parametrize(
    "change", [{"methods": ("greedy",)}, {"seeds": (1,)}, {"time_limit_s": 5.0}], ids=str
)
def test_other_settings_in_the_same_folder_are_refused(change, instances, tmp_path):
    base = {"methods": ("cloud-only",), "seeds": (0,), "time_limit_s": 30.0}
    Study(instances[:1], **base).run(tmp_path)
    before = (tmp_path / "results.csv").read_bytes()
    with pytest.raises(InputError, match="other"):
        Study(instances[:1], **base | change).run(tmp_path)
    with pytest.raises(InputError, match="instances"):
        Study(instances[1:2], **base).run(tmp_path)
    assert (tmp_path / "results.csv").read_bytes() == before


def test_a_method_that_refuses_is_a_row(random_instance, tmp_path):
    instance = random_instance(1, top_k=2)
    Study((instance,), ("pipage", "greedy"), (0,), 30.0).run(tmp_path)
    first, second = rows_of(tmp_path)
    assert first["status"] == "none"
    assert "K = 1" in first["error"]
    assert second["status"] == "feasible"


def test_ratio_against_a_bound_where_nothing_is_proved(instances, tmp_path, monkeypatch):
    real = module.solve

    def unproved(instance, method, **arguments):
        solution = real(instance, method, **arguments)
        if method == "milp":
            # As if the time limit had struck with half of the way to go.
            values = solution.__dict__ | {
                "status": module.Status.FEASIBLE,
                "bound_latency_s": solution.latency_s / 2,
            }
            return type(solution)(**values)
        return solution

    monkeypatch.setattr(module, "solve", unproved)
    Study(instances[:1], ("milp",), (0,), 30.0).run(tmp_path)
    (row,) = rows_of(tmp_path)
    assert row["reference"] == "bound"
    expected = float(row["saving_s"]) / (
        float(row["latency_empty_s"]) - float(row["bound_latency_s"])
    )
    assert float(row["ratio"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ((), ("greedy",), (0,), 1.0),
        (None, (), (0,), 1.0),
        (None, ("greedy", "greedy"), (0,), 1.0),
        (None, ("magic",), (0,), 1.0),
        (None, ("greedy",), (-1,), 1.0),
        (None, ("greedy",), (0, 0), 1.0),
        (None, ("greedy",), (0,), 0.0),
    ],
    ids=str,
)
def test_bad_studies_are_refused(arguments, instances):
    given, *rest = arguments
    with pytest.raises(InputError):
        Study(instances if given is None else given, *rest)


def test_same_data_same_figure(instances, tmp_path):
    for name in ("a", "b"):
        Study(instances, ("greedy", "random"), (0,), 30.0).run(tmp_path / name)
    for kind in ("svg", "png"):
        one, two = ((tmp_path / n / f"ratio.{kind}").read_bytes() for n in ("a", "b"))
        assert one == two


def test_command_takes_suites_and_files(instances, tmp_path, capsys):
    path = tmp_path / "x.json"
    write_instance(instances[0].replace(name="mine"), path)
    words = ["--methods", "greedy,cloud-only", "--seed", "0", "--seed", "1", "--time-limit", "20"]
    assert main(["study", "tiny", str(path), *words, "--output", str(tmp_path / "d")]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "saving as a share of the optimum" in captured.out
    table = pd.read_csv(tmp_path / "d" / "results.csv")
    assert len(table) == (len(SUITES["tiny"].recipes) + 1) * 2 * 2
