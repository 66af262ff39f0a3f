"""Whatever is added to `coverage` or asked of HiGHS, the optimum stays that of brute force."""

import numpy as np
import pytest
from expertcache.formulations.compiled import compiled
from expertcache.formulations.coverage import coverage_model
from expertcache.instances.suites import SUITES
from expertcache.linear.highs import run_highs
from expertcache.method import Limits
from expertcache.problem.errors import InputError
from expertcache.solver import solve

_BARE = {"partners": False, "profiles": False}
_SWITCHES = [
    {},
    _BARE,
    _BARE | {"partners": True},
    _BARE | {"profiles": True},
    {"start_orders": 0},
    {"tuned": False},
]

# Enough experts in a layer, and little enough room, for the rows to bind.
_SHAPES = [
    {"layers": 1, "experts": 5},
    {"layers": 2, "experts": 3},
    {"layers": 1, "experts": 3, "models": 2},
    {"layers": 1, "experts": 4, "servers": 3, "local": 0.0},
]


@pytest.mark.parametrize("seed", range(24))
def test_every_switch_keeps_the_optimum(seed, random_instance, brute_force_latency):
    instance = random_instance(
        seed, top_k=2 + seed % 2, rows=20, capacity=(0.25, 0.4)[seed // 4 % 2], **_SHAPES[seed % 4]
    )
    best = brute_force_latency(instance)
    for options in _SWITCHES:
        solution = solve(instance, "milp", options=options)
        assert (solution.status, solution.stopped_by) == ("optimal", "proof"), options
        assert solution.latency_s == pytest.approx(best, rel=1e-6, abs=1e-12), options


def test_rows_tighten_the_relaxation():
    instance = next(i for i in SUITES["small"].instances() if i.name == "k3-dbrx")
    optimum = solve(instance, "milp").latency_s
    bounds = []
    for rows in (_BARE, {"partners": True, "profiles": False}, {}):
        linear, _ = compiled(coverage_model(instance, **rows))
        bounds.append(run_highs(linear, limits=Limits(), relax=True).bound)
    assert np.all(np.diff(bounds) > 1e-6 * optimum)
    assert bounds[-1] <= optimum


@pytest.mark.parametrize("orders", [-1, 1001])
def test_bad_values_are_refused(orders, two_servers):
    with pytest.raises(InputError, match="start_orders"):
        solve(two_servers, "milp", options={"start_orders": orders})
