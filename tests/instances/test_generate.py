import math
import time
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from expertcache.instances.generate import generate, most_used, scenario_fields
from expertcache.instances.model_table import model_table
from expertcache.instances.scenario import Scenario
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance, write_instance
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = Scenario(servers=2, users=4, layers=2)


def rates(instance, user, layer):
    """Rate of each expert set of one user and layer."""
    requests = instance.requests
    mine = (requests.user == user) & (requests.layer == layer)
    sets = [frozenset(e for e in row if e >= 0) for row in requests.experts[mine].tolist()]
    assert len(set(sets)) == len(sets)
    return dict(zip(sets, requests.rate[mine].tolist(), strict=True))


def layer_sums(instance):
    """Sum of the rates of each model and layer."""
    requests = instance.requests
    return {
        (m, layer): requests.rate[(requests.model == m) & (requests.layer == layer)].sum()
        for m, model in enumerate(instance.models)
        for layer in range(model.layers)
    }


def variation(instance):
    """Mean total variation between the laws of two users, over layers and pairs."""
    distances = []
    for layer in range(instance.models[0].layers):
        laws = [rates(instance, u, layer) for u in range(instance.users)]
        for a, b in combinations(laws, 2):
            gap = math.fsum(abs(a.get(s, 0) - b.get(s, 0)) for s in a.keys() | b.keys())
            distances.append(gap / 2 * instance.users)
    return np.mean(distances)


@pytest.mark.parametrize(
    "scenario",
    [
        SMALL,
        SMALL.replace(local=2, tokens=20),
        SMALL.replace(models=("gpt-oss-20b", "dbrx"), max_sets=50),
        SMALL.replace(user_concentration="inf", coactivation=0),
    ],
)
def test_equal_seeds_give_equal_bytes(scenario):
    first = instance_bytes(generate(scenario, 3))
    assert instance_bytes(generate(scenario, 3)) == first
    assert instance_bytes(generate(scenario, 4)) != first


@pytest.mark.parametrize("card", list(model_table().values()), ids=lambda card: card.name)
def test_every_model_generates(card):
    instance = generate(SMALL.replace(models=(card.name,)), 0)
    model = instance.models[0]
    assert (model.name, model.layers) == (card.name, 2)
    assert (model.experts, model.top_k) == (card.experts, card.top_k)
    assert model.expert_bytes == card.expert_bytes()
    assert ((instance.requests.experts >= 0).sum(axis=1) == card.top_k).all()
    assert layer_sums(instance) == pytest.approx({(0, 0): 1, (0, 1): 1}, abs=1e-6)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    users=st.integers(1, 6),
    concentration=st.sampled_from([0.1, 5.0, math.inf]),
    tokens=st.sampled_from([None, 7]),
    max_sets=st.sampled_from([15, 300]),
)
def test_each_user_and_layer_has_an_equal_share(seed, users, concentration, tokens, max_sets):
    scenario = SMALL.replace(
        users=users, user_concentration=concentration, tokens=tokens, max_sets=max_sets
    )
    instance = generate(scenario, seed)
    for user in range(users):
        for layer in range(2):
            assert sum(rates(instance, user, layer).values()) == pytest.approx(1 / users, rel=1e-6)
    assert layer_sums(instance) == pytest.approx({(0, 0): 1, (0, 1): 1}, abs=1e-6)


def test_mixed_models():
    names = ("switch-base-8", "mixtral-8x7b", "dbrx")
    instance = generate(SMALL.replace(models=names, users=7), 0)
    assert tuple(m.name for m in instance.models) == names
    # User u runs model u mod 3: three users of the first, two of each other.
    for u in range(7):
        assert set(instance.requests.model[instance.requests.user == u]) == {u % 3}
    size = (instance.requests.experts >= 0).sum(axis=1)
    assert (size == np.array([1, 2, 4])[instance.requests.model]).all()
    shares = {(m, layer): (3, 2, 2)[m] / 7 for m in range(3) for layer in range(2)}
    assert layer_sums(instance) == pytest.approx(shares, abs=1e-6)
    assert instance.server_latency_s.shape == (7, 2, 3)


def test_fewer_users_than_models():
    instance = generate(SMALL.replace(models=("dbrx", "mixtral-8x7b"), users=1), 0)
    assert set(instance.requests.model) == {0}


def test_infinite_concentration_makes_users_alike():
    instance = generate(SMALL.replace(user_concentration="inf", users=5), 1)
    for layer in range(2):
        laws = [rates(instance, u, layer) for u in range(5)]
        assert all(law == laws[0] for law in laws)
    assert variation(instance) == 0


def test_users_of_one_model_are_alike_among_other_models():
    scenario = SMALL.replace(models=("mixtral-8x7b", "phi-3.5-moe"), user_concentration="inf")
    instance = generate(scenario, 1)
    assert rates(instance, 0, 0) == rates(instance, 2, 0)
    assert rates(instance, 1, 0) == rates(instance, 3, 0)
    assert rates(instance, 0, 0) != rates(instance, 1, 0)


