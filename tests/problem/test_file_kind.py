import gzip

import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.file_kind import FileKind, json_kind
from expertcache.problem.files import check_writable, write_bytes
from expertcache.problem.instance_file import instance_bytes, write_instance
from expertcache.problem.solution import SOLUTION_FILE, write_solution
from expertcache.solver import solve

OURS = json_kind("expertcache/ours")
TABLE = FileKind("table of ours", b"a,b,")


@pytest.mark.parametrize(
    "head",
    [
        b'{"format":"expertcache/ours","version":1}',
        b'{\n  "format": "expertcache/ours",\n',
        b'\xef\xbb\xbf {"format" : "expertcache/ours"',
        b"",
    ],
)
def test_the_same_kind(head):
    assert OURS.refusal(head) is None


@pytest.mark.parametrize(
    ("kind", "head", "says"),
    [
        (OURS, b'{"format":"expertcache/instance"', "is an expertcache/instance, not overwritten"),
        (OURS, b'{"format":"expertcache/ours2"', "is an expertcache/ours2, not overwritten"),
        (OURS, b'{"format":"other"', "is no expertcache/ours, not overwritten"),
        (OURS, b'{"name": "expertcache/ours"', "is no expertcache/ours, not overwritten"),
        (OURS, b"\n", "is no expertcache/ours, not overwritten"),
        (OURS, bytes(4096), "is no expertcache/ours, not overwritten"),
        (TABLE, b"a;b;", "is no table of ours, not overwritten"),
        (TABLE, b'{"format":"expertcache/ours"', "is an expertcache/ours, not overwritten"),
    ],
)
def test_another_kind(kind, head, says):
    assert kind.refusal(head) == says


@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
@pytest.mark.parametrize(
    "write", [lambda path: check_writable(path, OURS), lambda path: write_bytes(path, b"new", OURS)]
)
def test_a_file_of_another_kind_stays(name, write, tmp_path):
    path = tmp_path / name
    data = b'{"format":"expertcache/instance"}'
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"{name}: is an expertcache/instance, not overwritten"):
        write(path)
    assert path.read_bytes() == before


def test_what_cannot_be_read_stays(tmp_path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(b"not compressed")
    with pytest.raises(InputError, match=r"not a gzip file.*not overwritten"):
        write_bytes(path, b"new", OURS)
    assert path.read_bytes() == b"not compressed"


def test_in_python_too(two_servers, tmp_path):
    instance, solution = tmp_path / "x.json", tmp_path / "s.json"
    write_instance(two_servers, instance)
    solved = solve(two_servers, "successive")
    write_solution(solved, solution)
    with pytest.raises(InputError, match="is an expertcache/instance, not overwritten"):
        write_solution(solved, instance)
    with pytest.raises(InputError, match="is an expertcache/solution, not overwritten"):
        write_instance(two_servers, solution)
    assert instance.read_bytes() == instance_bytes(two_servers)
    # The same kind is replaced, and so is an empty file.
    write_solution(solved, solution)
    (tmp_path / "empty.json").touch()
    check_writable(tmp_path / "empty.json", SOLUTION_FILE)
    write_solution(solved, tmp_path / "empty.json")


@pytest.mark.parametrize("name", ["x.json.xz", "x.json.bz2", "x.json.ZST", "x.zip", "x.json.7z"])
def test_compression_that_is_not_supported(name, two_servers, tmp_path):
    with pytest.raises(InputError, match=r"is not supported, compressed files end in \.gz"):
        write_instance(two_servers, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_the_case_of_the_suffix_does_not_matter(two_servers, tmp_path):
    write_instance(two_servers, tmp_path / "x.json.GZ")
    assert gzip.decompress((tmp_path / "x.json.GZ").read_bytes()) == instance_bytes(two_servers)
