"""Methods beside one of them, instance by instance: paired differences and how sure they are."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
from scipy import stats

from ..problem.errors import InputError
from ..problem.instance import FloatArray
from ..problem.solution import PROOF_TOLERANCE

#: Of the bootstrap.
CONFIDENCE, RESAMPLES, SEED = 0.95, 9999, 0

#: Measures, each with the column of its differences.
_MEASURES = {"ratio": "share", "latency_s": "latency"}


def paired_differences(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Compare every method with one of them on the instances that both have solved.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``. An instance is one observation: its seeds count as their mean.
    method : str
        With which the others are compared.

    Returns
    -------
    DataFrame
        A row for each other method: ``method``; ``instances``, on how many both have a placement;
        ``better``, ``equal`` and ``worse``, on how many its latency is less, the same or more;
        ``share``, the mean difference of their shares of the optimal saving (where both have one);
        ``latency``, the mean of the relative differences of their latencies; both with ``_low`` and
        ``_high``, a 95 % interval of the mean by `bootstrap_interval`.

    Raises
    ------
    InputError
        If the study has no such method, or no other one.
    """
    known = list(rows["method"].drop_duplicates())
    if method not in known:
        raise InputError(f"the study has no method {method!r}, it has: {', '.join(known)}")
    if len(known) == 1:
        raise InputError(f"the study has no method but {method!r}")
    means = {
        name: rows.pivot_table(name, "instance", "method", aggfunc="mean", sort=False, dropna=False)
        for name in _MEASURES
    }
    lines = []
    for other in known:
        if other == method:
            continue
        latency = (means["latency_s"][other] / means["latency_s"][method] - 1).dropna()
        share = (means["ratio"][other] - means["ratio"][method]).dropna()
        line: dict[str, object] = {
            "method": other,
            "instances": len(latency),
            "better": int((latency < -PROOF_TOLERANCE).sum()),
            "equal": int((latency.abs() <= PROOF_TOLERANCE).sum()),
            "worse": int((latency > PROOF_TOLERANCE).sum()),
        }
        for name, differences in (("share", share), ("latency", latency)):
            low, high = bootstrap_interval(differences.to_numpy(dtype=np.float64))
            mean = float(differences.mean()) if len(differences) else math.nan
            line |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        lines.append(line)
    return pd.DataFrame(lines)


def bootstrap_interval(values: FloatArray) -> tuple[float, float]:
    """95 % interval of the mean of independent observations.

    The bootstrap that corrects bias and acceleration (BCa; Efron 1987,
    doi:10.1080/01621459.1987.10478410), with `RESAMPLES` resamples from the seed `SEED`: equal
    values give equal intervals. It is right in the limit of many observations; of less than about
    20 it is too narrow.

    Parameters
    ----------
    values : float array [n]

    Returns
    -------
    tuple of float
        NaN where there are less than two values; the value itself where all are the same.
    """
    if len(values) < 2:
        return math.nan, math.nan
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    with warnings.catch_warnings():
        # Of few values that are nearly all the same.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, method="BCa",
            vectorized=True, rng=np.random.default_rng(SEED), batch=1000,
        )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def comparison_table(differences: pd.DataFrame) -> pd.DataFrame:
    """Paired differences as text, for `text_table` and others."""
    columns = {
        ("", "method"): differences["method"],
        ("", "instances"): differences["instances"].astype(str),
        **{("", name): differences[name].astype(str) for name in ("better", "equal", "worse")},
    }
    for name, title, form in (
        ("share", "share of the optimum", "{:+.4f}"),
        ("latency", "latency", "{:+.2%}"),
    ):
        bounds = zip(differences[f"{name}_low"], differences[f"{name}_high"], strict=True)
        columns[title, "mean"] = differences[name].map(lambda v, form=form: _number(v, form))
        columns[title, "95 % interval"] = pd.Series(
            [
                "-" if math.isnan(low) else f"[{_number(low, form)}, {_number(high, form)}]"
                for low, high in bounds
            ],
            dtype="str",
        )
    table = pd.DataFrame(columns)
    table.columns = pd.MultiIndex.from_tuples(list(columns))
    return table


def comparison_title(method: str) -> str:
    """Say how the differences and their intervals were made."""
    return (
        f"difference to {method}, paired by instance; 95 % intervals of the mean by the BCa "
        f"bootstrap, {RESAMPLES} resamples, seed {SEED}"
    )


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value).replace("%", " %")
