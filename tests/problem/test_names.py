import dataclasses

import pytest
from expertcache.instances.places import Server, read_places
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance
from expertcache.problem.names import check_name, printable
from expertcache.problem.solution import read_solution, write_solution
from expertcache.solver import solve

RED = "\x1b[31mred"


@pytest.mark.parametrize(
    "name", ["", "a b", "räume 🛰", "专家", "a\u00a0b", "👨\u200d👩", "{}<>&\"'\\"]
)
def test_printable_names(name):
    check_name(name, "name")
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (RED, r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("\r", r"\r"),
        ("a\tb", r"a\tb"),
        ("\x00", r"\x00"),
        ("\x7f", r"\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b", r"a\u2028b"),
        ("\u202egnp", r"\u202egnp"),
        ("\udcff", r"\udcff"),
    ],
)
def test_names_that_do_something(name, shown):
    with pytest.raises(InputError, match=r"users\[3\]\.name: has the control character \\"):
        check_name(name, "users[3].name")
    assert printable(name) == shown


def test_a_name_is_text(two_servers):
    with pytest.raises(InputError, match=r"users\[0\]\.name: must be text"):
        two_servers.replace(user_names=(7,))


def test_every_name_of_an_instance(two_servers):
    models = (dataclasses.replace(two_servers.models[0], name=RED),)
    for changes, where in [
        ({"name": RED}, "name"),
        ({"models": models}, r"models\[0\]\.name"),
        ({"server_names": ("a", RED)}, r"servers\[1\]\.name"),
        ({"user_names": (RED,)}, r"users\[0\]\.name"),
    ]:
        with pytest.raises(InputError, match=rf"^{where}: has the control character \\x1b"):
            two_servers.replace(**changes)


def test_a_description_is_no_name(two_servers):
    assert two_servers.replace(description="two\nlines").description == "two\nlines"


def test_the_same_in_every_format(two_servers, tmp_path):
    text = instance_bytes(two_servers).decode()
    (tmp_path / "x.json").write_text(text.replace("server-0", "\\u001b[2J"))
    with pytest.raises(InputError, match=r"x\.json: servers\[0\]\.name: has the control character"):
        read_instance(tmp_path / "x.json")
    write_solution(solve(two_servers, "cloud-only"), tmp_path / "s.json")
    solution = (tmp_path / "s.json").read_text()
    (tmp_path / "s.json").write_text(solution.replace("cloud-only", "cloud\\nonly"))
    with pytest.raises(InputError, match=r"s\.json: method: has the control character"):
        read_solution(tmp_path / "s.json")
    (tmp_path / "x.csv").write_text('latitude,longitude,name\n1,2,a\n1,2,"b\nc"\n')
    with pytest.raises(InputError, match=r"x\.csv: line 4: has the control character"):
        read_places(tmp_path / "x.csv", Server)


def test_the_name_of_a_file_is_made_printable(two_servers, tmp_path):
    text = instance_bytes(two_servers).decode().replace('"name":"two-servers",', "")
    (tmp_path / "two\nlines.json").write_text(text)
    assert read_instance(tmp_path / "two\nlines.json").name == r"two\nlines"