def test_small_concentration_makes_users_differ():
    distances = [
        variation(generate(SMALL.replace(user_concentration=c, users=8), 1))
        for c in (1e6, 300, 30, 3, 0.3)
    ]
    assert distances[0] < 0.01
    assert (np.diff(distances) > 0.02).all()
    assert distances[-1] > 0.7


@pytest.mark.parametrize("concentration", [1e-2, 1e-4, 1e-9])
def test_vanishing_concentration_gives_each_user_a_set_of_their_own(concentration):
    # The limit of the Dirichlet law is one set, drawn from the common law: users then differ most.
    scenario = Scenario(
        servers=1, users=200, layers=1, skew=0, coactivation=0, user_concentration=concentration
    )
    instance = generate(scenario, 0)
    favourites = []
    for u in range(200):
        law = rates(instance, u, 0)
        favourites.append(max(law, key=law.get))
    count = np.array([favourites.count(s) for s in set(favourites)])
    # 28 equally likely sets, about 7 users each.
    assert len(count) >= 25
    assert count.max() < 25


def test_users_average_to_the_common_law():
    scenario = Scenario(servers=1, users=400, layers=1, user_concentration=20)
    drawn = generate(scenario, 5)
    common = generate(scenario.replace(user_concentration="inf"), 5)
    total = np.zeros((8, 8))
    for instance, sign in ((drawn, 1), (common, -1)):
        np.add.at(total, tuple(instance.requests.experts.T), sign * instance.requests.rate)
    assert np.abs(total).sum() / 2 < 0.05


@pytest.mark.parametrize("tokens", [1, 7, 100])
def test_counted_tokens_give_whole_counts(tokens):
    instance = generate(SMALL.replace(tokens=tokens, users=3), 0)
    counts = instance.requests.rate * tokens * 3
    assert np.allclose(counts, counts.round(), rtol=1e-6)
    assert counts.min() > 0.5
    for user in range(3):
        for layer in range(2):
            assert len(rates(instance, user, layer)) <= tokens


def test_zero_rates_make_no_row():
    instance = generate(SMALL.replace(user_concentration=0.05), 0)
    assert (instance.requests.rate > 0).all()


@pytest.mark.parametrize("models", [("mixtral-8x7b",), ("dbrx", "switch-base-8")])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_local_experts_are_the_most_used(models, count):
    instance = generate(SMALL.replace(models=models, local=count, tokens=3), 0)
    requests = instance.requests
    use = np.zeros((instance.users, instance.items))
    for r in range(len(requests)):
        for expert in requests.experts[r]:
            if expert >= 0:
                item = instance.item(requests.model[r], requests.layer[r], expert)
                use[requests.user[r], item] += requests.rate[r]
    for u in range(instance.users):
        for m in range(len(models)):
            for layer in range(2):
                items = np.flatnonzero((instance.item_model == m) & (instance.item_layer == layer))
                kept = instance.local[u, items]
                mine = use[u, items]
                # A device keeps nothing that its user never asks for.
                assert kept.sum() == min(count, np.count_nonzero(mine))
                if kept.any() and not kept.all():
                    assert mine[kept].min() >= mine[~kept].max() - 1e-12


def test_equally_used_experts_are_kept_by_number(two_servers):
    assert most_used(two_servers, np.array([1])).tolist() == [[False, True, False]]
    rate = np.array([0.5, 0.5])
    requests = two_servers.requests
    tied = two_servers.replace(
        requests=type(requests)(
            requests.user, requests.model, requests.layer, np.array([[1, 2], [0, 1]]), rate
        )
    )
    assert most_used(tied, np.array([2])).tolist() == [[True, True, False]]


def test_no_local_expert_by_default():
    assert not generate(SMALL, 0).local.any()


@pytest.mark.parametrize("capacity", [0.0, 0.2, 0.123456, 0.999999, 1.0])
def test_capacity_is_a_share_of_all_bytes_rounded_down(capacity):
    names = ("mixtral-8x7b", "switch-base-8")
    instance = generate(SMALL.replace(models=names, capacity=capacity), 0)
    total = int(instance.item_bytes.sum())
    assert total == 2 * 8 * 2 * (176160768 + 4718592)
    assert instance.capacity_bytes.tolist() == [math.floor(Fraction(str(capacity)) * total)] * 2


@pytest.mark.parametrize(
    ("name", "percent", "room"),
    [
        ("mixtral-8x7b", 25, 64),
        ("mixtral-8x7b", 75, 192),
        # 0.35 * 1280 experts are 448 exactly; floating point must not make it 447.
        ("granite-3.0-3b-a800m", 35, 448),
        ("granite-3.0-3b-a800m", 70, 896),
    ],
)
def test_a_capacity_of_whole_experts_holds_them(name, percent, room):
    scenario = Scenario(models=(name,), servers=1, users=1, capacity=percent / 100, max_sets=10)
    instance = generate(scenario, 0)
    assert instance.capacity_bytes[0] // instance.models[0].expert_bytes == room


