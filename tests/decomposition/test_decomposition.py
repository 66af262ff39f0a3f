"""The layer decomposition: its bound, its parts, and the placements made from it."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from expertcache import bound
from expertcache.command_line.parser import main
from expertcache.decomposition import layer_search, layer_tree, pricing
from expertcache.decomposition.layer_search import LayerSearch
from expertcache.decomposition.layer_tree import good_placements as good_of_layer
from expertcache.decomposition.master import PriceMaster
from expertcache.decomposition.pricing import LayerPricing
from expertcache.decomposition.rounds import Decomposition
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

_SHAPES = [(2, 3, 1), (1, 4, 1), (1, 3, 2), (3, 2, 1), (2, 2, 2)]


def _instance(random_instance, seed, **changes):
    layers, experts, models = _SHAPES[seed % len(_SHAPES)]
    shape = {"layers": layers, "experts": experts, "models": models, "servers": 2, "top_k": 2}
    return random_instance(seed, **(shape | {"top_k": 1 + seed % 3} | changes))


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


@pytest.mark.parametrize("seed", range(20))
def test_exact_goes_on_where_the_decomposition_leaves_a_gap(
    seed, random_instance, brute_force_latency, monkeypatch
):
    monkeypatch.setattr(layer_tree, "_EXPERTS", 0)
    instance = _instance(random_instance, seed)
    best = brute_force_latency(instance)
    assert bound(instance, "decomposition").bound_latency_s <= best * (1 + 1e-12)
    solution = solve(instance, "exact")
    assert solution.status == "optimal"
    assert solution.latency_s == pytest.approx(best, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_tree_finds_the_best_placement_of_each_count(seed, random_instance):
    servers = 1 + seed % 3
    instance = random_instance(
        seed, layers=1, experts=5 - servers, servers=servers, top_k=1 + seed % 3, rows=30,
        capacity=0.6, unreachable=0.0,
    )  # fmt: skip
    (layer,) = split_layers(instance, coverage_terms(instance))
    rng = np.random.default_rng(seed)
    scale = layer.terms.weight_s.sum() / 6
    prices = rng.random(servers) * scale
    best = {}
    for choice in product([False, True], repeat=servers * layer.experts):
        cached = np.array(choice).reshape(servers, layer.experts)
        counts = tuple(cached.sum(axis=1).tolist())
        if (cached.sum(axis=1) <= layer.most).all():
            value = layer.gain_s(cached) - prices @ cached.sum(axis=1)
            best[counts] = max(best.get(counts, -np.inf), value)
    # Any multipliers are valid, good or bad.
    multipliers = rng.random((len(layer.terms.server_sets), layer.experts)) * scale
    for factor in (0.0, 0.3, 3.0):
        for least in (-np.inf, 0.0, 0.7 * max(best.values()), 2 * max(best.values()) + 1):
            room_prices = factor * rng.random(servers) * scale
            good = good_of_layer(
                layer, prices, factor * multipliers, room_prices, least, Limits().deadline()
            )
            found = {tuple(c): v for c, v in zip(good.counts.tolist(), good.value_s, strict=True)}
            # Experts that nobody asks for are never held.
            useful = {c: v for c, v in best.items() if v >= least}
            assert set(found) <= set(useful)
            for number, (counts, value) in enumerate(found.items()):
                assert value <= best[counts] + 1e-12
                cached = good.cached(number)
                assert tuple(cached.sum(axis=1).tolist()) == counts
                assert layer.gain_s(cached) - prices @ counts == pytest.approx(value, abs=1e-12)
            one = good_of_layer(
                layer, prices, factor * multipliers, room_prices, least, Limits().deadline(),
                best_only=True,
            )  # fmt: skip
            assert one.value_s.max(initial=-1.0) == good.value_s.max(initial=-1.0)
            for counts, value in useful.items():
                # No worse than with fewer experts that do all that these do.
                assert any(
                    v >= value - 1e-12 and (np.array(c) <= counts).all() for c, v in found.items()
                )


def test_tree_stops(random_instance, monkeypatch):
    instance = random_instance(1, layers=1, experts=4, servers=2, rows=30)
    (layer,) = split_layers(instance, coverage_terms(instance))
    sets = len(layer.terms.server_sets)

    def good(limit=None):
        prices, deadline = np.zeros(2), Limits(limit or np.inf).deadline()
        return good_of_layer(layer, prices, np.zeros((sets, 4)), np.zeros(2), 0.0, deadline)

    assert len(good().value_s) > 1
    assert good(1e-9) is None
    monkeypatch.setattr(layer_tree, "_PLACEMENTS", 0)
    assert good() is None
    monkeypatch.setattr(layer_tree, "_NODES", 1)
    assert good() is None


@pytest.mark.parametrize("seed", range(20))
def test_bound_from_relaxed_layers_is_valid_and_says_so(
    seed, random_instance, brute_force_latency, monkeypatch
):
    monkeypatch.setattr(pricing, "EXACT_ROWS", -1)
    monkeypatch.setattr(layer_tree, "_EXPERTS", 0)
    instance = _instance(random_instance, seed)
    relaxed = bound(instance, "decomposition")
    assert relaxed.bound_latency_s <= brute_force_latency(instance) * (1 + 1e-12)
    assert set(relaxed.meta["pricing"]) <= {"exact", "lp"}


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
    with pytest.raises(InputError, match=r"greedy has no bound of its own.*: decomposition, lp"):
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


@pytest.mark.parametrize("seed", range(20))
def test_pricing_is_exact_and_the_search_never_beats_it(seed, random_instance, monkeypatch):
    room = 1.0 if seed % 2 else 0.5
    instance = random_instance(
        seed, layers=1, experts=4, servers=2, top_k=1 + seed % 3, rows=30, capacity=room
    )
    (layer,) = split_layers(instance, coverage_terms(instance))
    prices = np.random.default_rng(seed).random(2) * layer.terms.weight_s.sum() / 6
    codes = np.arange(256)
    every = ((codes[:, None] >> np.arange(8)) & 1 == 1).reshape(-1, 2, 4)
    every = every[(every.sum(axis=2) <= layer.most).all(axis=1)]
    best = max(layer.gain_s(x) - prices @ x.sum(axis=1) for x in every)
    nothing = np.zeros((2, 4), dtype=bool)
    for experts in (16, 0):
        # By a tree, then by the integer program.
        monkeypatch.setattr(layer_tree, "_EXPERTS", experts)
        priced = LayerPricing(layer).price(
            prices, nothing, 0.0, Limits().deadline(), Limits().deadline()
        )
        assert priced.pricing == "exact"
        assert priced.bound_s >= best * (1 - 1e-12)
        assert priced.bound_s == pytest.approx(best, rel=1e-6, abs=1e-6)
    for experts in (12, 0):
        # By tables, then by minimum cuts.
        monkeypatch.setattr(layer_search, "_TABLE_EXPERTS", experts)
        first = LayerSearch(layer).search(prices, [nothing])[0]
        found = layer.gain_s(first) - prices @ first.sum(axis=1)
        assert -1e-12 <= found <= best + 1e-12
        for n in range(2 if experts or (layer.most == 4).all() else 0):
            # No change of one server helps.
            for x in every[(every[:, 1 - n] == first[1 - n]).all(axis=1)]:
                assert layer.gain_s(x) - prices @ x.sum(axis=1) <= found + 1e-8


def test_rounding_is_feasible_and_not_worse_than_its_start(random_instance):
    for seed in range(10):
        instance = _instance(random_instance, seed, servers=3)
        start = solve(instance, "successive")
        placement = start.placement.cached(instance)
        with Decomposition(instance) as decomposition:
            decomposition.add(placement)
            for _ in decomposition.rounds(Limits().deadline()):
                pass
        rounded = decomposition.master.rounded(Limits(), placement)
        assert (rounded @ instance.item_bytes <= instance.capacity_bytes).all()
        saving = decomposition.terms.saving_s(rounded)
        assert start.saving_s * (1 - 1e-12) <= saving <= decomposition.bound_s


def test_method_stops_within_the_wanted_gap(random_instance):
    instance = random_instance(3, layers=8, experts=6, servers=3, rows=120, users=5)
    solution = solve(instance, "decomposition", limits=Limits(gap=0.5))
    assert solution.stopped_by == "gap"
    assert solution.gap <= 0.5


def test_fractional_columns_never_replace_placements(random_instance):
    instance = random_instance(2, layers=1, experts=4, rows=30, unreachable=0.0)
    layers = split_layers(instance, coverage_terms(instance))
    master = PriceMaster(instance, layers)
    one = np.zeros((2, 4), dtype=bool)
    one[0, 0] = True
    master.add(0, one)
    master.add_fractional(0, 1e3, one.sum(axis=1).astype(float))
    assert all(cached is not None for cached in master.best(0, np.zeros(2), 9))
    assert master.rounded(Limits(), one).sum() <= 1


def test_nothing_is_enumerated_before_a_certified_round(random_instance):
    with Decomposition(random_instance(3)) as decomposition:
        assert decomposition.within(0.0, 1.0, Limits().deadline()) is None


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_rates_of_any_scale(scale, random_instance):
    instance = random_instance(
        10, models=1, servers=2, users=4, layers=4, experts=4, rows=40, capacity=0.3
    )
    requests = instance.requests
    scaled = replace(instance, requests=replace(requests, rate=requests.rate * scale))
    one, other = bound(instance, "decomposition"), bound(scaled, "decomposition")
    assert other.bound_latency_s == pytest.approx(scale * one.bound_latency_s, rel=1e-6)


@pytest.mark.parametrize("experts", [16, 0])
def test_relaxations_that_say_nothing(experts, monkeypatch):
    """Three servers with room for one expert, each pair near one user: half of each pays."""
    monkeypatch.setattr(layer_tree, "_EXPERTS", experts)
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
    result = bound(instance, "decomposition")
    assert (result.stopped_by, result.bound_latency_s) == ("proof", pytest.approx(1.5, abs=1e-6))


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


@pytest.mark.parametrize("seed", range(24))
def test_enumeration_of_several_layers_against_milp(seed, random_instance):
    shape = {"layers": 3 + seed % 4, "experts": 3 + seed % 3, "servers": 2 + seed % 3}
    instance = random_instance(
        1500 + seed, top_k=2 + seed % 2, rows=25, users=6, capacity=0.2 + 0.1 * (seed % 4), **shape
    )
    best = solve(instance, "milp")
    found = solve(instance, "decomposition")
    assert (best.status, found.status) == ("optimal", "optimal")
    assert found.latency_s == pytest.approx(best.latency_s, rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_parts_solved_on_their_own_fit_together(
    seed, random_instance, brute_force_latency, monkeypatch
):
    # Without enumeration: relaxations, then dives.
    monkeypatch.setattr(layer_tree, "_EXPERTS", 0)
    monkeypatch.setattr(pricing, "EXACT_ROWS", -1)
    instance = _instance(random_instance, seed)
    start = solve(instance, "successive")
    one, two = (solve(instance, "decomposition", seed=5) for _ in range(2))
    assert one.placement == two.placement
    assert one.latency_s <= start.latency_s
    best = brute_force_latency(instance)
    assert one.bound_latency_s <= best * (1 + 1e-12)
    assert one.latency_s >= best * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_settled_layers_fit(seed, random_instance):
    instance = random_instance(
        seed, layers=6, experts=6, servers=3, rows=120, users=5, equal_sizes=seed % 2 == 0
    )
    with Decomposition(instance) as decomposition:
        for _ in decomposition.rounds(Limits().deadline()):
            pass
        for least in (0.0, 0.4, 1.0):
            fixed, free = decomposition.master.settled(least)
            assert (fixed @ instance.item_bytes <= instance.capacity_bytes).all()
            for number in free:
                assert not fixed[:, decomposition.layers[number].own].any()
