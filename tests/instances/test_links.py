import numpy as np
import pytest
from expertcache.instances.links import link_latencies, rounded
from expertcache.instances.scenario import Scenario
from hypothesis import given
from hypothesis import strategies as st

MIXTRAL = Scenario()
NONE = np.zeros((0, 2))


def at(*points):
    return np.array(points, dtype=float).reshape(len(points), 2)


# By hand, for Mixtral-8x7B (hidden state 4096 * 16 = 65536 bit, expert 352321536 byte) at 100 m:
# slant distance hypot(100, 8.5) = 100.3606 m; loss 22.4 + 35.3 * 2.001563 + 21.3 * 0.544068
# = 104.6438 dB; noise -174 + 73.0103 + 7 = -93.9897 dBm.
# Up: SNR 12.3459 dB = 17.163, 20e6 * log2(18.163) = 83.659 Mbit/s, 0.78337 ms.
# Down: SNR 22.3459 dB = 171.63, 148.63 Mbit/s, 0.44093 ms. Access 2 * 1 ms.
RADIO_S = 0.78337e-3 + 0.44093e-3 + 2e-3
# Reading the weights takes longer than the arithmetic (2 * 176160768 FLOP) on every machine.
SERVER_S = 352321536 / 300e9
CLOUD_S = 352321536 / 3.35e12
DEVICE_S = 352321536 / 51.2e9


def test_by_hand():
    links = link_latencies(MIXTRAL, at((100, 0)), at((0, 0)))
    assert links.server.shape == (1, 1, 1)
    assert links.cloud.shape == links.local.shape == (1, 1)
    assert links.server[0, 0, 0] == pytest.approx(RADIO_S + SERVER_S, rel=1e-5)
    assert links.cloud[0, 0] == pytest.approx(RADIO_S + 2 * 20e-3 + CLOUD_S, rel=1e-5)
    assert links.local[0, 0] == pytest.approx(DEVICE_S, rel=1e-6)


def test_through_the_home_server_by_hand():
    links = link_latencies(MIXTRAL, at((100, 0), (500, 0)), at((0, 0)))
    hop = 2 * (2e-3 + 400 / 2e8) + 2 * 65536 / 10e9
    assert links.server[0, 1, 0] == pytest.approx(RADIO_S + hop + SERVER_S, rel=1e-5)


def test_the_slower_of_arithmetic_and_memory_counts():
    slow = Scenario(device_flops=1e9, server_flops=2e9, cloud_flops=4e9)
    links = link_latencies(slow, at((100, 0)), at((0, 0)))
    flop = 2 * 176160768
    assert links.local[0, 0] == pytest.approx(flop / 1e9, rel=1e-6)
    assert links.server[0, 0, 0] == pytest.approx(RADIO_S + flop / 2e9, rel=1e-6)
    assert links.cloud[0, 0] == pytest.approx(RADIO_S + 0.04 + flop / 4e9, rel=1e-6)


def test_precision_changes_the_reading_only():
    links = link_latencies(Scenario(precision="fp8"), at((100, 0)), at((0, 0)))
    assert links.server[0, 0, 0] == pytest.approx(RADIO_S + SERVER_S / 2, rel=1e-5)


def test_each_model_has_its_own_times():
    names = ("mixtral-8x7b", "switch-base-8")
    both = link_latencies(Scenario(models=names), at((100, 0), (900, 0)), at((0, 0), (400, 0)))
    for m, name in enumerate(names):
        one = link_latencies(Scenario(models=(name,)), at((100, 0), (900, 0)), at((0, 0), (400, 0)))
        assert np.array_equal(both.server[:, :, m], one.server[:, :, 0])
        assert np.array_equal(both.cloud[:, m], one.cloud[:, 0])
        assert np.array_equal(both.local[:, m], one.local[:, 0])


@given(near=st.floats(0, 300), far=st.floats(0, 300))
def test_nearer_is_never_slower(near, far):
    near, far = sorted((near, far))
    alone = Scenario(backhaul_reach_m=0)
    links = link_latencies(alone, at((0, 0)), at((near, 0), (0, far)))
    assert links.server[0, 0, 0] <= links.server[1, 0, 0] < np.inf
    assert links.cloud[0, 0] <= links.cloud[1, 0]


def test_farther_is_slower():
    users = at(*[(x, 0) for x in range(10, 300, 10)])
    links = link_latencies(MIXTRAL, at((0, 0)), users)
    assert (np.diff(links.server[:, 0, 0]) > 0).all()


