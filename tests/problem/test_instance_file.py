import gzip
import json

import numpy as np
import pytest
from expertcache.problem.instance import Model
from expertcache.problem.instance_file import instance_bytes, read_instance, write_instance
from hypothesis import given
from hypothesis import strategies as st

MINIMAL = {
    "format": "expertcache/instance",
    "version": 1,
    "models": [{"layers": 1, "experts": 3, "top_k": 2, "expert_bytes": 10}],
    "servers": [{"capacity_bytes": 10}, {"capacity_bytes": 0}],
    "users": [{}],
    "latency_s": {"server": [[[0.25], [None]]], "cloud": [[1]], "local": [[0.5]]},
    "requests": {"user": [0], "model": [0], "layer": [0], "experts": [[2, 0]], "rate": [1]},
}


def fields(instance):
    """Every field as a plain value, so that instances compare with ==."""
    requests = instance.requests
    return {
        "names": (instance.name, instance.description, instance.server_names, instance.user_names),
        "models": instance.models,
        "capacity": instance.capacity_bytes.tolist(),
        "server": instance.server_latency_s.tolist(),
        "cloud": instance.cloud_latency_s.tolist(),
        "local_s": instance.local_latency_s.tolist(),
        "local": instance.local.tolist(),
        # NaN is not equal to itself.
        "server_at": np.nan_to_num(instance.server_position_m, nan=-1e99).tolist(),
        "user_at": np.nan_to_num(instance.user_position_m, nan=-1e99).tolist(),
        "rows": [requests.user.tolist(), requests.model.tolist(), requests.layer.tolist()],
        # The width of the padding is not part of the problem.
        "experts": [[e for e in row if e >= 0] for row in requests.experts.tolist()],
        "rate": requests.rate.tolist(),
        "meta": dict(instance.meta),
    }


@pytest.fixture
def full(random_instance):
    instance = random_instance(5, top_k=3, models=2, servers=3, users=4)
    return instance.replace(
        name="räume 🛰",
        description='two "lines"\nand a tab\t',
        server_names=("a", "b", "ü"),
        user_names=("w", "x", "y", "z"),
        server_position_m=np.array([[0.1, -2.5], [np.nan, np.nan], [1e-300, 1e300]]),
        user_position_m=np.array([[0.0, 0.0], [1 / 3, 2 / 3], [3.0, 4.0], [np.nan, np.nan]]),
        meta={"seed": 10**30, "nested": {"list": [1, 2.5, None, True, "x"]}},
    )


@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_every_field_survives(name, full, tmp_path):
    write_instance(full, tmp_path / name)
    assert fields(read_instance(tmp_path / name)) == fields(full)


@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 3),
    servers=st.integers(0, 3),
    users=st.integers(1, 4),
    rows=st.integers(0, 12),
    suffix=st.sampled_from([".json", ".json.gz"]),
)
def test_random_instances_survive(
    seed, top_k, models, servers, users, rows, suffix, random_instance, tmp_path_factory
):
    instance = random_instance(
        seed, top_k=top_k, models=models, servers=servers, users=users, rows=rows
    )
    path = tmp_path_factory.getbasetemp() / f"random{suffix}"
    write_instance(instance, path)
    again = read_instance(path)
    assert fields(again) == fields(instance)
    assert instance_bytes(again) == instance_bytes(instance)


#: Names are one line of printable text.
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]))


@given(name=NAMES, description=st.text(), names=st.lists(NAMES, min_size=3), more=st.text())
def test_any_text_survives(name, description, names, more, random_instance, tmp_path_factory):
    instance = random_instance(1).replace(
        name=name, description=description, user_names=tuple(names[:3]), meta={more: [more]}
    )
    path = tmp_path_factory.getbasetemp() / "text.json"
    write_instance(instance, path)
    assert fields(read_instance(path)) == fields(instance)


