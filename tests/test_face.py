"""What `import expertcache` offers."""

import subprocess
import sys

import expertcache as ec
import pytest


def test_every_public_name_is_there():
    assert set(ec.__all__) <= set(dir(ec))
    for name in ec.__all__:
        assert getattr(ec, name) is not None
    with pytest.raises(AttributeError):
        ec.magic  # noqa: B018


def test_importing_is_light():
    code = "import sys, expertcache; assert not {'numpy', 'pyomo', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_instance_by_name_with_its_best_known_value():
    instance = ec.load_instance("tiny-k2")
    best = instance.meta["best_known"]
    assert ec.solve(instance).latency_s == pytest.approx(best["latency_s"])
    assert best["status"] == "optimal"
    with pytest.raises(ec.InputError, match="no suite has"):
        ec.load_instance("magic")


def test_short_descriptions(two_servers):
    solution = ec.solve(two_servers)
    assert repr(two_servers) == (
        "<Instance 'two-servers': toy; 3 experts, 2 servers, 1 users, 2 requests>"
    )
    assert repr(two_servers.requests) == "<Requests: 2 rows>"
    assert repr(solution.placement) == "<Placement: 2 cached experts>"
    assert repr(solution) == (
        "<Solution of 'two-servers' by exact: optimal, latency 0.4 s, lower bound 0.4 s>"
    )
