"""`table` and `figure` on the folder of a study, and the same in Python."""

import math
from pathlib import Path

import pandas as pd
import pytest
from expertcache import SUITES, InputError, Study, read_results
from expertcache.command_line.parser import main
from expertcache.command_line.words import inches
from expertcache.reports.results_table import DTYPES

STUDY = Study(SUITES["tiny"].recipes[:3], ("milp", "greedy", "random"), seeds=(0, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "study"
    STUDY.run(path)
    return path


def test_results_have_types(folder, tmp_path):
    rows = read_results(folder)
    assert {name: str(rows[name].dtype) for name in DTYPES} == {
        name: "object" if kind == "str" and str(rows[name].dtype) == "object" else kind
        for name, kind in DTYPES.items()
    }
    assert rows["seed"].isna().sum() == 3
    assert (rows["error"].isna()).all()
    pd.testing.assert_frame_equal(STUDY.results(folder), rows)
    other = Study(STUDY.recipes, ("greedy",))
    with pytest.raises(InputError, match="belongs to a study with other methods"):
        other.results(folder)
    with pytest.raises(InputError, match=r"study\.json"):
        STUDY.results(tmp_path)


def test_tables(folder, capsys):
    def table(*words):
        assert main(["table", str(folder), *words]) == 0
        return capsys.readouterr().out

    first = table("--methods", "random,milp").splitlines()
    assert [line.split()[0] for line in first[3:]] == ["random", "milp"]
    assert table("--format", "latex").splitlines()[-1] == r"\end{tabular}"
    assert table("--latex") == table("--format", "latex")
    assert "| greedy |" in table("--format", "markdown")
    assert "bootstrap" in table("--compare", "milp", "--methods", "greedy").splitlines()[0]
    lines = table("--compare", "milp", "--format", "csv").splitlines()
    assert lines[0].startswith("method,instances,better,equal,worse,share,share_low,")
    assert [line.split(",")[0] for line in lines[1:]] == ["greedy", "random"]


@pytest.mark.parametrize("kind", ["ratio", "profile", "time-profile"])
def test_figures(kind, folder, tmp_path, capsys):
    path = tmp_path / "figure.pdf"
    words = ["figure", str(folder), "--kind", kind, "--width", "3.4in", "--output", str(path)]
    for _ in range(2):
        assert main([*words, "--methods", "milp,random"]) == 0
    assert b"/MediaBox [ 0 0 244.8 " in path.read_bytes()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("table", "missing"), "no results.csv"),
        (("table", "{}", "--methods", "magic"), "no method 'magic', it has: milp, greedy, random"),
        (("table", "{}", "--compare", "magic"), "no method 'magic'"),
        (("table", "{}", "--format", "word"), "--format"),
        (("figure", "{}", "--output", "x.jpg"), ".pdf"),
        (("figure", "{}", "--output", "good.json"), ".pdf"),
        (("figure", "{}", "--format", "pdf", "--output", "x.svg"), "not the name of a pdf"),
        (("figure", "{}", "--format", "jpg", "--output", "x"), "--format"),
        (("figure", "{}", "--kind", "sweep", "--output", "x.pdf"), "does not sweep"),
        (("figure", "{}", "--width", "wide", "--output", "x.pdf"), "--width"),
        (("figure", "missing", "--output", "x.pdf"), "no results.csv"),
        (("figure", "{}", "--output", "no/x.pdf"), "no directory"),
        (("figure", "{}", "--kind", "pie", "--output", "x.pdf"), "--kind"),
    ],
)
def test_refusals(words, says, folder, refused):
    refused(*(word.format(folder) for word in words), says=says)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe", b"", b'instance\n"'])
def test_no_results(content, refused):
    Path("study").mkdir()
    Path("study", "results.csv").write_bytes(content)
    refused("table", "study", says="results")


def test_lengths():
    assert inches("3.4in") == 3.4
    assert inches("72.27 pt") == pytest.approx(1.0)
    assert inches("25.4mm") == pytest.approx(inches("2.54cm")) == pytest.approx(1.0)
    for bad in ("3.4", "in", "-1in", "0.5in", "1e3in", "101in"):
        with pytest.raises(InputError, match="--width"):
            inches(bad)


def test_a_study_that_failed(tmp_path, capsys):
    # All cells failed: no ratio, no size of an instance.
    Study(SUITES["tiny"].recipes[2:3], ("pipage",), reference="none").run(tmp_path / "d")
    assert main(["table", str(tmp_path / "d")]) == 0
    assert "0/1" in capsys.readouterr().out
    assert math.isnan(read_results(tmp_path / "d")["ratio"][0])
