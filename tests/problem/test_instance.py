import dataclasses

import numpy as np
import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.instance import Instance, Model, Requests
from hypothesis import given
from hypothesis import strategies as st


@given(seed=st.integers(0, 10**6), models=st.integers(1, 3))
def test_items_are_numbered_by_model_layer_expert(seed, models, random_instance):
    instance = random_instance(seed, models=models)
    numbers = [
        instance.item(m, layer, expert)
        for m, model in enumerate(instance.models)
        for layer in range(model.layers)
        for expert in range(model.experts)
    ]
    assert numbers == list(range(instance.items))
    for item in numbers:
        place = instance.item_model[item], instance.item_layer[item], instance.item_expert[item]
        assert instance.item(*map(int, place)) == item
        assert instance.item_bytes[item] == instance.models[place[0]].expert_bytes


@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 3), models=st.integers(1, 3))
def test_request_items_match_the_rows(seed, top_k, models, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models)
    requests = instance.requests
    for r, items in enumerate(instance.request_items.tolist()):
        expected = [
            instance.items
            if expert < 0
            else instance.item(int(requests.model[r]), int(requests.layer[r]), expert)
            for expert in requests.experts[r].tolist()
        ]
        assert items == expected


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ((1, 0, 0), "model 1"),
        ((-1, 0, 0), "model -1"),
        ((0, 1, 0), "layer 1"),
        ((0, -1, 0), "layer -1"),
        ((0, 0, 3), "expert 3"),
        ((0, 0, -1), "expert -1"),
    ],
)
def test_no_such_item(place, says, two_servers):
    with pytest.raises(InputError, match=says):
        two_servers.item(*place)


def test_the_callers_arrays_stay_theirs(two_servers):
    capacity = np.array([10, 10])
    instance = two_servers.replace(capacity_bytes=capacity)
    capacity[0] = 99
    assert instance.capacity_bytes.tolist() == [10, 10]
    for array in (instance.capacity_bytes, instance.local, instance.requests.rate):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_names_have_defaults(two_servers):
    assert two_servers.server_names == ("server-0", "server-1")
    assert two_servers.user_names == ("user-0",)
    assert np.isnan(two_servers.server_position_m).all()


def test_whole_numbers_may_come_as_floats(two_servers):
    instance = two_servers.replace(capacity_bytes=np.array([10.0, 0.0]))
    assert instance.capacity_bytes.dtype == np.int64


def test_an_empty_instance_is_legal():
    empty = np.zeros(0, dtype=int)
    instance = Instance(
        models=(Model("m", 1, 2, 1, 1),),
        capacity_bytes=empty,
        server_latency_s=np.zeros((0, 0, 1)),
        cloud_latency_s=np.zeros((0, 1)),
        local_latency_s=np.zeros((0, 1)),
        local=np.zeros((0, 2), dtype=bool),
        requests=Requests(empty, empty, empty, np.zeros((0, 0), dtype=int), np.zeros(0)),
    )
    sizes = instance.items, instance.users, instance.servers, instance.top_k
    assert sizes == (2, 0, 0, 0)
    with pytest.raises(InputError, match="models: at least one"):
        instance.replace(models=())