@pytest.mark.parametrize("capacity", [1e20, 1e300])
def test_absurd_capacities_are_refused(capacity):
    with pytest.raises(InputError, match="capacity"):
        generate(SMALL.replace(capacity=capacity), 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"users": 10**9},
        {"servers": 10**9},
        {"users": 10**5, "servers": 10**4},
        {"servers": 10**5, "users": 1},
        {"layers": 10**9},
        {"experts": 10**9},
        {"experts": 10**6, "top_k": 256},
        {"max_sets": 10**9, "experts": 100},
        {"users": 10**6, "tokens": 10**6},
        # Few rows, but 48 layers * 1000 users * 150,000 shares on the way: 57 GB.
        {"models": ("qwen3-30b-a3b",), "users": 1000, "max_sets": 150_000, "tokens": 1},
        # Few rows, but 5e9 (user, expert) pairs.
        {"users": 500, "experts": 10**7, "layers": 1, "max_sets": 1},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_huge_scenarios_are_refused_before_anything_is_drawn(changes, monkeypatch):
    def refuse(*_):
        raise AssertionError("drawing began")

    monkeypatch.setattr(np.random, "default_rng", refuse)
    start = time.process_time()
    with pytest.raises(InputError, match=r"limit|must be"):
        generate(Scenario().replace(**changes), 0)
    assert time.process_time() - start < 2


def test_negative_seeds_are_refused():
    with pytest.raises(InputError, match="seed"):
        generate(SMALL, -1)


def test_seeds_beyond_64_bits(tmp_path):
    write_instance(generate(SMALL, 2**64), tmp_path / "x.json")
    assert read_instance(tmp_path / "x.json").meta["seed"] == 2**64


@pytest.mark.parametrize(
    "scenario",
    [SMALL, SMALL.replace(user_concentration="inf", radius_m="inf", tokens=5, local=1)],
)
def test_the_file_says_how_to_make_it_again(scenario, tmp_path):
    instance = generate(scenario, 11)
    assert instance.meta == {
        "generator": "scenario",
        "seed": 11,
        "scenario": scenario_fields(scenario),
    }
    write_instance(instance, tmp_path / "x.json")
    meta = read_instance(tmp_path / "x.json").meta
    again = generate(Scenario().replace(**meta["scenario"]), meta["seed"])
    assert instance_bytes(again) == instance_bytes(instance)


def test_names():
    assert generate(SMALL, 5).name == "mixtral-8x7b-n2-u4-s5"
    assert generate(SMALL, 5, name="mine").name == "mine"


def test_positions_are_inside_the_square():
    instance = generate(SMALL.replace(users=50, area_m=10), 0)
    for positions in (instance.server_position_m, instance.user_position_m):
        assert positions.min() >= 0
        assert positions.max() <= 10


def test_given_positions_change_the_links_only():
    drawn = generate(SMALL, 0)
    servers, users = np.array([[0.0, 0.0], [9e4, 0.0]]), np.full((4, 2), 10.0)
    placed = generate(SMALL, 0, server_position_m=servers, user_position_m=users)
    assert np.array_equal(placed.server_position_m, servers)
    assert np.array_equal(placed.user_position_m, users)
    assert np.isfinite(placed.server_latency_s[:, 0]).all()
    assert np.isinf(placed.server_latency_s[:, 1]).all()
    assert np.array_equal(placed.requests.experts, drawn.requests.experts)
    assert np.array_equal(placed.requests.rate, drawn.requests.rate)


def test_positions_of_another_number_are_refused():
    with pytest.raises(InputError):
        generate(SMALL, 0, user_position_m=np.zeros((3, 2)))


def test_a_sweep_changes_nothing_but_what_is_swept():
    few, more = generate(SMALL, 5), generate(SMALL.replace(servers=SMALL.servers + 2), 5)
    assert np.array_equal(more.server_position_m[: SMALL.servers], few.server_position_m)
    assert np.array_equal(more.user_position_m, few.user_position_m)
    assert np.array_equal(more.requests.rate, few.requests.rate)
    crowd = generate(SMALL.replace(users=SMALL.users + 2), 5)
    assert np.array_equal(crowd.server_position_m, few.server_position_m)
    assert np.array_equal(crowd.user_position_m[: SMALL.users], few.user_position_m)
    rows = len(few.requests)
    scale = SMALL.users / (SMALL.users + 2)
    assert np.array_equal(crowd.requests.experts[:rows], few.requests.experts)
    assert np.allclose(crowd.requests.rate[:rows], few.requests.rate * scale, rtol=1e-6)
