"""Importance matrices of llama.cpp: exact counts of each expert's use.

``llama-imatrix`` (tools/imatrix/imatrix.cpp) writes GGUF: tensors
``blk.LAYER.ffn_*_exps.weight.counts`` [experts, 1] beside the sums of squares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from ..problem.files import opened
from .recording import Counts

_COUNTS = re.compile(r"blk\.(\d+)\.ffn_\w*_exps\.weight\.counts")

#: What gguf raises on files that are damaged.
_BROKEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


def read_imatrix(path: Path) -> Counts:
    """Counts of an importance matrix in GGUF.

    Raises
    ------
    InputError
        If gguf is missing, or the file is of another kind or of the legacy format.
    """
    if not _begins_as_gguf(path):
        raise InputError(
            f"{path}: not in GGUF; the legacy format (.dat) normalises the counts of the experts "
            "away: run llama-imatrix with --output-format gguf"
        )
    rows = {layer: _row(path, layer, tensor) for layer, tensor in sorted(_tensors(path).items())}
    if not rows:
        raise InputError(f"{path}: has no counts of experts (blk.*.ffn_*_exps.weight.counts)")
    if len({len(row) for row in rows.values()}) > 1:
        raise InputError(f"{path}: the layers differ in their experts")
    return Counts.of(path, np.array(list(rows.values())))


def is_imatrix(path: Path) -> bool:
    """Whether a file is GGUF, or has the name of the legacy format."""
    return path.suffix == ".dat" or _begins_as_gguf(path)


def _begins_as_gguf(path: Path) -> bool:
    with opened(path) as file:
        return file.read(4) == b"GGUF"


def _tensors(path: Path) -> dict[int, Any]:
    """One tensor of counts for each layer: those of gate, up and down are the same."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise InputError(f"{path}: GGUF needs the extra: pip install 'expertcache[gguf]'") from None
    try:
        reader = GGUFReader(path)
        kind = reader.get_field("general.type")
        if kind is None or kind.contents() != "imatrix":
            raise InputError(f"{path}: general.type: not an importance matrix")
        found: dict[int, Any] = {}
        for tensor in reader.tensors:
            match = _COUNTS.fullmatch(tensor.name)
            if match:
                found.setdefault(int(match[1]), np.array(tensor.data))
        return found
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{path}: not a GGUF file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _row(path: Path, layer: int, counts: Any) -> Any:
    row = counts.reshape(-1)
    if row.dtype != np.float32:
        raise InputError(f"{path}: layer {layer}: counts must be of type F32")
    if len(row) == 1:
        raise InputError(
            f"{path}: layer {layer}: one count for all experts: made from the legacy format"
        )
    return row.astype(np.float64)
