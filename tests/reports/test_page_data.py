"""What can be explored of a study, unpacked again and compared with the definitions."""

import json
from base64 import b64decode

import numpy as np
import pytest
from expertcache.problem.evaluate import evaluate, latency_table_s
from expertcache.problem.placement import Placement
from expertcache.reports.page_data import Scene, page_data, served_shares
from expertcache.solver import solve
from expertcache.watch import Event
from hypothesis import given
from hypothesis import strategies as st


def unpacked(text, kind):
    return np.frombuffer(b64decode(text), kind)


def naive_shares(instance, placement):
    """Word for word: who of those that are as fast as the fastest comes first."""
    cached = placement.cached(instance)
    table = latency_table_s(instance, cached)
    N = instance.servers
    shares = np.zeros((instance.users, N + 2))
    requests = instance.requests
    for r in range(len(requests)):
        u, m = int(requests.user[r]), int(requests.model[r])
        for expert in requests.experts[r][requests.experts[r] >= 0]:
            i = instance.item(m, int(requests.layer[r]), int(expert))
            holders = [instance.local[u, i] and instance.local_latency_s[u, m] == table[u, i]]
            holders += [
                cached[n, i] and instance.server_latency_s[u, n, m] == table[u, i] for n in range(N)
            ]
            shares[u, [*holders, True].index(True)] += requests.rate[r]
    total = shares.sum(axis=1, keepdims=True)
    return shares / np.where(total > 0, total, 1)


@given(seed=st.integers(0, 2**32 - 1), models=st.integers(1, 2))
def test_who_serves(random_instance, seed, models):
    instance = random_instance(seed, models=models)
    placement = solve(instance, "random", seed=seed % 7).placement
    assert served_shares(instance, placement) == pytest.approx(naive_shares(instance, placement))


@given(seed=st.integers(0, 2**32 - 1))
def test_packed_and_unpacked(random_instance, seed):
    instance = random_instance(seed, models=2, experts=5)
    placement = solve(instance, "random").placement
    run = [Event(0.5, None, 2.0, None), Event(1.5, 3.0, 2.5, 0.5)]
    data = json.loads(page_data([Scene(instance, {7: placement})], {7: run}))
    (scene,) = data["scenes"]
    cell = scene["cells"]["7"]
    value = evaluate(instance, placement)
    layers = unpacked(cell["layers"], "<f4")
    assert layers.sum() == pytest.approx(value.latency_s, rel=1e-5)
    assert unpacked(scene["empty"]["layers"], "<f4").sum() == pytest.approx(
        value.latency_empty_s, rel=1e-5
    )
    # What users wait, weighted by what they demand, is the latency.
    waits, demand = unpacked(cell["perUser"], "<f4"), unpacked(scene["demand"], "<f4")
    assert np.nansum(waits * demand) == pytest.approx(value.latency_s, rel=1e-5)
    assert np.isnan(waits).tolist() == (demand == 0).tolist()
    bits = np.unpackbits(unpacked(cell["held"], "u1"))[: instance.servers * instance.items]
    assert bits.reshape(instance.servers, -1).tolist() == placement.cached(instance).tolist()
    assert cell["used"] == value.used_bytes.tolist()
    events = unpacked(data["events"]["7"], "<f8").reshape(-1, 3)
    assert events[1].tolist() == [1.5, 3.0, 2.5]
    assert np.isnan(events[0]).tolist() == [False, True, False]


def test_no_text_ends_the_element(two_servers):
    name = "</script><!--"
    data = page_data([Scene(two_servers.replace(server_names=(name,) * 2), {})], {})
    assert b"<" not in data
    assert json.loads(data)["scenes"][0]["servers"] == [name, name]


def test_placements_of_nothing(two_servers):
    shares = served_shares(two_servers, Placement.empty())
    assert shares.tolist() == [[0, 0, 0, 1]]
