"""Columns by dynamic programming against trying all choices."""

from itertools import product

import numpy as np
import pytest
from expertcache.formulations import column_program
from expertcache.formulations.column_program import best_columns
from expertcache.method import Limits


@pytest.mark.parametrize("seed", range(40))
def test_best_choice_of_all(seed):
    rng = np.random.default_rng(seed)
    N, layers = 1 + seed % 3, 1 + seed % 5
    load = [np.vstack([np.zeros(N, int), rng.integers(0, 4, (4, N))]) for _ in range(layers)]
    gain = [np.append(0.0, rng.random(4)) for _ in range(layers)]
    room = rng.integers(0, 7, N)
    chosen = best_columns(load, gain, room, Limits().deadline())
    values = {
        choice: sum(g[k] for g, k in zip(gain, choice, strict=True))
        for choice in product(range(5), repeat=layers)
        if (sum(part[k] for part, k in zip(load, choice, strict=True)) <= room).all()
    }
    assert values[tuple(chosen)] == pytest.approx(max(values.values()))


def test_too_large_is_refused(monkeypatch):
    load, gain = [np.array([[0], [3]])], [np.array([0.0, 1.0])]
    room, never = np.array([3]), Limits().deadline()
    assert best_columns(load, gain, room, never) == [1]
    monkeypatch.setattr(column_program, "_NUMBERS", 3)
    assert best_columns(load, gain, room, never) is None
