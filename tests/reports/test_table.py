"""The gap table, from rows made by hand."""

import numpy as np
import pandas as pd
import pytest
from expertcache.reports.figure import ratio_figure
from expertcache.reports.table import (
    gap_numbers,
    gap_table,
    gap_title,
    grouped,
    nothing_to_save,
)
from expertcache.reports.text_table import latex_table, markdown_table, text_table


def row(method, number, ratio, **more):
    """A solved cell; ratio None where nothing can be saved, nan where there is no bound."""
    known = {
        "instance": f"i{number}",
        "method": method,
        "saving_s": 0.5,
        "bound_latency_s": np.nan if ratio is not None and np.isnan(ratio) else 1.0,
        "ratio": np.nan if ratio is None else ratio,
        "gap": 0.25,
        "guarantee": 0.5,
        "seconds": 0.1,
        "reference": "optimum",
        "top_k": 2,
    }
    return known | more


def test_mean_deviation_and_least():
    rows = pd.DataFrame([row("a", n, ratio) for n, ratio in enumerate((1.0, 0.5, 0.6))])
    (line,) = gap_table(rows).to_dict("records")
    assert (line["K>=2 mean"], line["K>=2 min"]) == ("0.7000", "0.5000")
    assert line["K>=2 sd"] == f"{np.std([1.0, 0.5, 0.6], ddof=1):.4f}" == "0.2646"
    assert (line["optimal"], line["solved"]) == ("33 %", "3/3")
    assert gap_table(rows[:1])["K>=2 sd"][0] == "-"


def test_instances_with_nothing_to_save_count_nowhere():
    able = [row(m, n, r) for m, r in (("a", 1.0), ("b", 0.2)) for n in range(2)]
    idle = [row(m, 7, None, gap=0.0, guarantee=0.0) for m in ("a", "b")]
    failed = [row("b", 8, np.nan, saving_s=np.nan, gap=np.nan, error="no")]
    rows = pd.DataFrame([*able, *idle, *failed])
    assert list(nothing_to_save(rows)) == [False] * 4 + [True] * 2 + [False]
    with_idle, without = gap_table(rows), gap_table(rows[rows["instance"] != "i7"])
    pd.testing.assert_frame_equal(with_idle.drop(columns="solved"), without.drop(columns="solved"))
    assert list(with_idle["solved"]) == ["3/3", "3/4"]
    assert gap_title(rows).endswith("4 instances, 4 proved optimal, 1 with nothing to save")
    assert "nothing to save" not in gap_title(rows[:4])


def test_nothing_to_save_at_all():
    rows = pd.DataFrame([row(m, n, None) for m in ("a", "b") for n in range(2)])
    (line, _) = gap_table(rows).to_dict("records")
    assert {line[name] for name in ("K>=2 mean", "K>=2 min", "optimal", "mean gap")} == {"-"}
    (axes,) = ratio_figure(rows).axes
    assert [text.get_text() for text in axes.texts] == ["nothing to save"] * 2


def test_no_bound_is_not_nothing_to_save():
    rows = pd.DataFrame([row("a", n, np.nan, gap=np.nan) for n in range(2)])
    assert not nothing_to_save(rows).any()
    assert gap_table(rows)["optimal"][0] == "-"
    assert gap_table(rows)["K>=2 proven"][0] == "0.50"


@pytest.mark.parametrize("missing", [0, 12345])
def test_it_fits_on_120_columns(missing):
    worst = {"gap": 123.4, "seconds": 5999.123}
    rows = pd.DataFrame(
        [
            row("enumeration-greedy", n, ratio, top_k=top_k, **worst)
            for n, ratio in enumerate((1.0, 0.3, None))
            for top_k in (1, 2)
        ]
    )
    lines = text_table(grouped(gap_table(rows)), gap_title(rows, missing)).splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[1].split() == ["K=1", "K>=2"]
    assert lines[2].split()[:6] == ["method", "solved", "mean", "sd", "min", "proven"]
    assert ("12345 cells missing" in lines[0]) == bool(missing)


TITLE = "of a_b & c"
ROWS = [row("a_b & c", n, ratio, top_k=k) for n, ratio in enumerate((1.0, 0.5)) for k in (1, 2)]


def test_numbers_keep_their_digits():
    (line,) = gap_numbers(pd.DataFrame(ROWS)).to_dict("records")
    assert (line["solved"], line["cells"], line["optimal"]) == (4, 4, 0.5)
    assert line["K=1 sd"] == pytest.approx(np.std([1.0, 0.5], ddof=1), rel=1e-15)


def test_latex():
    lines = latex_table(grouped(gap_table(pd.DataFrame(ROWS))), TITLE).splitlines()
    assert lines[0] == f"% {TITLE}"
    assert lines[2] == r"\begin{tabular}{lrrrrrrrrrrrr}"
    assert lines[4].count("&") == 12 - 2 * 3
    assert r"\multicolumn{4}{c}{$K = 1$} & \multicolumn{4}{c}{$K \ge 2$}" in lines[4]
    assert lines[5] == r"\cmidrule(lr){3-6} \cmidrule(lr){7-10}"
    assert lines[8].startswith(r"a\_b \& c & 4/4 & 0.7500 &")
    assert lines[8].endswith(r"50 \% & 25.00 \% & 0.100 s \\")
    assert {line.count("&") - line.count(r"\&") for line in (lines[6], lines[8])} == {12}
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_markdown():
    table = grouped(gap_table(pd.DataFrame(ROWS)))
    table["", "method"] = "a|b"
    title, empty, head, rule, line = markdown_table(table, TITLE).splitlines()
    assert (title, empty) == (TITLE, "")
    assert head.startswith("| method | solved | K=1 mean |")
    assert head.count("|") == rule.count("|") == line.replace(r"\|", "").count("|") == 14
