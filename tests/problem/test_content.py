"""Instances and solutions as dictionaries: the file's content, checked as the file is."""

import copy
import json

import numpy as np
import pytest
from expertcache import Instance, Solution
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes
from expertcache.problem.solution import solution_bytes
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st

METHOD = "greedy"


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 2))
def test_an_instance_survives(seed, models, random_instance):
    instance = random_instance(seed, models=models)
    content = instance.to_dict()
    assert content == json.loads(instance_bytes(instance))
    assert instance_bytes(Instance.from_dict(content)) == instance_bytes(instance)
    assert instance_bytes(Instance.from_dict(json.loads(json.dumps(content)))) == instance_bytes(
        instance
    )


def test_a_solution_survives(two_servers):
    for solution in (solve(two_servers), solve(two_servers, "lp")):
        content = solution.to_dict()
        assert content == json.loads(solution_bytes(solution))
        assert content["format"] == "expertcache/solution"
        assert Solution.from_dict(content) == solution


BROKEN_INSTANCES = [
    ("format", "x", "format: expected 'expertcache/instance', got 'x'"),
    ("version", 2, "version: only version 1"),
    ("version", True, "version: only version 1"),
    ("size", 2, "unknown field `size`"),
    ("servers", [{"capacity_bytes": -1}], "servers[0].capacity_bytes"),
    ("latency_s.cloud", [[float("nan")]], "latency_s.cloud[0][0]: must be finite"),
    ("latency_s.server", [[[float("nan")], [0.1]]], "latency_s.server[0][0]: not a number"),
    ("latency_s.cloud", np.ones((1, 1)), "latency_s.cloud: Expected `array`"),
    ("requests.rate", [1.0], "requests.rate: expected 2 rows"),
    ("requests.rate", [1.0, float("nan")], "requests.rate[1]: must be finite"),
    ("requests.experts", [[0, 0], [1]], "requests.experts[0]: an expert is repeated"),
    ("meta", {"a": object()}, "meta: not JSON"),
]


@pytest.mark.parametrize(("path", "value", "says"), BROKEN_INSTANCES)
def test_broken_content(path, value, says, two_servers):
    content = copy.deepcopy(two_servers.to_dict())
    place = content
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(InputError) as refused:
        Instance.from_dict(content)
    assert says in str(refused.value)


def test_broken_solutions(two_servers):
    content = solve(two_servers, METHOD).to_dict()
    for change, says in (
        ({"format": "expertcache/instance"}, "format: expected 'expertcache/solution'"),
        ({"placement": [[0, 0, 0]]}, "solution: placement[0]"),
        ({"placement": [["a", "b", 0, 0]]}, "solution: placement[0][0]"),
        ({"status": "great"}, "solution: status: 'great' is not one of optimal, feasible, none"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"method": "a\nb"}, "solution: method: has the control character"),
    ):
        with pytest.raises(InputError) as refused:
            Solution.from_dict(content | change)
        assert says in str(refused.value)
