"""Performance profiles, from rows made by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from expertcache.reports.profile_figure import performance_profile, profile_figure


def rows():
    """Three instances; b is twice as slow on i0, fails on i1, and is better on i2."""
    table = [
        ("i0", "a", 1.0, 1.0, "optimal"),
        ("i0", "b", 2.0, 8.0, "optimal"),
        ("i1", "a", 1.0, 1.0, "feasible"),
        ("i1", "b", math.nan, math.nan, "none"),
        ("i2", "a", 3.0, 1.0, "feasible"),
        ("i2", "a", 5.0, 3.0, "optimal"),
        ("i2", "b", 2.0, 4.0, "optimal"),
    ]
    return pd.DataFrame(table, columns=["instance", "method", "latency_s", "seconds", "status"])


def test_latency():
    found = performance_profile(rows(), "latency")
    assert list(found.columns) == ["a", "b"]
    assert found.to_numpy().tolist() == [[1.0, 2.0], [1.0, math.inf], [2.0, 1.0]]


def test_time_to_proof():
    found = performance_profile(rows(), "time")
    # On i1 nobody proves anything; on i2 one seed of a does not.
    assert found.to_numpy().tolist() == [[1.0, 8.0], [math.inf] * 2, [math.inf, 1.0]]


def test_what_has_not_run_has_not_failed():
    found = performance_profile(rows()[:3], "latency")
    assert list(found.index) == ["i0"]


def test_of_one_method_every_cost_is_the_least():
    table = rows().query("method == 'a'")
    assert (performance_profile(table, "latency") == 1).all(axis=None)


@pytest.mark.parametrize("measure", ["latency", "time"])
def test_curves_rise_to_the_share_that_is_solved(measure):
    figure = profile_figure(rows(), measure, width_in=3.4)
    assert figure.get_size_inches()[0] == 3.4
    multiple = performance_profile(rows(), measure)
    for line, name in zip(figure.axes[0].lines, multiple.columns, strict=True):
        share = np.asarray(line.get_ydata())
        assert (np.diff(share) >= 0).all()
        assert share[0] == (multiple[name] <= 1).mean()
        assert share[-1] == np.isfinite(multiple[name]).mean()


@pytest.mark.parametrize("measure", ["latency", "time"])
def test_nothing_solved(measure):
    table = rows().assign(latency_s=math.nan, status="none")
    assert len(profile_figure(table, measure).axes[0].lines) == 2
