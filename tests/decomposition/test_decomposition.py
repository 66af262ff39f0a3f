"""The layer decomposition: its bound, its parts, and the placements made from it."""

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
from expertcache import bound
from expertcache.command_line.parser import main
from expertcache.decomposition.dual import Dual
from expertcache.decomposition.dual_bound import dual_bound
from expertcache.decomposition.master import RestrictedMaster
from expertcache.decomposition.parameters import Parameters
from expertcache.decomposition.pool import LayerPool
from expertcache.decomposition.small_layers import SmallLayers
from expertcache.linear.coverage_program import coverage_program
from expertcache.linear.highs import run_highs
from expertcache.method import Limits
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import latency_empty_s
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.instance_file import write_instance
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st

_NO_TREE = Parameters(tree_experts=0)
_SHAPES = [(2, 3, 1), (1, 4, 1), (1, 3, 2), (3, 2, 1), (2, 2, 2)]


def _instance(random_instance, seed, **changes):
    layers, experts, models = _SHAPES[seed % len(_SHAPES)]
    shape = {"layers": layers, "experts": experts, "models": models, "servers": 2, "top_k": 2}
    return random_instance(seed, **(shape | {"top_k": 1 + seed % 3} | changes))


def _large(random_instance):
    """Layers too large for a tree."""
    return random_instance(
        1, layers=3, experts=20, servers=3, rows=600, users=5, top_k=2, capacity=0.2
    )


@pytest.mark.parametrize("seed", range(60))
def test_bound_is_never_above_the_optimum(seed, random_instance, brute_force_latency):
    instance = _instance(random_instance, seed)
    best = brute_force_latency(instance)
    decomposition = bound(instance, "decomposition")
    assert decomposition.bound_latency_s <= best * (1 + 1e-12)
    assert decomposition.stopped_by == "proof"
    # The maxima over whole placements of a layer are tighter than the relaxation.
    terms = coverage_terms(instance)
    relaxed = -run_highs(
        coverage_program(instance, terms).linear, limits=Limits(), relax=True
    ).bound
    empty = latency_empty_s(instance)
    assert empty - decomposition.bound_latency_s <= relaxed + 2e-6 * empty
    # So small that the enumeration ends: a proof.
    for method in ("decomposition", "exact"):
        solution = solve(instance, method)
        assert solution.status == "optimal"
        assert solution.latency_s == pytest.approx(best, rel=1e-6, abs=1e-12)
        assert solution.bound_latency_s <= best * (1 + 1e-12)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(1, 6, 2, 1), (1, 4, 3, 3), (2, 3, 2, 2), (2, 2, 3, 3), (3, 2, 2, 2)]),
)
def test_the_gap_is_at_most_what_as_many_layers_save_as_there_are_servers(
    seed, shape, random_instance, brute_force_latency
):
    servers, layers, experts, top_k = shape
    instance = random_instance(
        seed, servers=servers, layers=layers, experts=experts, top_k=top_k, rows=5 * layers
    )
    most = latency_empty_s(instance) - brute_force_latency(instance)
    limit = latency_empty_s(instance) - bound(instance, "decomposition").bound_latency_s
    layers_s = [
        part.terms.weight_s.sum() for part in split_layers(instance, coverage_terms(instance))
    ]
    assert limit - most <= sum(sorted(layers_s)[-servers:]) + 1e-6 * limit


@pytest.mark.parametrize("seed", range(20))
def test_exact_goes_on_where_the_decomposition_leaves_a_gap(
    seed, random_instance, brute_force_latency
):
    instance = _instance(random_instance, seed)
    best = brute_force_latency(instance)
    found = dual_bound(instance, limits=Limits(), parameters=_NO_TREE)
    assert latency_empty_s(instance) - found.bound_saving_s <= best * (1 + 1e-12)
    solution = solve(instance, "exact", options={"tree_experts": 0})
    assert solution.status == "optimal"
    assert solution.latency_s == pytest.approx(best, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("numbers", "pricing"), [(0, "split"), (1500, "lp")])
