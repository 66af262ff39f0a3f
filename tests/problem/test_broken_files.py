"""Files that cannot be read or written at all give status 2 and one line."""

import errno
import gzip
from pathlib import Path

import pytest

#: Name, content or how it is made from that of a good file, and what the message says.
BROKEN_FILES = [
    ("empty.json", b"", "not JSON"),
    ("empty.json.gz", b"", "empty.json.gz"),
    ("text.json", b"hello", "not JSON"),
    ("half.json", lambda good: good[:100], "not JSON"),
    ("two.json", lambda good: good * 2, "not JSON"),
    ("list.json", b"[]", "Expected `object`"),
    ("null.json", b"null", "Expected `object`"),
    ("object.json", b"{}", "format"),
    ("binary.json", bytes(range(256)) * 10, "not JSON"),
    ("gzipped.json", gzip.compress, "not JSON"),
    ("utf16.json", lambda good: good.decode().encode("utf-16"), "not JSON"),
    ("latin1.json", lambda good: good.replace(b"toy", b"t\xfcy"), "not JSON"),
    ("surrogate.json", lambda good: good.replace(b"toy", rb"\ud800"), "not JSON"),
    ("deep.json", b"[" * 100_000, "deep.json"),
    ("deeper.json", b'{"x":' * 100_000, "not JSON"),
    ("plain.json.gz", lambda good: good, "not a gzip file"),
    ("truncated.json.gz", lambda good: gzip.compress(good)[:-20], "truncated"),
    ("header.json.gz", lambda good: gzip.compress(good)[:5], "truncated"),
    ("checksum.json.gz", lambda good: gzip.compress(good)[:-8] + bytes(8), "not a gzip file"),
    ("inside.json.gz", gzip.compress(b"hello"), "not JSON"),
]


@pytest.mark.parametrize(("name", "data", "says"), BROKEN_FILES, ids=[f[0] for f in BROKEN_FILES])
def test_broken_file(name, data, says, refused):
    Path(name).write_bytes(data(Path("good.json").read_bytes()) if callable(data) else data)
    refused("solve", name, "--method", "popularity", "--output", "out.json", says=says)
    refused("evaluate", "good.json", name, says=name)


def test_a_directory_is_no_file(refused):
    Path("directory.json").mkdir()
    refused("solve", "directory.json", says="directory")
    refused("evaluate", "good.json", "directory.json", says="directory")
    refused("study", "directory.json", "--methods", "greedy", "--output", "study", says="directory")


def test_a_file_that_may_not_be_read(refused, monkeypatch):
    # Permission bits do not bind root. `listing` reads too, with absolute paths.
    opened = Path.open

    def closed(self, *args, **kwargs):
        if self == Path("closed.json"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *args, **kwargs)

    Path("closed.json").write_bytes(Path("good.json").read_bytes())
    monkeypatch.setattr(Path, "open", closed)
    refused("solve", "closed.json", "--output", "out.json", says="closed.json: Permission denied")


def test_names_longer_than_the_file_system_allows(refused):
    name = "x" * 300 + ".json"
    refused("solve", name, says="too long")
    refused("evaluate", "good.json", name, says="too long")
    refused("solve", "good.json", "--method", "greedy", "--output", name, says="too long")
    refused("study", name, "--methods", "greedy", "--output", "study", says="xxx")


def test_a_file_that_may_not_grow(refused_process):
    # The limit stops the write in the middle, as a full disk would.
    Path("out.json").write_text("old")
    refused_process(
        "generate", "--layers", 1, "--experts", 4, "--users", 200, "--output", "out.json",
        says="out.json", limits=[("RLIMIT_FSIZE", 4096)],
    )  # fmt: skip
