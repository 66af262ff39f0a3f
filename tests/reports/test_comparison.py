"""Paired differences: what is compared, and how often the interval is right."""

import math

import numpy as np
import pandas as pd
import pytest
from expertcache.problem.errors import InputError
from expertcache.reports.comparison import (
    bootstrap_interval,
    comparison_table,
    paired_differences,
)
from expertcache.reports.text_table import latex_table, text_table


def rows(**latencies):
    """A row for each method, instance and seed; ratio 2 - latency; nan where a cell failed."""
    return pd.DataFrame(
        {"method": method, "instance": f"i{i}", "latency_s": value, "ratio": 2 - value}
        for method, table in latencies.items()
        for i, seeds in enumerate(table)
        for value in (seeds if isinstance(seeds, tuple) else (seeds,))
    )


def test_means_over_seeds_are_paired_by_instance():
    table = rows(a=[1.0, 1.0, 1.0], b=[(1.0, 1.2), 0.9, math.nan])
    (line,) = paired_differences(table, "a").to_dict("records")
    assert (line["method"], line["instances"]) == ("b", 2)
    assert (line["better"], line["equal"], line["worse"]) == (1, 0, 1)
    assert line["latency"] == pytest.approx((0.1 - 0.1) / 2)
    assert line["share"] == pytest.approx(0.0)
    assert line["latency_low"] <= line["latency"] <= line["latency_high"]
    again = paired_differences(table, "a").to_dict("records")
    assert again == [line]


def test_no_pair_and_no_ratio():
    table = rows(a=[1.0, math.nan], b=[math.nan, 1.0], c=[2.0, 2.0]).assign(ratio=np.nan)
    b, c = paired_differences(table, "a").to_dict("records")
    assert (b["instances"], c["instances"]) == (0, 1)
    assert math.isnan(b["latency"])
    assert c["latency"] == pytest.approx(1.0)
    assert math.isnan(c["latency_low"])
    assert math.isnan(c["share"])
    text = text_table(comparison_table(paired_differences(table, "a")))
    assert text.splitlines()[-1].split() == ["c", "1", "0", "0", "1", "-", "-", "+100.00", "%", "-"]


def test_in_latex():
    table = comparison_table(paired_differences(rows(a=[1.0, 2.0], b=[0.9, 1.8]), "a"))
    line = latex_table(table).splitlines()[-3]
    assert line.startswith("b & 2 & 2 & 0 & 0 & +0.1500 & ")
    assert line.endswith(r"$-$10.00 \% & [$-$10.00 \%, $-$10.00 \%] \\")


@pytest.mark.parametrize("method", ["c", ""])
def test_an_unknown_method_is_refused(method):
    with pytest.raises(InputError, match="it has: a, b"):
        paired_differences(rows(a=[1.0], b=[1.0]), method)
    with pytest.raises(InputError, match="no method but"):
        paired_differences(rows(a=[1.0]), "a")


def test_the_interval_holds_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    # Skewed, as differences are: many small ones, few large ones.
    inside = [
        low <= 1.0 <= high
        for low, high in (bootstrap_interval(rng.exponential(size=40)) for _ in range(60))
    ]
    assert 0.85 <= np.mean(inside) <= 1.0


def test_few_values():
    assert all(math.isnan(end) for end in bootstrap_interval(np.array([1.0])))
    assert bootstrap_interval(np.full(5, 0.25)) == (0.25, 0.25)
    low, high = bootstrap_interval(np.array([0.0, 1.0]))
    assert 0 <= low <= high <= 1