@pytest.mark.parametrize("seed", range(20))
def test_bound_from_relaxed_layers_is_valid_and_says_so(
    seed, numbers, pricing, random_instance, brute_force_latency
):
    instance = _instance(random_instance, seed)
    parameters = Parameters(tree_experts=0, program_rows=0, relaxed_numbers=numbers)
    relaxed = dual_bound(instance, limits=Limits(), parameters=parameters)
    best = brute_force_latency(instance)
    assert latency_empty_s(instance) - relaxed.bound_saving_s <= best * (1 + 1e-12)
    assert set(relaxed.meta["pricing"]) <= {"exact", "split", pricing}


def test_every_round_is_a_bound_and_the_log_only_rises(random_instance):
    instance = random_instance(3, layers=8, experts=6, servers=3, rows=120, users=5)
    result = bound(instance, "decomposition")
    known = [row["bound_latency_s"] for row in result.meta["log"]]
    assert known == sorted(known)
    assert known[-1] == result.bound_latency_s
    assert sum(result.meta["pricing"].values()) == 8
    best = solve(instance, "milp")
    assert best.status == "optimal"
    assert known[-1] <= best.latency_s


def test_bound_stopped_early_is_still_a_bound(random_instance):
    instance = random_instance(3, layers=8, experts=6, servers=3, rows=120, users=5)
    full = bound(instance, "decomposition")
    early = bound(instance, "decomposition", limits=Limits(time_s=1e-3))
    assert 0 <= early.bound_latency_s <= full.bound_latency_s
    assert early.stopped_by == "time"


def test_processes_give_the_same_bound(random_instance):
    instance = random_instance(5, layers=4, experts=5, servers=3, rows=60)
    alone = bound(instance, "decomposition")
    shared = bound(instance, "decomposition", limits=Limits(threads=2))
    assert shared.bound_latency_s == alone.bound_latency_s
    assert shared.meta["pricing"] == alone.meta["pricing"]


def test_instance_without_a_saving(random_instance):
    instance = random_instance(1, capacity=0.0, rows=3)
    result = bound(instance, "decomposition")
    assert result.bound_latency_s <= latency_empty_s(instance)
    assert solve(instance, "decomposition").status == "optimal"
    nobody = random_instance(1, unreachable=1.0)
    assert bound(nobody, "decomposition").bound_latency_s == pytest.approx(latency_empty_s(nobody))


def test_methods_without_a_bound_say_which_have_one(random_instance):
    known = "configuration, decomposition, lp"
    with pytest.raises(InputError, match=rf"greedy has no bound of its own.*: {known}"):
        bound(random_instance(0), "greedy")


@pytest.mark.parametrize("seed", range(10))
def test_layers_sum_to_the_whole_saving(seed, random_instance):
    instance = _instance(random_instance, seed)
    terms = coverage_terms(instance)
    cached = np.random.default_rng(seed).random((instance.servers, instance.items)) < 0.5
    layers = split_layers(instance, terms)
    parts = [
        layer.gain_s(cached[:, layer.first_item : layer.first_item + layer.experts])
        for layer in layers
    ]
    assert sum(parts) == pytest.approx(terms.saving_s(cached))


def test_method_stops_within_the_wanted_gap(random_instance):
    instance = random_instance(3, layers=8, experts=6, servers=3, rows=120, users=5)
    solution = solve(instance, "decomposition", limits=Limits(gap=0.5))
    assert solution.stopped_by == "gap"
    assert solution.gap <= 0.5


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_rates_of_any_scale(scale, random_instance):
    instance = random_instance(
        10, models=1, servers=2, users=4, layers=4, experts=4, rows=40, capacity=0.3
    )
    requests = instance.requests
    scaled = replace(instance, requests=replace(requests, rate=requests.rate * scale))
    one, other = bound(instance, "decomposition"), bound(scaled, "decomposition")
    assert other.bound_latency_s == pytest.approx(scale * one.bound_latency_s, rel=1e-6)


