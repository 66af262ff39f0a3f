from dataclasses import replace

import numpy as np
import pytest
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.problem.summary import summary_of
from expertcache.solver import solve
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_figures(two_servers):
    instance = two_servers.replace(
        capacity_bytes=np.array([19, 30]),
        server_position_m=np.array([[0.0, 0.0], [3000.0, 0.0]]),
        user_position_m=np.array([[0.0, 4000.0]]),
    )
    summary = summary_of(instance)
    assert (summary.users_in_reach, summary.users) == (1, 1)
    assert (summary.fewest_held, summary.most_held, summary.experts) == (1, 3, 3)
    assert summary.extent_m == 5000.0
    assert summary.apart_m == pytest.approx(np.hypot(1500, 4000))
    assert summary.requests == 2
    assert summary.latency_empty_s == 1.0
    # Everything from the nearest server, at 0.1 s.
    assert summary.most_saving_s == pytest.approx(0.9)
    assert summary.lines() == [
        "users in reach          1 of 1",
        "room of a server        1 to 3 of 3 experts",
        "extent                  5.00 km",
        "requests                2",
        "largest saving          at most 0.9 of 1 s",
    ]
    assert summary.warnings() == []


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 2),
    local=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_no_placement_saves_more(seed, top_k, models, local, random_instance):
    instance = random_instance(seed, top_k=top_k, models=models, local=local)
    optimum = solve(instance, "milp").saving_s
    summary = summary_of(instance)
    assert optimum <= summary.most_saving_s * (1 + 1e-12)
    assert bool(summary.warnings()) == (summary.most_saving_s == 0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"server_latency_s": np.full((1, 2, 1), np.inf)}, "no user is in reach of a server"),
        ({"capacity_bytes": np.array([9, 0])}, "no server holds a single expert"),
        ({"server_latency_s": np.ones((1, 2, 1))}, "no server is faster than the cloud, or has"),
        # Two places in reach would do, but one server is too far away.
        (
            {"server_latency_s": np.array([[[0.1], [np.inf]]])},
            "no server is faster than the cloud, or has room for a set of experts",
        ),
        (
            {
                "capacity_bytes": np.zeros(0, dtype=int),
                "server_latency_s": np.zeros((1, 0, 1)),
                "server_names": (),
                "server_position_m": np.zeros((0, 2)),
            },
            "no user is in reach of a server, no server holds a single expert",
        ),
    ],
)
def test_nothing_can_be_saved(changes, why, two_servers):
    (warning,) = summary_of(two_servers.replace(**changes)).warnings()
    assert warning.startswith(f"nothing can be saved: {why}")


def test_no_requests(two_servers):
    requests = replace(two_servers.requests, rate=np.zeros(2))
    summary = summary_of(two_servers.replace(requests=requests))
    assert summary.requests == 0
    assert summary.warnings() == ["nothing can be saved: no rate is above 0"]


def test_a_slow_device_does_not_hide_a_saving(two_servers):
    # It holds all, but servers are faster.
    slow = two_servers.replace(local=np.ones((1, 3), dtype=bool), local_latency_s=np.array([[0.5]]))
    assert summary_of(slow).most_saving_s == pytest.approx(0.4)


def test_positions_that_are_far_apart():
    instance = generate(Scenario(layers=1, servers=2, users=3), 1)
    assert summary_of(instance).warnings() == []
    away = summary_of(instance.replace(user_position_m=instance.user_position_m + 3e5))
    assert away.warnings() == [
        "users are 424 km from the servers: are latitude and longitude swapped?"
    ]
    wide = summary_of(instance.replace(user_position_m=instance.user_position_m * 5e3))
    assert "swapped?" in wide.warnings()[0]
    # Nobody is far from the rest on average.
    both = np.array([[-6e5, 0.0], [6e5, 0.0]])
    spread = summary_of(
        instance.replace(server_position_m=both, user_position_m=np.vstack([both, [[0.0, 0.0]]]))
    )
    assert spread.warnings() == [
        "positions are up to 1,200 km apart: are latitude and longitude swapped?"
    ]


def test_positions_are_optional(two_servers):
    summary = summary_of(two_servers)
    assert (summary.extent_m, summary.apart_m) == (None, None)
    assert "extent                  unknown" in summary.lines()
    half = two_servers.replace(user_position_m=np.array([[1.0, 2.0]]))
    assert (summary_of(half).extent_m, summary_of(half).apart_m) == (0.0, None)
