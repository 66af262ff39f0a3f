"""Reading and writing files safely: size limits, gzip, atomic replacement."""

from __future__ import annotations

import contextlib
import gzip
import os
import reprlib
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec

from .errors import InputError
from .sizes import MAX_FILE_BYTES

T = TypeVar("T")


def read_bytes(path: str | Path) -> bytes:
    """Content of a file, decompressed if its name ends in ``.gz``.

    Raises
    ------
    InputError
        If the file cannot be read, is truncated or exceeds `MAX_FILE_BYTES`.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            gzipped = path.suffix == ".gz"
            data = _read(cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if gzipped else raw)
    except EOFError:
        raise InputError(f"{path}: the gzip file is truncated") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not a gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def _read(stream: IO[bytes]) -> bytes:
    """Read in parts: one call for the limit would take that much memory at once."""
    parts, size = [], 0
    while size <= MAX_FILE_BYTES and (part := stream.read(min(2**20, MAX_FILE_BYTES + 1 - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def check_writable(path: str | Path) -> None:
    """Refuse a path that cannot be written, before the work for it is done.

    Raises
    ------
    InputError
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a directory")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no directory {path.parent}")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: no permission to write in {path.parent}")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all; compressed if its name ends in ``.gz``.

    The compressed form carries no time and no name, so equal data gives equal files.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    check_writable(path)
    if path.suffix == ".gz":
        data = gzip.compress(data, compresslevel=6, mtime=0)
    with replacement(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of another, or of none, when it was written without error.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".expertcache-")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def decode(path: str | Path, data: bytes, kind: type[T]) -> T:
    """Decode JSON into a declared structure.

    Raises
    ------
    InputError
        Naming the file and the field, with the row where there is one.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").removeprefix(".")
        raise InputError(f"{path}: {field + ': ' if field else ''}{message}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None


class _Header(msgspec.Struct):
    """The two fields that every file of ours begins with."""

    format: Any = None
    version: Any = None


def check_header(path: str | Path, data: bytes, format: str) -> None:  # noqa: A002
    """Refuse a file of another format or version before looking at anything else."""
    header = decode(path, data, _Header)
    if header.format != format:
        raise InputError(f"{path}: format: expected {format!r}, got {reprlib.repr(header.format)}")
    if header.version != 1 or isinstance(header.version, bool | float):
        raise InputError(
            f"{path}: version: only version 1 is known, got {reprlib.repr(header.version)}"
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
