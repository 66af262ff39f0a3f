"""Columns by dynamic programming against trying all choices."""

from itertools import product

import numpy as np
import pytest
from expertcache.decomposition.join import best_columns
from expertcache.decomposition.loss_tables import loss_limits
from expertcache.decomposition.multiple_choice import MultipleChoice
from expertcache.decomposition.parameters import DEFAULTS, Parameters
from expertcache.method import Limits

_NEVER = Limits().deadline()


def _case(seed):
    rng = np.random.default_rng(seed)
    N, layers = 1 + seed % 3, 1 + seed % 5
    load = [rng.integers(0, 5, (4, N)) for _ in range(layers)]
    loss = [rng.random(4) * (rng.random(4) < 0.8) for _ in range(layers)]
    room = rng.integers(0, 4 + 2 * layers, N)
    prices = rng.random(N) * (rng.random(N) < 0.8)
    losses = {
        choice: sum(part[k] for part, k in zip(loss, choice, strict=True)) + left @ prices
        for choice in product(range(4), repeat=layers)
        if (left := room - sum(part[k] for part, k in zip(load, choice, strict=True))).min() >= 0
    }
    return MultipleChoice(load, loss, room, prices), losses


@pytest.mark.parametrize(
    "parameters",
    [
        DEFAULTS,
        Parameters(join_numbers=300),
        Parameters(join_numbers=0),
        Parameters(join_widths=(1, 2, 500)),
        Parameters(join_filtered=0),
    ],
)
@pytest.mark.parametrize("seed", range(60))
def test_least_loss_of_all_choices(seed, parameters):
    problem, losses = _case(seed)
    least = min(losses.values(), default=np.inf)
    if least == np.inf:
        assert best_columns(problem, 100.0, _NEVER, parameters).columns is None
        return
    for most in (least * (1 + 1e-9) + 1e-12, least + 0.5, 100.0):
        found = best_columns(problem, most, _NEVER, parameters)
        assert found.loss == pytest.approx(least)
        assert found.least_loss == pytest.approx(least)
        assert losses[tuple(found.columns)] == pytest.approx(least)
    less = best_columns(problem, least - 1e-6, _NEVER, parameters)
    assert less.columns is None
    assert least - 2e-6 <= less.least_loss <= least * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_narrow_beam_is_a_bound(seed):
    problem, losses = _case(seed)
    least = min(losses.values(), default=np.inf)
    found = best_columns(problem, 100.0, _NEVER, Parameters(join_widths=(1,)))
    assert found.least_loss <= least * (1 + 1e-12)
    if found.columns:
        assert losses[tuple(found.columns)] == pytest.approx(found.loss)
        assert found.loss >= least * (1 - 1e-12)


def test_time_that_is_over_leaves_a_bound():
    for seed in range(10):
        problem, losses = _case(seed)
        found = best_columns(problem, 100.0, Limits(1e-9).deadline(), DEFAULTS)
        assert found.least_loss <= min(losses.values(), default=np.inf)


@pytest.mark.parametrize("seed", range(60))
def test_loss_limits_keep_every_choice(seed):
    problem, losses = _case(seed)
    load, loss = problem.load.copy(), problem.loss.copy()
    if seed % 5 == 0:
        # A layer of which no column is known so far.
        load[0], loss[0] = load[0][:0], loss[0][:0]
    most = np.median(list(losses.values())) if losses else 1.0
    limits = loss_limits(problem._replace(load=load, loss=loss), most, _NEVER, DEFAULTS)
    for choice, lost in losses.items():
        if lost <= most:
            for layer, column in enumerate(choice):
                if seed % 5 or layer == 0:
                    (limit,) = limits[layer].at(problem.load[layer][[column]])
                    assert problem.loss[layer][column] <= limit + 1e-9
