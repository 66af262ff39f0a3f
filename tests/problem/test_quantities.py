import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.quantities import bytes_of, bytes_text
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("amount", "size"),
    [
        ("24GiB", 24 * 2**30),
        ("24 GB", 24 * 10**9),
        ("1.5 mib", 3 * 2**19),
        ("0.1kB", 100),
        ("7 B", 7),
        ("7.9 B", 7),
        (25_769_803_776, 25_769_803_776),
        ("25769803776", 25_769_803_776),
        ("2.5e10", 25 * 10**9),
        (2.5e10, 25 * 10**9),
        ("0.2", 200),
        (0.2, 200),
        ("20%", 200),
        ("0.25 %", 2),
        (1, 1000),
        ("100%", 1000),
        (0, 0),
    ],
)
def test_the_same_amount_in_many_ways(amount, size):
    assert bytes_of(amount, 1000, "memory") == size


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("24 bananas", "'24 bananas' is no amount of memory"),
        ("", "'' is no amount"),
        ("-1", "'-1' is no amount"),
        ("nan", "'nan' is no amount"),
        (float("inf"), "'inf' is no amount"),
        ("24,5 GB", "'24,5 GB' is no amount"),
        ("1.5", "neither a share, up to 1, nor whole bytes"),
        ("101%", "is more than all experts"),
        ("9e99", "is more than"),
        ("99999999PiB", "is more than"),
    ],
)
def test_what_is_no_amount(amount, says):
    with pytest.raises(InputError, match=f"memory of a: .*{says}|memory of a: {says}"):
        bytes_of(amount, 1000, "memory of a")


@given(st.integers(0, 2**62))
def test_text_of_bytes_is_read_again_within_its_digits(size):
    assert bytes_of(bytes_text(size), 0, "x") == pytest.approx(size, rel=5.1e-3)


def test_text_of_bytes():
    texts = {24 * 2**30: "24 GiB", 352321536: "336 MiB", 1000: "1000 B", 2**20 - 1: "1 MiB"}
    assert {size: bytes_text(size) for size in texts} == texts
