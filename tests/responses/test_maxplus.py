import numpy as np
import pytest
from expertcache.responses.maxplus import concave_any, concave_concave, convolve, direct, is_concave
from hypothesis import given
from hypothesis import strategies as st

# Whole numbers make ties, small fractions make rounding.
_VALUES = st.one_of(st.integers(-5, 5).map(float), st.floats(-1, 1).map(lambda x: round(x, 6)))
_ANY = st.lists(_VALUES, min_size=1, max_size=40).map(np.array)
_CONCAVE = st.tuples(_VALUES, st.lists(_VALUES, max_size=40)).map(
    lambda pair: pair[0] + np.cumsum([0.0, *sorted(pair[1], reverse=True)])
)


def by_definition(a, b):
    return np.array(
        [
            max(a[i] + b[k - i] for i in range(len(a)) if 0 <= k - i < len(b))
            for k in range(len(a) + len(b) - 1)
        ]
    )


def check(result, a, b):
    expected = by_definition(a, b)
    assert np.allclose(result.value, expected, atol=1e-12)
    second = np.arange(len(expected)) - result.first
    assert ((result.first >= 0) & (second >= 0)).all()
    assert np.allclose(a[result.first] + b[second], result.value, atol=1e-12)


@given(a=_ANY, b=_ANY)
def test_direct(a, b):
    check(direct(a, b), a, b)


@given(a=_CONCAVE, b=_ANY)
def test_concave_with_any(a, b):
    check(concave_any(a, b), a, b)


@given(a=_CONCAVE, b=_CONCAVE)
def test_concave_with_concave(a, b):
    check(concave_concave(a, b), a, b)


@pytest.mark.parametrize("kinds", ["aa", "ac", "ca", "cc"])
def test_the_form_is_picked_by_looking(kinds):
    rng = np.random.default_rng(0)
    steps = [rng.random(150), rng.random(130)]
    pair = [
        np.cumsum(np.sort(s)[::-1] if kind == "c" else s)
        for s, kind in zip(steps, kinds, strict=True)
    ]
    assert [is_concave(x) for x in pair] == [kind == "c" for kind in kinds]
    check(convolve(*pair), *pair)


def test_one_value_shifts():
    a, b = np.array([2.0]), np.array([1.0, 5.0, 3.0])
    check(convolve(a, b), a, b)
