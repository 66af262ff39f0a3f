"""Parameters: their range, and as options of the methods that have them."""

import dataclasses

import pytest
from expertcache.decomposition.parameters import DEFAULTS, Parameters
from expertcache.problem.errors import InputError
from expertcache.solver import find_method, solve


@pytest.mark.parametrize("field", dataclasses.fields(Parameters), ids=lambda field: field.name)
def test_values_out_of_range_are_refused(field):
    with pytest.raises(InputError, match=field.name):
        Parameters(**{field.name: (-1,) if isinstance(field.default, tuple) else -1})
    for value in ("x", None, float("nan")):
        with pytest.raises(InputError, match=field.name):
            Parameters(**{field.name: value})
    for method in ("decomposition", "exact"):
        with pytest.raises(InputError, match=rf"{method}: option {field.name}"):
            find_method(method).options({field.name: "x"})


def test_options_become_parameters():
    given = {"tree_experts": "3", "dives": "0.25,0.5", "smoothing": "0", "join_widths": [5]}
    wanted = Parameters(tree_experts=3, dives=(0.25, 0.5), smoothing=0.0, join_widths=(5,))
    assert find_method("decomposition").options(given) == {"parameters": wanted}
    own = {"decomposition_share": "0.5", "dives": ""}
    assert find_method("exact").options(own) == {
        "decomposition_share": 0.5, "parameters": Parameters(dives=()),
    }  # fmt: skip
    assert find_method("exact").options({}) == {"parameters": DEFAULTS}


def test_unknown_options_and_shares_are_refused(two_servers):
    with pytest.raises(InputError, match=r"decomposition has no option 'parameters'.*tree_nodes"):
        solve(two_servers, "decomposition", options={"parameters": {}})
    with pytest.raises(InputError, match="decomposition_share"):
        solve(two_servers, "exact", options={"decomposition_share": 1.5})


@pytest.mark.parametrize("least", [True, False])
def test_extreme_values_still_give_a_bound(least, random_instance):
    instance = random_instance(3, layers=3, experts=4, servers=3, rows=60, users=5)
    best = solve(instance, "milp")
    options = {
        "first_prices": "0", "smoothing": "1", "patience": "1", "stopped_rounds": "1",
        "layer_share": "0", "table_experts": "0", "response_rounds": "1", "tree_nodes": "0",
        "program_rows": "0", "step_share": "0", "master_nodes": "0", "join_widths": "1",
        "join_numbers": "0", "join_steps": "0", "join_filtered": "0", "dives": "",
        "blocks": "",
    } if least else {
        "first_prices": "1e6", "smoothing": "0", "relaxation_slack": "1", "exact_gap": "1",
        "first_loss": "1", "loss_growth": "1e6", "dives": "1,1", "converged_gap": "0",
        "blocks": "1,2", "blocks_share": "1", "tree_experts": "0",
    }  # fmt: skip
    found = solve(instance, "decomposition", options=options)
    assert found.bound_latency_s <= best.latency_s * (1 + 1e-9)
    assert found.latency_s >= best.latency_s * (1 - 1e-9)
