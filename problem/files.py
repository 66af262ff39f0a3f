"""Reading and writing files safely: size limits, gzip, atomic replacement of the same kind."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import reprlib
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec

from .errors import InputError
from .file_kind import HEAD_BYTES, FileKind
from .json_keys import repeated_key
from .sizes import MAX_FILE_BYTES
from .validation import convert, explained

T = TypeVar("T")

#: What stands for standard input, or standard output, where one file is read or written.
STANDARD = "-"

#: Names of files that others compress.
_OTHER_COMPRESSION = {
    ".7z", ".br", ".bz2", ".lz4", ".lzma", ".rar", ".tgz", ".xz", ".z", ".zip", ".zst",
}  # fmt: skip


def read_bytes(path: str | Path) -> bytes:
    """Content of a file, decompressed if its name ends in ``.gz``; of standard input for ``-``.

    Raises
    ------
    InputError
        If the file cannot be read, is truncated or exceeds `MAX_FILE_BYTES`, or its name tells
        another compression.
    """
    if path == STANDARD:
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if sys.stdin is not None else b""
        if not data:
            raise InputError(f"{path}: standard input has no more to read")
    else:
        data = _read(Path(path), MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def _read(path: Path, most: int) -> bytes:
    """Up to so many bytes from the beginning of a file, decompressed."""
    with opened(path) as stream:
        # In parts: one call for all would take that much memory at once.
        parts, size = [], 0
        while size < most and (part := stream.read(min(2**20, most - size))):
            parts.append(part)
            size += len(part)
        return b"".join(parts)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read, decompressed if its name ends in ``.gz``.

    Raises
    ------
    InputError
        If the file cannot be read, or its name tells another compression; also for what fails when
        the file is read inside the block.
    """
    gzipped = _is_gzip(path)
    try:
        with path.open("rb") as raw:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if gzipped else raw
    except EOFError:
        raise InputError(f"{path}: the gzip file is truncated") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not a gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _is_gzip(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    suffix = path.suffix.lower()
    if suffix in _OTHER_COMPRESSION:
        raise InputError(f"{path}: {suffix} is not supported, compressed files end in .gz")
    return suffix == ".gz"


def check_writable(path: str | Path, kind: FileKind) -> None:
    """Refuse a path that cannot be written, before the work for it is done.

    Parameters
    ----------
    path : path
        An existing file must be of the same kind, or empty.
    kind : FileKind
        What is going to be written.

    Raises
    ------
    InputError
    """
    if path == STANDARD and kind.to_stdout:
        return
    path = Path(path)
    _is_gzip(path)
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
    if path.exists():
        try:
            why = kind.refusal(_read(path, HEAD_BYTES))
        except InputError as error:
            raise InputError(f"{error}, not overwritten") from None
        if why:
            raise InputError(f"{path}: {why}")


def write_bytes(path: str | Path, data: bytes, kind: FileKind) -> None:
    """Write a file whole or not at all; compressed if its name ends in ``.gz``.

    A path ``-`` is standard output, for kinds of files that say so.

    The compressed form carries no time and no name, so equal data gives equal files.

    Parameters
    ----------
    path : path
        See `check_writable`.
    data : bytes
    kind : FileKind
        What is written.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    check_writable(path, kind)
    if path == STANDARD and kind.to_stdout:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    path = Path(path)
    if _is_gzip(path):
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
                # The new name must not reach the disk before the data does.
                file.flush()
                os.fsync(file.fileno())
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
    data = data.removeprefix(codecs.BOM_UTF8)
    with _refused(path, kind):
        decoded = msgspec.json.decode(data, type=kind)
        key = repeated_key(data)
    if key is not None:
        raise InputError(f"{path}: the key {key!r} is repeated in one object")
    return decoded


def decode_toml(path: str | Path, kind: type[T]) -> T:
    """Read a TOML file into a declared structure.

    Raises
    ------
    InputError
        Naming the file and the field, with the row where there is one.
    """
    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error})") from None
    return convert(table, kind, str(path))


@contextlib.contextmanager
def _refused(path: str | Path, kind: Any) -> Iterator[None]:
    """Turn what parsers say into our own errors."""
    try:
        yield
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {explained(error, kind)}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None


class _Header(msgspec.Struct):
    """The two fields that every file of ours begins with."""

    format: Any = None
    version: Any = None


def check_header(path: str | Path, data: bytes, format: str) -> None:  # noqa: A002
    """Refuse a file of another format or version before looking at anything else."""
    with _refused(path, _Header):
        header = msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=_Header)
    _check_header(path, header, format)


def converted(content: Mapping[str, Any], kind: type[T], where: str, format: str) -> T:  # noqa: A002
    """Content of a file of ours that is in memory already, checked as the file would be.

    Raises
    ------
    InputError
        Naming the field, with the row where there is one.
    """
    _check_header(where, _Header(content.get("format"), content.get("version")), format)
    checked = convert(dict(content), kind, where)
    try:
        # What may be anything has to be something that a file can hold.
        msgspec.json.encode(content.get("meta"))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{where}: meta: not JSON ({error})") from None
    return checked


def _check_header(path: str | Path, header: _Header, format: str) -> None:  # noqa: A002
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