@pytest.mark.parametrize("parameters", [Parameters(), _NO_TREE])
def test_relaxations_that_say_nothing(parameters):
    """Three servers with room for one expert, each pair near one user: half of each pays."""
    server_latency = np.full((3, 3, 1), np.inf)
    for user, near in enumerate([(0, 1), (1, 2), (0, 2)]):
        server_latency[user, list(near), 0] = 0.1
    instance = Instance(
        models=(Model("m", 2, 1, 1, 10),),
        capacity_bytes=np.array([10, 10, 10]),
        server_latency_s=server_latency,
        cloud_latency_s=np.ones((3, 1)),
        local_latency_s=np.ones((3, 1)),
        local=np.zeros((3, 2), dtype=bool),
        requests=Requests(
            user=np.repeat([0, 1, 2], 2),
            model=np.zeros(6, int),
            layer=np.tile([0, 1], 3),
            experts=np.zeros((6, 1), int),
            rate=np.ones(6),
        ),
        name="triangle",
    )
    result = dual_bound(instance, limits=Limits(), parameters=parameters)
    assert (result.stopped_by, result.bound_saving_s) == ("proof", pytest.approx(4.5, abs=1e-6))


def test_command_line(tmp_path, capsys, random_instance):
    instance = random_instance(5, layers=2, experts=4)
    path = tmp_path / "x.json"
    write_instance(instance, path)
    assert main(["bound", str(path), "--method", "decomposition", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["method"] == "decomposition"
    assert printed["status"] == "complete"
    assert printed["pricing"] == {"exact": 2}
    assert printed["log"][-1]["bound_latency_s"] == printed["bound_latency_s"]
    assert main(["bound", str(path), "--method", "decomposition"]) == 0
    assert "layers                  2 exact" in capsys.readouterr().out
    words = ["solve", str(path), "--method", "successive", "--bound", "decomposition", "--json"]
    assert main(words) == 0
    solved = json.loads(capsys.readouterr().out)
    assert solved["bound_latency_s"] == pytest.approx(printed["bound_latency_s"])


@pytest.mark.parametrize(
    "options", [{"enumeration_share": 0}, {"tree_experts": 0, "program_rows": 0}], ids=str
)
@pytest.mark.parametrize("seed", range(10))
def test_without_enumeration(seed, options, random_instance, brute_force_latency):
    instance = _instance(random_instance, seed)
    start = solve(instance, "successive")
    one, two = (solve(instance, "decomposition", seed=5, options=options) for _ in range(2))
    assert one.placement == two.placement
    assert one.latency_s <= start.latency_s
    best = brute_force_latency(instance)
    assert one.bound_latency_s <= best * (1 + 1e-12)
    assert one.latency_s >= best * (1 - 1e-12)


def test_parts_are_solved_on_their_own(random_instance, monkeypatch):
    dives, dive = [], SmallLayers._dive

    def counted(steps, least):
        before = steps._incumbent.saving_s
        dive(steps, least)
        dives.append(steps._incumbent.saving_s - before)

    monkeypatch.setattr(SmallLayers, "_dive", counted)
    for seed in range(12):
        instance = random_instance(
            seed, layers=6, experts=6, servers=3, rows=120, users=5, top_k=2, capacity=0.25
        )
        best = solve(instance, "milp")
        assert best.status == "optimal"
        found = solve(instance, "decomposition", options={"enumeration_share": 0})
        assert found.bound_latency_s <= best.latency_s * (1 + 1e-9)
        assert found.latency_s >= best.latency_s * (1 - 1e-9)
        assert found.saving_s >= 0.97 * best.saving_s
        if found.status != "optimal":
            assert found.meta["no_enumeration"] == "no time was left"
    assert len(dives) > 12
    assert min(dives) >= 0 < max(dives)


@pytest.mark.parametrize("servers", [11, 70])
@pytest.mark.parametrize("top_k", [1, 3])
def test_more_servers_than_a_tree_has(servers, top_k, random_instance):
    instance = random_instance(
        2, layers=2, experts=5, servers=servers, rows=40, users=4, top_k=top_k, capacity=0.1
    )
    best = solve(instance, "milp")
    assert best.status == "optimal"
    found = solve(instance, "decomposition", limits=Limits(time_s=3))
    assert best.latency_s * (1 - 1e-9) <= found.latency_s
    assert found.bound_latency_s <= best.latency_s * (1 + 1e-9)
    assert found.meta.get("no_enumeration", "a layer is too large") == "a layer is too large"


def test_a_wanted_gap_ends_the_split(random_instance, monkeypatch):
    monkeypatch.setattr("expertcache.decomposition.large_layers.ColumnGeneration", None)
    instance = _large(random_instance)
    found = solve(instance, "decomposition", limits=Limits(gap=9.0))
    assert found.stopped_by == "gap"
    assert 0 < found.gap <= 9.0


@pytest.mark.parametrize("numbers", [0, 1500])
def test_layers_too_large_for_a_tree_are_split(numbers, random_instance):
    instance = random_instance(
        1, layers=3, experts=10, servers=3, rows=60, users=5, top_k=2, capacity=0.2
    )
    best = solve(instance, "milp")
    assert best.status == "optimal"
    options = {"program_rows": 0, "tree_experts": 8, "relaxed_numbers": numbers}
    limits = Limits(time_s=10)
    found = solve(instance, "decomposition", options=options, limits=limits)
    assert found.meta["no_enumeration"] == "a layer is too large"
    assert found.bound_latency_s <= best.latency_s * (1 + 1e-12)
    assert found.saving_s >= 0.99 * best.saving_s
    alone = dual_bound(instance, limits=limits, parameters=Parameters(**options))
    assert {"split": 3} in [row["pricing"] for row in alone.meta["log"]]
    limit = latency_empty_s(instance) - alone.bound_saving_s
    assert limit == pytest.approx(found.bound_latency_s, rel=1e-3)


def test_any_number_of_processes_splits_alike(random_instance):
    instance = random_instance(
        1, layers=3, experts=10, servers=3, rows=60, users=5, top_k=2, capacity=0.2
    )
    layers = split_layers(instance, coverage_terms(instance))
    found = []
    for threads in (1, 2, 8):
        with LayerPool(layers, Limits(threads=threads), Parameters(tree_experts=8)) as pool:
            dual = Dual(RestrictedMaster(instance, layers), pool)
            bounds = list(dual.split(Limits().deadline()))
            found.append((bounds, dual.best.prices.tolist(), len(dual.master)))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) > 1


def test_processes_that_are_stopped_while_they_split(random_instance):
    instance = _large(random_instance)
    begun = []

    def stop(event):
        begun.append(event)
        return event.bound_latency_s is not None

    found = solve(instance, "decomposition", limits=Limits(threads=2), callback=stop)
    assert found.stopped_by == "interrupted"
    assert found.bound_latency_s == begun[-1].bound_latency_s > 0


def test_a_process_that_dies_costs_no_placement(random_instance):
    instance = _large(random_instance)
    known = []

    def kill(event):
        known.append(event)
        for process in multiprocessing.active_children()[:1] if event.bound_latency_s else ():
            process.kill()
        return False

    found = solve(instance, "decomposition", limits=Limits(threads=2), callback=kill)
    assert (found.status, found.stopped_by) == ("feasible", "error")
    assert "process has died" in found.meta["error"]
    assert "process has died" in found.summary()
    assert found.latency_s <= min(event.latency_s for event in known if event.latency_s)
    assert found.bound_latency_s > 0
    found = solve(instance, "exact", limits=Limits(threads=2), callback=kill)
    assert (found.status, found.stopped_by) == ("feasible", "error")
    alone = bound(instance, "decomposition", limits=Limits(threads=2), callback=kill)
    assert alone.stopped_by == "error"
    assert alone.bound_latency_s > 0
