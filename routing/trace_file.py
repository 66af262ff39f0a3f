"""The trace file, written without ever holding it whole."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import replacement
from ..problem.sizes import MAX_FILE_BYTES
from .recording import Block

#: An archive with this member first.
TRACE_FILE = FileKind("trace", rb"PK\x03\x04.{26}expert_ids\.npy")

#: Bytes that are copied at once.
_PART_BYTES = 2**24


class TraceFile:
    """Tokens collected on the disk, beside where the trace will be, and then written as one."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._files = ExitStack()
        folder = self._path.parent
        self._ids = self._files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        self._sequence = self._files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        self._shape: tuple[int, ...] = ()
        self._tokens = 0
        self._largest = 0
        self._has_sequences = True

    def __enter__(self) -> TraceFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def append(self, block: Block) -> None:
        """Add tokens; all have the same layers and K.

        Raises
        ------
        InputError
            If the disk is full.
        """
        if not len(block.ids):
            return
        self._shape = block.ids.shape[1:]
        self._tokens += len(block.ids)
        self._largest = max(self._largest, int(block.ids.max()))
        try:
            self._ids.write(np.ascontiguousarray(block.ids, dtype=np.uint16).data)
            if block.sequence is None:
                self._has_sequences = False
            else:
                self._sequence.write(np.ascontiguousarray(block.sequence, dtype=np.int32).data)
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None

    def write(self) -> None:
        """Write the trace whole or not at all; the same tokens give the same bytes.

        Raises
        ------
        InputError
            If nothing could read the trace again, or it cannot be written.
        """
        dtype = np.dtype(np.uint8 if self._largest < 2**8 else np.uint16)
        numbers = self._tokens * int(np.prod(self._shape))
        if numbers * dtype.itemsize + 4 * self._tokens + 2**10 > MAX_FILE_BYTES:
            raise InputError(
                f"{self._path}: {self._tokens} tokens would be larger than {MAX_FILE_BYTES} bytes, "
                "the most that a trace may have: import fewer files"
            )
        with replacement(self._path) as file, zipfile.ZipFile(file, "w") as archive:
            parts = _parts(self._ids, np.dtype(np.uint16), dtype)
            _write_member(archive, "expert_ids", (self._tokens, *self._shape), dtype, parts)
            if self._has_sequences:
                number = np.dtype(np.int32)
                parts = _parts(self._sequence, number, number)
                _write_member(archive, "sequence", (self._tokens,), number, parts)


def _parts(file: IO[bytes], kept: np.dtype[Any], wanted: np.dtype[Any]) -> Iterator[bytes]:
    file.seek(0)
    while data := file.read(_PART_BYTES):
        yield np.frombuffer(data, dtype=kept).astype(wanted, copy=False).tobytes()


def _write_member(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    parts: Iterator[bytes],
) -> None:
    # A ZipInfo of its own has no time of today in it.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(member, header | {"shape": shape})
        for part in parts:
            member.write(part)
