"""The bound from row multipliers against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from expertcache.linear.highs import LinearModel


def _model(cost, matrix, row_lower, row_upper, lower, upper):
    return LinearModel(
        cost=np.array(cost, dtype=float),
        offset=0.0,
        matrix=sp.csc_array(np.array(matrix, dtype=float)),
        row_lower=np.array(row_lower, dtype=float),
        row_upper=np.array(row_upper, dtype=float),
        lower=np.array(lower, dtype=float),
        upper=np.array(upper, dtype=float),
        integer=np.zeros(len(cost), dtype=bool),
    )


def _exact(values):
    return np.vectorize(Fraction, otypes=[object])(values)


def _exact_bound(model, y):
    """The value of the Lagrangian dual, without any rounding."""
    rows = sum(
        y_i * Fraction(low if y_i > 0 else high)
        for y_i, low, high in zip(_exact(y), model.row_lower, model.row_upper, strict=True)
        if y_i
    )
    reduced = _exact(model.cost) - _exact(model.matrix.toarray()).T @ _exact(y)
    ends = zip(reduced, _exact(model.lower), _exact(model.upper), strict=True)
    return rows + sum(min(d * low, d * high) for d, low, high in ends)


@pytest.mark.parametrize("seed", range(200))
def test_never_above_the_exact_value(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 12, 2)
    matrix = rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-6, 7, (rows, 1))
    y = rng.standard_normal(rows) * 10.0 ** rng.integers(-3, 4, rows)
    # Multipliers at which the reduced costs nearly vanish, as at an optimum.
    cost = matrix.T @ y + rng.standard_normal(columns) * 10.0 ** rng.integers(-12, 1)
    lower = rng.integers(-3, 3, columns)
    model = _model(
        cost, matrix, np.zeros(rows), np.zeros(rows), lower, lower + rng.integers(0, 4, columns)
    )
    exact, bound = _exact_bound(model, y), model.dual_bound(y)
    assert Fraction(bound) <= exact
    size = (np.abs(cost) + np.abs(matrix).T @ np.abs(y)) @ np.maximum(np.abs(lower), 6)
    assert bound >= float(exact) - 1e-13 * size


@pytest.mark.parametrize("seed", range(50))
def test_never_above_the_objective_of_a_feasible_point(seed):
    """Rows of large numbers that cancel out, at multipliers that make the point optimal."""
    rng = np.random.default_rng(seed)
    half = rng.integers(-(2**40), 2**40, (5, 6)).astype(float)
    # With all columns at 1 every row is 0.
    matrix = np.column_stack([half, -half.sum(axis=1)])
    y = rng.standard_normal(5)
    cost = matrix.T @ y - 1e-9
    model = _model(cost, matrix, np.zeros(5), np.zeros(5), np.zeros(7), np.ones(7))
    assert Fraction(model.dual_bound(y)) <= sum(_exact(cost))


def test_infinite_boxes_matter_only_where_the_sign_is_open():
    rows, y = ([0.0], [np.inf]), np.array([3.0])

    def bound(cost, coefficient, lower, upper):
        return _model([cost], [[coefficient]], *rows, [lower], [upper]).dual_bound(y)

    assert bound(2.0, 0.5, 0.0, np.inf) == 0.0
    assert bound(1.0, 0.5, -np.inf, 0.0) == 0.0
    assert bound(2.0, 0.5, 1.0, np.inf) == pytest.approx(0.5)
    assert bound(1.0, 0.5, 0.0, np.inf) == -np.inf
    assert bound(0.0, 0.0, -np.inf, np.inf) == 0.0
    # 0.3 - 3 * 0.1 is not 0, but nobody can say that from rounded numbers.
    assert bound(0.3, 0.1, 0.0, np.inf) == -np.inf
