"""What every reader hands over: tokens in blocks, or counts; and lines in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..problem.errors import InputError
from ..problem.files import opened
from ..problem.instance import FloatArray

#: Whole numbers of any width: blocks keep that of the file.
Integers = npt.NDArray[np.integer[Any]]

#: Numbers in a block of tokens: small beside the memory of the process, large beside a call.
BLOCK_NUMBERS = 2**21

#: A line of text or a JSON document on one line is not longer than this.
_MAX_LINE_BYTES = 2**26


class Block(NamedTuple):
    """Tokens in the order of time.

    Attributes
    ----------
    ids : int array [tokens, layers, columns]
        Logical experts. Rows of -1 were not routed; -1 behind experts is padding.
    sequence : int array [tokens] or None
        Number inside the file, >= 0; None where the format does not tell sequences.
    incomplete : int
        Tokens left out here because some of their layers were not recorded.
    """

    ids: Integers
    sequence: Integers | None
    incomplete: int = 0


class Tokens(NamedTuple):
    """Tokens of a file.

    Attributes
    ----------
    blocks : iterator of Block
    zeros_are_absent : bool
        Whether a row of zeros is a layer that routed nothing, as in the buffers of engines.
    """

    blocks: Iterator[Block]
    zeros_are_absent: bool = True


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each expert of each layer was used.

    Attributes
    ----------
    table : float array [layers, experts]
        Layers that were used; each sums to more than 0.
    empty_layers : int
        Layers without any use, which the table leaves out: they are dense.
    """

    table: FloatArray
    empty_layers: int

    @classmethod
    def of(cls, path: str | Path, table: FloatArray) -> Counts:
        """Leave the empty layers out.

        Raises
        ------
        InputError
            If the counts are negative, not finite or all 0.
        """
        if table.ndim != 2 or 0 in table.shape:
            raise InputError(f"{path}: expected counts [layers, experts]")
        wrong = np.argwhere(~(table >= 0) | np.isinf(table))
        if len(wrong):
            layer, expert = wrong[0]
            raise InputError(f"{path}: layer {layer}, expert {expert}: counts are finite and >= 0")
        with np.errstate(over="ignore"):
            total = table.sum(axis=1)
        if not np.isfinite(total).all() or not total.any():
            raise InputError(f"{path}: counts must be finite and not all 0")
        return cls(table[total > 0], int((total == 0).sum()))


class Shape(NamedTuple):
    """What some formats do not tell.

    Attributes
    ----------
    layers : int or None
        All layers of the model, dense ones as well.
    top_k : int or None
        Experts of a token in each layer.
    """

    layers: int | None = None
    top_k: int | None = None


def line_blocks(path: Path, size: int = 2**22) -> Iterator[bytes]:
    """Whole lines of a text file in blocks of about so many bytes.

    Raises
    ------
    InputError
        If the file cannot be read or a line is too long.
    """
    with opened(path) as file:
        rest = b""
        while data := file.read(size):
            lines, newline, rest_of_data = data.rpartition(b"\n")
            if newline:
                yield rest + lines + newline
                rest = rest_of_data
            else:
                rest += data
            if len(rest) > _MAX_LINE_BYTES:
                raise InputError(f"{path}: a line is longer than {_MAX_LINE_BYTES} bytes")
        if rest:
            yield rest
