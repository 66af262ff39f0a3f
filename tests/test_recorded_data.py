"""Imports of recorded data, where the environment variable EXPERTCACHE_DATA says that they are."""

import os
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.problem.instance_file import read_instance

DATA = Path(os.environ.get("EXPERTCACHE_DATA", "missing"))
TRACE = DATA / "gpt-oss-20b-routing" / "gpt_oss_20b_topk.npz"
SEQUENCES = DATA / "gpt-oss-20b-routing" / "sequences.json"
SITES = DATA / "eua" / "site-optus-melbCBD.csv"
POINTS = DATA / "eua" / "users-melbcbd-generated.csv"
COUNTS = DATA / "mixtral-8x7b-popularity" / "instruct"

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in (TRACE, SEQUENCES, SITES, POINTS, COUNTS)),
    reason="EXPERTCACHE_DATA does not name a folder with the recorded data",
)


def import_trace(output, *more):
    arguments = ["import", "trace", TRACE, "--sequences", SEQUENCES, "--sites", SITES]
    arguments += ["--points", POINTS, "--output", output, *more]
    assert main([str(part) for part in arguments]) == 0
    return read_instance(output)


def test_the_whole_trace(tmp_path):
    instance = import_trace(
        tmp_path / "x.json", "--servers", 10, "--users", 40, "--precision", "mxfp4", "--seed", 1
    )
    assert instance.models[0].name == "gpt-oss-20b"
    assert (instance.models[0].layers, instance.servers, instance.users) == (24, 10, 40)
    requests = instance.requests
    layer = np.bincount(requests.layer, requests.rate, minlength=24)
    assert np.allclose(layer, 1, atol=1e-9)
    user = np.bincount(requests.user, requests.rate, minlength=40)
    assert np.allclose(user, 24 / 40, atol=1e-9)
    assert ((requests.experts >= 0).sum(axis=1) == 4).all()
    meta = instance.meta["trace"]
    assert meta["tokens"] == 215438
    assert meta["covered_share"]["mean"] == 1
    assert len(meta["user_category"]) == 40
    # The centre is 2.0 by 1.3 km: nothing is far away.
    assert np.abs(instance.server_position_m).max() < 2000
    assert np.abs(instance.user_position_m).max() < 2000


def test_a_part_of_the_trace(tmp_path):
    instance = import_trace(
        tmp_path / "x.json.gz",
        *("--layers", 2, "--sets", 40, "--servers", 3, "--users", 6, "--local", 1, "--seed", 2),
    )
    assert (instance.models[0].layers, instance.servers, instance.users) == (2, 3, 6)
    requests = instance.requests
    covered = instance.meta["trace"]["covered_share"]["layers"]
    for layer in range(2):
        mine = requests.layer == layer
        assert len(np.unique(requests.experts[mine], axis=0)) == 40
        assert requests.rate[mine].sum() == pytest.approx(covered[layer])
        assert 0 < covered[layer] < 1


def test_the_popularity_of_mixtral(tmp_path):
    from expertcache.instances.popularity import read_popularity

    files = sorted(COUNTS.glob("*.json"))
    assert len(files) == 7
    arguments = ["import", "popularity", *files, "--sites", SITES, "--points", POINTS]
    arguments += ["--servers", 5, "--users", 14, "--output", tmp_path / "x.json"]
    assert main([str(part) for part in arguments]) == 0
    instance = read_instance(tmp_path / "x.json")
    assert (instance.models[0].name, instance.models[0].layers) == ("mixtral-8x7b", 32)
    requests = instance.requests
    rate = np.zeros((14, 32, 8))
    for column in requests.experts.T:
        np.add.at(rate, (requests.user, requests.layer, column), requests.rate)
    for user in range(14):
        counts = read_popularity(files[user % 7])
        marginals = 2 * counts / counts.sum(axis=1, keepdims=True)
        assert np.allclose(14 * rate[user], marginals, rtol=0, atol=1e-6)
    assert instance.meta["popularity"]["user_source"][8] == files[1].name
