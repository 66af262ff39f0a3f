import numpy as np
import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.placement import Placement
from hypothesis import given
from hypothesis import strategies as st


@given(seed=st.integers(0, 10**6), models=st.integers(1, 3), share=st.floats(0, 1))
def test_rows_and_back(seed, models, share, random_instance):
    instance = random_instance(seed, models=models)
    cached = np.random.default_rng(seed).random((instance.servers, instance.items)) < share
    placement = Placement(cached)
    rows = placement.rows(instance)
    assert rows == sorted(rows)
    assert len(rows) == cached.sum()
    for server, *place in rows:
        assert cached[server, instance.item(*place)]
    # The order of the rows means nothing.
    assert Placement.from_rows(instance, reversed(rows)) == placement


def test_empty(two_servers):
    placement = Placement.empty(two_servers)
    assert placement.rows(two_servers) == []
    assert placement == Placement.from_rows(two_servers, [])


def test_equal_placements_have_equal_hashes(two_servers):
    one = Placement.from_rows(two_servers, [(0, 0, 0, 1)])
    same = Placement(one.cached.copy())
    other = Placement.from_rows(two_servers, [(1, 0, 0, 1)])
    assert len({one, same, other}) == 2
    assert one != other
    assert one != "placement"
    # The same bytes in another shape are another placement.
    assert one != Placement(one.cached.reshape(3, 2))


def test_immutable():
    cached = np.zeros((1, 2), dtype=bool)
    placement = Placement(cached)
    cached[0, 0] = True
    assert not placement.cached.any()
    with pytest.raises(ValueError, match="read-only"):
        placement.cached[0, 0] = True


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(2, 0, 0, 0)], r"placement\[0\]: server 2"),
        ([(0, 0, 0, 0), (-1, 0, 0, 0)], r"placement\[1\]: server -1"),
        ([(0, 1, 0, 0)], r"placement\[0\]: model 1"),
        ([(0, -1, 0, 0)], r"placement\[0\]: model -1"),
        ([(0, 0, 1, 0)], r"placement\[0\]: layer 1"),
        ([(0, 0, 0, 3)], r"placement\[0\]: expert 3"),
        ([(0, 0, 0, 10**30)], r"placement\[0\]: expert 1000"),
        ([(0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0)], r"placement\[2\]: .* repeated"),
        ([(0, 0, 0)], r"placement\[0\]: expected"),
        ([(0, 0, 0, 0, 0)], r"placement\[0\]: expected"),
        ([()], r"placement\[0\]: expected"),
    ],
)
def test_wrong_rows_are_refused(rows, says, two_servers):
    with pytest.raises(InputError, match=says):
        Placement.from_rows(two_servers, rows)


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_wrong_dimensions_are_refused(shape):
    with pytest.raises(InputError, match="placement"):
        Placement(np.zeros(shape, dtype=bool))
