import numpy as np
import pytest
from expertcache.formulations.compiled import compiled
from expertcache.formulations.coverage import coverage_model
from expertcache.formulations.lp_bound import lp_bound
from expertcache.formulations.placement_block import MAX_ROWS
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.instances.suites import SUITES
from expertcache.linear.highs import run_highs
from expertcache.method import Limits
from expertcache.problem.errors import InputError, UnsupportedError
from expertcache.problem.instance import Model
from expertcache.problem.placement import Placement
from expertcache.solver import solve


@pytest.fixture(scope="module")
def hard():
    """Too hard for HiGHS in a second, small enough to build at once."""
    return generate(Scenario(layers=4, servers=4, users=10, area_m=500, tokens=12), 1)


def test_time_limit_is_never_called_optimal(hard):
    solution = solve(hard, "milp", limits=Limits(time_s=1.5))
    assert solution.stopped_by == "time"
    assert solution.status == "feasible"
    assert 0 < solution.bound_latency_s < solution.latency_s
    assert solution.gap == pytest.approx(solution.latency_s / solution.bound_latency_s - 1)


def test_node_limit(hard):
    solution = solve(hard, "milp", limits=Limits(nodes=1, time_s=60))
    assert (solution.status, solution.stopped_by) == ("feasible", "nodes")
    assert solution.bound_latency_s < solution.latency_s


def test_gap_is_a_reason_of_its_own():
    instance = list(SUITES["small"].instances())[3]
    solution = solve(instance, "milp", limits=Limits(gap=0.5))
    assert (solution.status, solution.stopped_by) == ("feasible", "gap")
    assert solution.gap <= 0.5


def test_no_time_at_all_leaves_a_placement_and_proves_nothing(hard):
    solution = solve(hard, "milp", limits=Limits(time_s=1e-6))
    assert (solution.status, solution.stopped_by) == ("feasible", "time")
    assert solution.saving_s >= 0
    without = solve(hard, "milp", limits=Limits(time_s=1e-6), options={"start_orders": "0"})
    assert (without.status, without.stopped_by) == ("none", "time")
    assert without.latency_s is None
    assert without.placement is None


def test_start_is_never_lost(hard):
    start = solve(hard, "successive")
    placement = start.placement
    solution = solve(hard, "milp", limits=Limits(nodes=0, time_s=60), start=placement)
    assert solution.latency_s <= start.latency_s * (1 + 1e-9)
    for method in ("milp", "exact"):
        at_once = solve(hard, method, limits=Limits(time_s=1e-6), start=placement)
        assert at_once.latency_s <= start.latency_s * (1 + 1e-9)


def test_infeasible_start_is_refused(two_servers):
    everything = Placement.of(two_servers, np.ones((2, 3), dtype=bool))
    with pytest.raises(InputError, match="exceeds a capacity"):
        solve(two_servers, "milp", start=everything)


def test_one_byte_short_is_short(two_servers):
    """Large sizes of two kinds, and room for both but for one byte."""
    sizes = (176160768, 78643201)
    instance = two_servers.replace(
        models=tuple(Model(f"m{size}", 1, 3, 2, size) for size in sizes),
        capacity_bytes=np.array([2 * sum(sizes) - 1, 0]),
        server_latency_s=np.array([[[0.1, 0.1], [0.2, 0.2]]]),
        cloud_latency_s=np.ones((1, 2)),
        local_latency_s=np.ones((1, 2)),
        local=np.zeros((1, 6), dtype=bool),
        requests=type(two_servers.requests)(
            user=np.zeros(2, dtype=int),
            model=np.array([0, 1]),
            layer=np.zeros(2, dtype=int),
            experts=np.array([[0, 1], [0, 1]]),
            rate=np.array([0.6, 0.4]),
        ),
    )
    solution = solve(instance, "milp")
    assert solution.status == "optimal"
    assert solution.latency_s == pytest.approx(0.6 * 0.1 + 0.4 * 1.0)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3])
def test_proof_does_not_depend_on_the_unit_of_time(unit, random_instance, brute_force_latency):
    base = random_instance(7, top_k=2)
    instance = base.replace(
        server_latency_s=base.server_latency_s * unit,
        cloud_latency_s=base.cloud_latency_s * unit,
        local_latency_s=base.local_latency_s * unit,
    )
    for formulation in ("coverage", "threshold", "assignment"):
        solution = solve(instance, "milp", options={"formulation": formulation})
        assert solution.status == "optimal"
        assert solution.latency_s == pytest.approx(brute_force_latency(instance), rel=1e-6)


def test_same_seed_same_work():
    instance = list(SUITES["small"].instances())[7]
    one, two = (solve(instance, "milp", seed=3) for _ in range(2))
    assert one.placement == two.placement
    assert one.meta["nodes"] == two.meta["nodes"]


def test_too_large_a_model_is_refused_before_it_is_built(monkeypatch, two_servers):
    assert MAX_ROWS >= 100_000
    for formulation in ("coverage", "threshold", "assignment"):
        monkeypatch.setattr("expertcache.formulations.placement_block.MAX_ROWS", 1)
        with pytest.raises(UnsupportedError, match="rows"):
            solve(two_servers, "milp", options={"formulation": formulation})


def test_dual_bound_holds_for_any_multipliers(random_instance, brute_force_latency):
    instance = random_instance(4, top_k=2)
    linear, _ = compiled(coverage_model(instance))
    best = brute_force_latency(instance)
    rng = np.random.default_rng(0)
    for scale in (0.0, 0.01, 1.0, 100.0):
        y = scale * rng.normal(size=len(linear.row_lower))
        assert linear.dual_bound(y) <= best + 1e-12
    relaxed = run_highs(linear, limits=Limits(), relax=True)
    assert linear.dual_bound(relaxed.row_dual) == pytest.approx(
        linear.cost @ relaxed.values + linear.offset, rel=1e-6
    )


def test_lp_bound_stopped_early_is_still_a_bound(hard):
    full = lp_bound(hard, limits=Limits())
    early = lp_bound(hard, limits=Limits(time_s=1e-3))
    assert full.stopped_by == "proof"
    assert early.bound_saving_s >= full.bound_saving_s - 1e-9


def test_components_have_names():
    instance = next(iter(SUITES["tiny"].instances()))
    model = coverage_model(instance)
    assert {c.local_name for c in model.component_objects()} >= {
        "x", "z", "capacity", "cover", "latency",
    }  # fmt: skip
