import json

import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance
from expertcache.problem.json_keys import repeated_key
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)  # fmt: skip


@given(VALUES, st.sampled_from([None, 1]))
def test_no_key_is_repeated_in_what_json_writes(value, indent):
    assert repeated_key(json.dumps(value, indent=indent).encode()) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": [1, 2], "b": [3], "a": []}', "a"),
        ('[[1, {"x": {"a": null, "a": null}}, 2]]', "a"),
        # Another spelling of the same.
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"ü": 1, "ü": 2}', "ü"),
        ('{"": 1, "": 2}', ""),
        ('{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}', None),
        # Arrays inside keys.
        ('{"a[1]": 1, "a[2]": 2}', None),
        ('{"a[1]": 1, "a[1]": 2}', "a[1]"),
        ('{"a": ' + "9" * 5000 + "}", None),
    ],
)
def test_repeated_keys(text, key):
    assert repeated_key(text.encode()) == key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"requests":{', '"requests":{"rate":[1],'),
        ('{"format"', '{"meta":{},"format"'),
        ('"meta":{}', '"meta":{"a":{"b":1,"b":1}}'),
        ('{"name":"server-0"', '{"name":"x","name":"server-0"'),
    ],
)
def test_an_instance_with_a_repeated_key_is_refused(old, new, two_servers, tmp_path):
    text = instance_bytes(two_servers).decode()
    assert old in text
    (tmp_path / "x.json").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=r"x\.json: the key '\w+' is repeated in one object"):
        read_instance(tmp_path / "x.json")
