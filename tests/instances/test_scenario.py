import math

import pytest
from expertcache.instances.scenario import Scenario
from expertcache.problem.errors import InputError


def test_replace_takes_strings_as_on_a_command_line():
    changed = Scenario().replace(
        servers="3",
        capacity="0.5",
        radius_m="inf",
        user_concentration="inf",
        tokens="12",
        models=["dbrx", "olmoe-1b-7b"],
        precision="fp8",
    )
    assert changed == Scenario(
        models=("dbrx", "olmoe-1b-7b"),
        servers=3,
        capacity=0.5,
        radius_m=math.inf,
        user_concentration=math.inf,
        tokens=12,
        precision="fp8",
    )
    assert isinstance(changed.servers, int)


def test_replace_leaves_the_original_and_can_unset():
    scenario = Scenario(tokens=5)
    assert scenario.replace(tokens=None).tokens is None
    assert scenario.replace(tokens="null").tokens is None
    assert scenario.tokens == 5
    assert scenario.replace() == scenario


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("servers", "three"),
        ("servers", "2.5"),
        ("servers", 2.5),
        ("servers", True),
        ("servers", 0),
        ("users", -1),
        ("capacity", "much"),
        ("capacity", -0.1),
        # A share, not experts or gigabytes.
        ("capacity", 1.000001),
        ("capacity", 20),
        ("capacity", "nan"),
        ("capacity", "inf"),
        ("cloud_s", 0),
        ("carrier_hz", "-1"),
        ("max_sets", 0),
        ("tokens", 0),
        ("layers", 0),
        ("experts", 0),
        ("top_k", 0),
        ("top_k", 9),
        ("local", 9),
        ("local", -1),
        ("skew", 21),
        ("coactivation", 21),
        ("coactivation", -1),
        ("user_concentration", 0),
        ("user_power_dbm", math.nan),
        ("server_power_dbm", math.inf),
        ("precision", "fp16"),
        ("models", "magic"),
        ("models", []),
        ("models", ["gpt-5"]),
    ],
)
def test_bad_values_name_the_field(field, value):
    word = {"models": "model"}.get(field, field)
    with pytest.raises(InputError, match=word):
        Scenario().replace(**{field: value})


@pytest.mark.parametrize("value", [10**400, "1" + "0" * 400])
def test_numbers_beyond_floating_point_are_refused(value):
    with pytest.raises(InputError, match="users"):
        Scenario().replace(users=value)


def test_unknown_fields_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'sevrers'.*servers"):
        Scenario().replace(sevrers=3)


def test_cards_carry_the_replaced_numbers():
    scenario = Scenario(models=("mixtral-8x7b", "dbrx"), layers=2, experts=6, top_k=3)
    assert [(c.layers, c.experts, c.top_k) for c in scenario.cards()] == [(2, 6, 3)] * 2
    # Sizes stay those of the real model.
    assert [c.params_per_expert for c in scenario.cards()] == [176_160_768, 198_180_864]


def test_the_limits_hold_for_every_model():
    with pytest.raises(InputError, match="local"):
        Scenario(models=("dbrx", "mixtral-8x7b"), local=9)
    Scenario(models=("dbrx",), local=9)


@pytest.mark.parametrize("field", ["capacity", "local", "skew", "coactivation", "backhaul_reach_m"])
def test_zero_is_legal_where_it_means_none(field):
    assert getattr(Scenario().replace(**{field: 0}), field) == 0


@pytest.mark.parametrize("field", ["user_power_dbm", "server_power_dbm", "noise_figure_db"])
def test_decibels_have_any_sign(field):
    assert getattr(Scenario().replace(**{field: -3}), field) == -3
