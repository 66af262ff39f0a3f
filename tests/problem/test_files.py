import contextlib
import errno
import gzip
import os
from pathlib import Path

import msgspec
import pytest
from expertcache.problem import files
from expertcache.problem.errors import InputError
from expertcache.problem.file_kind import FileKind
from expertcache.problem.files import check_writable, decode, read_bytes, write_bytes

OLD, NEW = b"ours: old", b"ours: new" * 10_000
OURS = FileKind("file of ours", b"ours")
ANY = FileKind("file", b"")


class _FullDisk:
    """A file of which only the first half of every write gets onto the disk."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(params=["old file", "no file"])
def target(request, tmp_path):
    """A path in a directory with nothing else, and a check that it is as it was."""
    path = tmp_path / "x.json"
    if request.param == "old file":
        path.write_bytes(OLD)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    yield path
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_full_disk_leaves_everything_as_it_was(target, monkeypatch):
    fdopen = os.fdopen
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", lambda *a, **k: _FullDisk(fdopen(*a, **k)))
        with pytest.raises(InputError, match="No space left"):
            write_bytes(target, NEW, OURS)


def _raise(error):
    def raiser(*_args, **_kwargs):
        raise error

    return raiser


@pytest.mark.parametrize("name", ["replace", "chmod"])
def test_a_failed_last_step_leaves_everything_as_it_was(name, target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Path, name, _raise(PermissionError(errno.EPERM, "not permitted")))
        with pytest.raises(InputError, match="not permitted"):
            write_bytes(target, NEW, OURS)


def test_an_interrupt_leaves_everything_as_it_was(target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write_bytes(target, NEW, OURS)


def test_a_directory_that_takes_no_file(target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files.tempfile, "mkstemp", _raise(OSError(errno.EROFS, "read-only")))
        with pytest.raises(InputError, match="read-only"):
            write_bytes(target, NEW, OURS)


@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_what_is_written_is_read(name, tmp_path):
    path = tmp_path / name
    for data in (OLD, NEW, b""):
        write_bytes(path, data, OURS)
        assert read_bytes(path) == data
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_the_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_bytes(tmp_path / "x", NEW, OURS)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    name = "x" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 5) + ".json"
    write_bytes(tmp_path / name, NEW, OURS)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_pipe_stays_a_pipe(tmp_path):
    # So does /dev/null, which only root could replace.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(InputError):
            write_bytes(pipe, b"x", ANY)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    "write",
    [lambda path: check_writable(path, OURS), lambda path: write_bytes(path, NEW, OURS)],
)
def test_places_that_cannot_be_written(write, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(OLD)
    for place, says in [
        (tmp_path, "is a directory"),
        (tmp_path / "missing" / "x", "no directory"),
        (tmp_path / "file" / "x", "no directory"),
        (tmp_path / ("x" * 300), "too long"),
    ]:
        with pytest.raises(InputError, match=says):
            write(place)
    # Permission bits do not bind root.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="permission"):
        write(tmp_path / "x")


@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_size_limit(name, tmp_path, monkeypatch):
    # After decompression: a small file can hold a lot.
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10_000)
    write_bytes(tmp_path / name, bytes(10_000), ANY)
    assert len(read_bytes(tmp_path / name)) == 10_000
    write_bytes(tmp_path / name, bytes(10_001), ANY)
    with pytest.raises(InputError, match="larger than"):
        read_bytes(tmp_path / name)


def test_broken_gzip(tmp_path):
    good = gzip.compress(os.urandom(1000))
    flipped = bytearray(good)
    flipped[500] ^= 0xFF
    for data, says in [
        (good[:-20], "truncated"),
        (good[:5], "truncated"),
        (b"{}", "not a gzip file"),
        (bytes(flipped), "not a gzip file"),
        (good[:-8] + b"\0" * 8, "not a gzip file"),
        (good + b"tail", "not a gzip file"),
    ]:
        (tmp_path / "x.gz").write_bytes(data)
        with pytest.raises(InputError, match=says):
            read_bytes(tmp_path / "x.gz")


def test_no_permission_to_read(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(OLD)
    monkeypatch.setattr(Path, "open", _raise(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(InputError, match="Permission denied"):
        read_bytes(tmp_path / "x")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": [1, "x"]}', r"file: a\[1\]: Expected `int`"),
        (b"[]", "file: Expected `object`"),
        (b'{"a": [1,]}', "file: not JSON"),
        (b'{"a": [], "b": "\xff"}', "file: not JSON"),
        (b"\xff\xfe", "file: not JSON"),
        (b"", "file: not JSON"),
        (b'{"c": ' + b"[" * 100_000, "file: not JSON"),
    ],
)
def test_decode_names_the_place(data, says):
    class Kind(msgspec.Struct):
        a: list[int]
        b: str = ""

    with pytest.raises(InputError, match=says):
        decode("file", data, Kind)
