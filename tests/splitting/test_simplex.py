"""Projections onto the simplex."""

import numpy as np
import pytest
from expertcache.splitting.simplex import _network, onto_simplex
from hypothesis import given
from hypothesis import strategies as st


@given(
    entries=st.integers(1, 40),
    columns=st.integers(0, 5),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e6]),
)
def test_the_nearest_point(entries, columns, seed, scale):
    points = scale * np.random.default_rng(seed).integers(-3, 4, (entries, columns)) / 2
    found = onto_simplex(points)
    assert (found >= 0).all()
    assert found.sum(axis=0) == pytest.approx(np.ones(columns), abs=1e-9 * max(1.0, scale))
    # What is taken off is the same everywhere, and no less where nothing is left.
    taken = points - found
    for column, kept in zip(taken.T, found.T, strict=True):
        assert np.ptp(column[kept > 0]) <= 1e-12 * max(1.0, scale)
        assert (column <= column[kept > 0].max() + 1e-12 * max(1.0, scale)).all()


@pytest.mark.parametrize("entries", range(1, 17))
def test_the_network_sorts(entries):
    # By the principle of zeros and ones it sorts anything if it sorts these.
    rows = (np.arange(min(1 << entries, 1 << 12))[:, None] * 2654435761 >> np.arange(entries)) & 1
    for first, second in _network(entries):
        rows[:, [first, second]] = np.sort(rows[:, [first, second]], axis=1)[:, ::-1]
    assert (np.diff(rows, axis=1) <= 0).all()
