"""Arrays of NumPy: the routed experts of one request in vLLM, saved by ``numpy.save``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ..problem.errors import InputError
from ..problem.files import opened
from .recording import BLOCK_NUMBERS, Block, Integers, Tokens


def read_numpy_file(path: Path) -> Tokens:
    """Tokens of an ``.npy`` file; they are one sequence.

    vLLM 0.22: ``CompletionOutput.routed_experts``, int [tokens, layers, K].
    """
    return Tokens(_blocks(path))


def array_of(data: bytes, where: str) -> Integers:
    """Array in the bytes of an ``.npy`` file.

    Raises
    ------
    InputError
        If they are no plain array.
    """
    file = io.BytesIO(data)
    try:
        (*shape,) = _header(file, len(data), where)[0]
        file.seek(0)
        return np.load(file, allow_pickle=False).reshape(shape)  # type: ignore[no-any-return]
    except ValueError as error:
        raise InputError(f"{where}: not a plain array of NumPy ({error})") from None


def _blocks(path: Path) -> Iterator[Block]:
    with opened(path) as file:
        size = None if path.suffix == ".gz" else path.stat().st_size
        shape, dtype = _header(file, size, str(path))
        width = int(np.prod(shape[1:]))
        rows = max(1, BLOCK_NUMBERS // max(width, 1))
        for begin in range(0, shape[0], rows):
            count = min(rows, shape[0] - begin)
            data = file.read(count * width * dtype.itemsize)
            if len(data) != count * width * dtype.itemsize:
                raise InputError(f"{path}: the array is truncated")
            ids = np.frombuffer(data, dtype=dtype).reshape(count, *shape[1:])
            yield Block(ids, np.zeros(count, dtype=np.int32))


def _header(
    file: IO[bytes], size: int | None, where: str
) -> tuple[tuple[int, int, int], np.dtype[np.integer]]:
    """Shape and type of an array, checked against the size of the file."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError) as error:
        raise InputError(f"{where}: not a plain array of NumPy ({error})") from None
    if dtype.kind not in "iu" or len(shape) != 3 or 0 in shape[1:]:
        raise InputError(f"{where}: expected whole numbers [tokens, layers, K], got {dtype}{shape}")
    if fortran:
        raise InputError(f"{where}: written in Fortran's order: save numpy.ascontiguousarray of it")
    tokens, layers, top_k = shape
    if size is not None and file.tell() + tokens * layers * top_k * dtype.itemsize > size:
        raise InputError(f"{where}: the array is truncated")
    return (tokens, layers, top_k), dtype
