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
    placement = Placement.of(instance, cached)
    rows = placement.rows.tolist()
    assert rows == sorted(rows)
    assert np.array_equal(placement.cached(instance), cached)
    assert len(rows) == cached.sum()
    for server, *place in rows:
        assert cached[server, instance.item(*place)]
    # The order of the rows means nothing.
    assert Placement(reversed(rows)) == placement


def test_empty(two_servers):
    placement = Placement.empty()
    assert not placement.cached(two_servers).any()
    assert placement == Placement([])


def test_equal_placements_have_equal_hashes(two_servers):
    one = Placement([(0, 0, 0, 1)])
    same = Placement(one.rows.copy())
    other = Placement([(1, 0, 0, 1)])
    assert len({one, same, other}) == 2
    assert one != other
    assert one != "placement"


def test_immutable():
    rows = np.zeros((1, 4), dtype=np.int64)
    placement = Placement(rows)
    rows[0, 0] = 1
    assert not placement.rows.any()
    with pytest.raises(ValueError, match="read-only"):
        placement.rows[0, 0] = 1


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
        Placement(rows).cached(two_servers)


@pytest.mark.parametrize("rows", [np.zeros(4, int), np.zeros((1, 3), int), np.zeros((1, 4))])
def test_wrong_arrays_are_refused(rows):
    with pytest.raises(InputError, match="placement"):
        Placement(rows)


@pytest.mark.parametrize("shape", [(), (3,), (2, 4)])
def test_arrays_of_another_instance_are_refused(shape, two_servers):
    with pytest.raises(InputError, match="shape"):
        Placement.of(two_servers, np.zeros(shape, dtype=bool))