@given(value=st.floats(min_value=5e-324, max_value=1e300))
def test_floats_survive_to_the_last_bit(value, random_instance, tmp_path_factory):
    instance = random_instance(1, users=1, servers=1)
    instance = instance.replace(cloud_latency_s=np.array([[value]]))
    path = tmp_path_factory.getbasetemp() / "float.json"
    write_instance(instance, path)
    assert read_instance(path).cloud_latency_s[0, 0] == value


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_equal_instances_give_equal_bytes(suffix, full, tmp_path, monkeypatch):
    write_instance(full, tmp_path / f"a{suffix}")
    # Neither the time nor the file's name may get into a gzip header.
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_instance(full.replace(), tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_gzip_holds_the_same_file(full, tmp_path):
    write_instance(full, tmp_path / "x.json")
    write_instance(full, tmp_path / "x.json.gz")
    assert gzip.decompress((tmp_path / "x.json.gz").read_bytes()) == instance_bytes(full)
    assert (tmp_path / "x.json").read_bytes() == instance_bytes(full)


def test_the_layout_is_the_documented_one(two_servers):
    instance = two_servers.replace(
        server_latency_s=np.array([[[0.1], [np.inf]]]),
        local=np.array([[False, True, False]]),
        user_position_m=np.array([[3.0, 4.0]]),
    )
    assert json.loads(instance_bytes(instance)) == {
        "format": "expertcache/instance",
        "version": 1,
        "name": "two-servers",
        "description": "",
        "models": [{"name": "toy", "layers": 1, "experts": 3, "top_k": 2, "expert_bytes": 10}],
        "servers": [
            {"name": "server-0", "capacity_bytes": 10},
            {"name": "server-1", "capacity_bytes": 10},
        ],
        "users": [{"name": "user-0", "position_m": [3.0, 4.0], "local": [[0, 0, 1]]}],
        "latency_s": {"server": [[[0.1], [None]]], "cloud": [[1.0]], "local": [[0.05]]},
        "requests": {
            "user": [0, 0],
            "model": [0, 0],
            "layer": [0, 0],
            "experts": [[0, 1], [1, 2]],
            "rate": [0.75, 0.25],
        },
        "meta": {},
    }


def read(tmp_path, content, name="plain.json"):
    (tmp_path / name).write_text(json.dumps(content))
    return read_instance(tmp_path / name)


def test_optional_fields_may_be_absent(tmp_path):
    instance = read(tmp_path, MINIMAL)
    assert instance.name == "plain"
    assert instance.description == ""
    assert instance.models == (Model("model-0", 1, 3, 2, 10),)
    assert instance.server_names == ("server-0", "server-1")
    assert instance.user_names == ("user-0",)
    assert np.isnan(instance.server_position_m).all()
    assert np.isnan(instance.user_position_m).all()
    assert not instance.local.any()
    assert instance.meta == {}


@pytest.mark.parametrize("name", ["bom.json", "bom.json.gz"])
def test_a_byte_order_mark_is_no_content(name, tmp_path):
    data = b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert read_instance(tmp_path / name).servers == 2


def test_the_default_name_drops_both_suffixes(tmp_path):
    data = gzip.compress(json.dumps(MINIMAL).encode())
    (tmp_path / "some.name.json.gz").write_bytes(data)
    assert read_instance(tmp_path / "some.name.json.gz").name == "some.name"


def test_out_of_reach_is_null(tmp_path):
    assert read(tmp_path, MINIMAL).server_latency_s.tolist() == [[[0.25], [np.inf]]]


def test_all_out_of_reach(tmp_path):
    latency = {**MINIMAL["latency_s"], "server": [[[None], [None]]]}
    assert np.isinf(read(tmp_path, {**MINIMAL, "latency_s": latency}).server_latency_s).all()


@pytest.mark.parametrize(
    ("given_bytes", "room"),
    [
        (10.0, 10),
        # Whole experts of whole bytes: a part of a byte holds nothing.
        (10.9, 10),
        (1e3, 1000),
        (0, 0),
        (0.0, 0),
        # More than any set of models may need is room for everything.
        (10**30, 2**62),
        (1e30, 2**62),
    ],
)
def test_capacities(given_bytes, room, tmp_path):
    servers = [{"capacity_bytes": given_bytes}, {"capacity_bytes": 0}]
    instance = read(tmp_path, {**MINIMAL, "servers": servers})
    assert instance.capacity_bytes.tolist() == [room, 0]


def test_an_empty_name_survives(two_servers, tmp_path):
    instance = two_servers.replace(
        name="",
        models=(Model("", 1, 3, 2, 10),),
        server_names=("", "b"),
        user_names=("",),
    )
    write_instance(instance, tmp_path / "x.json")
    assert fields(read_instance(tmp_path / "x.json")) == fields(instance)


@pytest.mark.parametrize("kind", ["users", "servers", "requests"])
def test_a_kind_of_which_there_is_none(kind, tmp_path):
    empty = {name: [] for name in MINIMAL["requests"]}
    content = {**MINIMAL, "requests": empty}
    if kind != "requests":
        content[kind] = []
    U, N, M = (len(content[name]) for name in ("users", "servers", "models"))
    content["latency_s"] = {
        "server": [[[1] * M] * N] * U,
        "cloud": [[1] * M] * U,
        "local": [[1] * M] * U,
    }
    instance = read(tmp_path, content)
    write_instance(instance, tmp_path / "again.json")
    assert fields(read_instance(tmp_path / "again.json")) == fields(instance)


def test_rows_with_equal_keys_are_kept(tmp_path):
    requests = {
        "user": [0, 0],
        "model": [0, 0],
        "layer": [0, 0],
        "experts": [[0, 1], [1, 0]],
        "rate": [0.5, 0.0],
    }
    instance = read(tmp_path, {**MINIMAL, "requests": requests})
    assert json.loads(instance_bytes(instance))["requests"] == requests


def test_a_server_slower_than_the_cloud_is_legal(tmp_path):
    latency = {**MINIMAL["latency_s"], "server": [[[5.0], [None]]]}
    assert read(tmp_path, {**MINIMAL, "latency_s": latency}).server_latency_s[0, 0, 0] == 5.0


def test_the_largest_legal_expert(tmp_path):
    models = [{"layers": 1, "experts": 3, "top_k": 2, "expert_bytes": 2**62 // 3}]
    assert read(tmp_path, {**MINIMAL, "models": models}).models[0].expert_bytes == 2**62 // 3
