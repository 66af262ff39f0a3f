"""CSV of ``llama-moe-trace``, without a header.

thecodacus/llama.cpp (tools/moe-trace): ``pos,layer,id0,id1,...`` of one run. The positions of the
prompt are negative and begin anew in every micro-batch; of the prompt, the last layer computes the
last token only. ggml-org/llama.cpp#28544: ``layer,expert``, which tells no tokens, only counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..problem.errors import InputError
from ..problem.files import opened
from ..problem.instance import FloatArray
from .cleaning import MAX_EXPERTS
from .recording import Block, Counts, Integers, Tokens
from .rows import Rows

#: Lines that are read at once.
_LINES = 2**18


def read_moe_trace(path: Path) -> Tokens | Counts:
    """Tokens where positions are told, counts otherwise."""
    with opened(path) as file:
        header = file.readline(2**16)
    if header.count(b",") == 1:
        return Counts.of(path, _counts(path, skip=int(header.strip() == b"layer,expert")))
    return Tokens(_blocks(path), zeros_are_absent=False)


def _blocks(path: Path) -> Iterator[Block]:
    with Rows(path) as rows:
        _fill(path, rows)
        for block in rows.tokens():
            yield block._replace(sequence=np.zeros(len(block.ids), dtype=np.int32))


def _fill(path: Path, rows: Rows) -> None:
    batch, last = 0, -1
    for table in _tables(path, skip=0):
        if table.shape[1] < 3:
            raise InputError(f"{path}: expected pos,layer,id0,id1,...")
        position, layer = table[:, 0], table[:, 1]
        # The layers of a micro-batch come one after the other: where they fall, another begins.
        number = batch + np.cumsum(np.diff(layer, prepend=last) < 0)
        rows.append(number, position, layer, table[:, 2:])
        batch, last = int(number[-1]), int(layer[-1])


def _counts(path: Path, skip: int) -> FloatArray:
    counts = np.zeros((1, 1))
    for table in _tables(path, skip):
        if table.shape[1] != 2 or table.min() < 0 or table.max() >= MAX_EXPERTS:
            raise InputError(f"{path}: expected layer,expert in each line")
        layer, expert = table.T
        size = np.maximum(counts.shape, (int(layer.max()) + 1, int(expert.max()) + 1))
        if size[0] > 2**12:
            raise InputError(f"{path}: layer {layer.max()}")
        counts = np.pad(counts, [(0, size[0] - counts.shape[0]), (0, size[1] - counts.shape[1])])
        code = np.bincount(layer * size[1] + expert, minlength=size[0] * size[1])
        counts += code.reshape(size)
    return counts


def _tables(path: Path, skip: int) -> Iterator[Integers]:
    with opened(path) as file:
        try:
            reader: Any = pd.read_csv(
                file, header=None, skiprows=skip, dtype=np.int64, chunksize=_LINES
            )
            for table in reader:
                yield table.to_numpy()
        except (ValueError, OverflowError, pd.errors.EmptyDataError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: not lines of whole numbers ({error})") from None
