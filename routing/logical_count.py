"""JSON with ``logical_count``: what SGLang takes as ``--init-expert-location``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.files import decode, read_bytes
from .recording import Counts


class _LogicalCount(msgspec.Struct):
    logical_count: list[list[float | list[float]]]


def read_logical_count(path: Path) -> Counts:
    """Counts [layers][experts], or [steps][layers][experts], which are summed up.

    Raises
    ------
    InputError
        If they are no rectangle, or wrong numbers.
    """
    content = decode(path, read_bytes(path), _LogicalCount)
    try:
        table = np.array(content.logical_count, dtype=np.float64)
    except ValueError:
        raise InputError(f"{path}: logical_count: the rows differ in length") from None
    if table.ndim == 3:
        table = table.sum(axis=0)
    return Counts.of(path, table)
