"""The gap table, from rows made by hand."""

import numpy as np
import pandas as pd
import pytest
from expertcache.reports.figure import ratio_figure
from expertcache.reports.table import gap_table, nothing_to_save, table_text


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
    text = table_text(rows, with_idle, 0)
    assert text.splitlines()[0].endswith("4 instances, 4 proved optimal, 1 with nothing to save")
    assert "nothing to save" not in table_text(rows[:4], without, 0)


def test_nothing_to_save_at_all(tmp_path):
    rows = pd.DataFrame([row(m, n, None) for m in ("a", "b") for n in range(2)])
    (line, _) = gap_table(rows).to_dict("records")
    assert {line[name] for name in ("K>=2 mean", "K>=2 min", "optimal", "mean gap")} == {"-"}
    ratio_figure(rows, tmp_path)
    assert (tmp_path / "ratio.svg").exists()


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
    lines = table_text(rows, gap_table(rows), missing).splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[1].split() == ["K=1", "K>=2"]
    assert lines[2].split()[:6] == ["method", "solved", "mean", "sd", "min", "proven"]
    assert ("12345 cells missing" in lines[0]) == bool(missing)