def test_range_includes_its_end():
    links = link_latencies(MIXTRAL, at((0, 0)), at((300, 0), (300.001, 0)))
    assert np.isfinite(links.server[0, 0, 0])
    assert np.isinf(links.server[1, 0, 0])


def test_the_backhaul_reach_counts_from_the_home_server():
    # Servers at 100, 700 and 700.1 m; the home is the first, so 600 m is the last that is reached.
    links = link_latencies(MIXTRAL, at((100, 0), (700, 0), (700.1, 0)), at((0, 0)))
    assert np.isfinite(links.server[0, :, 0]).tolist() == [True, True, False]


def test_the_home_is_the_nearest_server():
    # The third server is within reach of the second one only, which is not the home.
    links = link_latencies(MIXTRAL, at((-100, 0), (200, 0), (700, 0)), at((0, 0)))
    assert np.isfinite(links.server[0, :, 0]).tolist() == [True, True, False]


def test_the_faster_of_radio_and_backhaul_counts():
    # At the edge of the range the radio is slower than the way through a home at 10 m.
    servers, user = at((10, 0), (300, 0)), at((0, 0))
    both = link_latencies(MIXTRAL, servers, user).server[0, 1, 0]
    radio = link_latencies(Scenario(backhaul_reach_m=0), servers, user).server[0, 1, 0]
    hop = link_latencies(Scenario(radius_m=100), servers, user).server[0, 1, 0]
    assert hop < radio
    assert both == hop
    # And a slow backhaul leaves the radio.
    slow = Scenario(backhaul_hop_s=1.0)
    assert link_latencies(slow, servers, user).server[0, 1, 0] == radio


def test_users_without_coverage_reach_the_cloud_only():
    links = link_latencies(MIXTRAL, at((0, 0), (10, 0)), at((5000, 0)))
    assert np.isinf(links.server).all()
    fallback = 2 * 65536 / 20e6 + 2e-3 + 0.04 + CLOUD_S
    assert links.cloud[0, 0] == pytest.approx(fallback, rel=1e-6)
    assert links.local[0, 0] == pytest.approx(DEVICE_S, rel=1e-6)


def test_no_server_is_like_no_coverage():
    empty = link_latencies(MIXTRAL, NONE, at((0, 0), (7, 7)))
    assert empty.server.shape == (2, 0, 1)
    uncovered = link_latencies(MIXTRAL, at((0, 0)), at((5000, 0), (0, 5000)))
    assert np.array_equal(empty.cloud, uncovered.cloud)
    assert np.array_equal(empty.local, uncovered.local)


def test_no_user():
    links = link_latencies(MIXTRAL, at((0, 0)), NONE)
    assert links.server.shape == (0, 1, 1)
    assert links.cloud.shape == (0, 1)


def test_an_endless_range_covers_everybody():
    links = link_latencies(Scenario(radius_m=np.inf), at((0, 0)), at((1e5, 0)))
    assert np.isfinite(links.server).all()


def test_mirrored_users_have_equal_times():
    servers = at((-100, 0), (100, 0))
    links = link_latencies(MIXTRAL, servers, at((-30, 40), (30, 40)))
    assert np.array_equal(links.server[0], links.server[1, ::-1])
    assert np.array_equal(links.cloud[0], links.cloud[1])


@given(seed=st.integers(0, 10**6))
def test_only_distances_matter(seed):
    rng = np.random.default_rng(seed)
    servers, users = 1000 * rng.random((4, 2)), 1000 * rng.random((5, 2))
    order = rng.permutation(4)
    links = link_latencies(MIXTRAL, servers, users)
    permuted = link_latencies(MIXTRAL, servers[order], users)
    assert np.array_equal(permuted.server, links.server[:, order])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    moved = link_latencies(MIXTRAL, servers @ turn + 64.0, users @ turn + 64.0)
    assert np.allclose(moved.server, links.server, rtol=1e-5)
    assert np.allclose(moved.cloud, links.cloud, rtol=1e-5)


@given(seed=st.integers(0, 10**6))
def test_the_cloud_is_slower_than_the_nearest_server_by_the_core_network(seed):
    rng = np.random.default_rng(seed)
    servers, users = 300 * rng.random((3, 2)), 300 * rng.random((5, 2))
    links = link_latencies(Scenario(radius_m=1000), servers, users)
    fastest = links.server.min(axis=1)
    assert np.allclose(links.cloud - fastest, 0.04 + CLOUD_S - SERVER_S, atol=1e-7)


def test_rounding_keeps_seven_digits_and_infinity():
    values = np.array([[1.23456789e-3, np.inf], [9.99999999, 0.0]])
    assert rounded(values).tolist() == [[1.234568e-3, np.inf], [10.0, 0.0]]