def _model(**changes):
    fields = {"name": "m", "layers": 1, "experts": 3, "top_k": 2, "expert_bytes": 10}
    return (Model(**fields | changes),)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"models": _model(layers=0)}, r"models\[0\]\.layers"),
        ({"models": _model(experts=True)}, r"models\[0\]\.experts"),
        ({"models": _model(expert_bytes=1.5)}, r"models\[0\]\.expert_bytes"),
        ({"models": _model(top_k=4)}, r"models\[0\]\.top_k"),
        ({"models": _model(layers=10**12)}, "models: 3000000000000 experts"),
        ({"models": _model(expert_bytes=2**62)}, "models"),
        ({"capacity_bytes": np.array([1, -1])}, r"servers\[1\]\.capacity_bytes"),
        ({"capacity_bytes": np.array([1.5, 1])}, "capacity_bytes"),
        ({"capacity_bytes": np.array([np.nan, 1])}, "capacity_bytes"),
        ({"capacity_bytes": np.array([np.inf, 1])}, "capacity_bytes"),
        ({"capacity_bytes": [10**30, 1]}, "capacity_bytes"),
        ({"capacity_bytes": np.array([2**63, 1], dtype=np.uint64)}, "capacity_bytes"),
        ({"capacity_bytes": ["a", "b"]}, "capacity_bytes"),
        ({"capacity_bytes": np.zeros((2, 1), dtype=int)}, "capacity_bytes"),
        ({"server_latency_s": np.ones((1, 1, 1))}, "server_latency_s"),
        ({"server_latency_s": np.array([[[0.1], [0.0]]])}, r"latency_s\.server\[0\]\[1\]\[0\]"),
        ({"server_latency_s": np.array([[[np.nan], [1]]])}, r"latency_s\.server\[0\]\[0\]\[0\]"),
        ({"server_latency_s": np.array([[[-np.inf], [1]]])}, r"latency_s\.server\[0\]\[0\]\[0\]"),
        ({"cloud_latency_s": np.array([[np.inf]])}, r"latency_s\.cloud\[0\]\[0\]"),
        ({"cloud_latency_s": np.array([[-1.0]])}, r"latency_s\.cloud\[0\]\[0\]"),
        ({"local_latency_s": np.array([[0.0]])}, r"latency_s\.local\[0\]\[0\]"),
        ({"local_latency_s": np.ones((2, 1))}, "local_latency_s"),
        ({"local": np.zeros((1, 4), dtype=bool)}, "local"),
        ({"server_names": ("a",)}, "server_names"),
        ({"user_names": ("a", "b")}, "user_names"),
        ({"server_position_m": np.zeros((2, 3))}, "server_position_m"),
        # JSON has no infinity: such an instance could be written but not read again.
        ({"server_position_m": np.array([[np.inf, 0], [0, 0]])}, "position_m"),
        ({"user_position_m": np.array([[0, -np.inf]])}, "position_m"),
    ],
)
def test_wrong_fields_are_refused(changes, says, two_servers):
    with pytest.raises(InputError, match=says):
        two_servers.replace(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user": [0, 1]}, r"requests\.user\[1\]"),
        ({"user": [-1, 0]}, r"requests\.user\[0\]"),
        ({"user": [0, 2**40]}, r"requests\.user"),
        ({"user": [0, 0.5]}, r"requests\.user"),
        ({"user": [0]}, r"requests\.user"),
        ({"model": [0, 1]}, r"requests\.model\[1\]"),
        ({"layer": [1, 0]}, r"requests\.layer\[0\]"),
        ({"layer": [0, -1]}, r"requests\.layer\[1\]"),
        ({"experts": [[0, 1], [1, 3]]}, r"requests\.experts\[1\]"),
        ({"experts": [[0, 1], [1, 1]]}, r"requests\.experts\[1\]"),
        ({"experts": [[-1, -1], [0, 1]]}, r"requests\.experts\[0\]"),
        ({"experts": [[0, 1], [-1, 1]]}, r"requests\.experts\[1\]"),
        ({"experts": [[0, 1, -1], [0, 1, 2]]}, r"requests\.experts\[1\].*top_k"),
        ({"experts": [0, 1]}, r"requests\.experts"),
        ({"rate": [0.5, -0.1]}, r"requests\.rate\[1\]"),
        ({"rate": [np.nan, 0.1]}, r"requests\.rate\[0\]"),
        ({"rate": [0.1, np.inf]}, r"requests\.rate\[1\]"),
        ({"rate": [1e308, 1e308]}, r"requests\.rate"),
        ({"rate": [1e308, 0]}, r"requests\.rate: the sum is 1e\+308"),
        ({"rate": [1e-320, 0]}, r"requests\.rate: the sum is 1e-320, not 1e-200 to 1e\+200"),
        ({"rate": [0.1]}, r"requests\."),
    ],
)
def test_wrong_requests_are_refused(changes, says, two_servers):
    columns = {
        "user": [0, 0],
        "model": [0, 0],
        "layer": [0, 0],
        "experts": [[0, 1], [1, 2]],
        "rate": [0.75, 0.25],
    } | changes
    requests = Requests(**{name: np.array(rows) for name, rows in columns.items()})
    with pytest.raises(InputError, match=says):
        two_servers.replace(requests=requests)


@pytest.mark.parametrize("rate", [[0, 0], [1e-200, 0], [1e200, 0], [1, 1e-320]])
def test_only_the_sum_of_the_rates_has_a_range(rate, two_servers):
    requests = dataclasses.replace(two_servers.requests, rate=np.array(rate, dtype=float))
    assert two_servers.replace(requests=requests).requests.rate.tolist() == rate
