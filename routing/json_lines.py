"""JSON lines of (sequence, token, layer, experts), as people record them by hooks.

One object for each token and layer. The names of the fields differ; those below are read. The
lines of a sequence follow one another; without a sequence, a file is one. With ``model`` in the
lines, a file may have several models.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.files import decode
from ..problem.sizes import MAX_INT
from .one_model import IsWanted, OneModel
from .recording import Block, Integers, Tokens, line_blocks
from .rows import Rows

#: What a field is called, by us first.
NAMES = {
    "sequence": ("sequence", "sequence_id", "problem_id", "prompt_id", "query_id", "request_id"),
    "token": ("token", "token_idx", "token_index", "token_position", "position"),
    "layer": ("layer", "layer_id", "layer_idx"),
    "experts": ("experts", "selected_experts", "expert_ids", "topk_ids"),
    "model": ("model",),
}
_TYPES: dict[str, Any] = {
    "sequence": int | str, "token": int, "layer": int, "experts": list[int], "model": str,
}  # fmt: skip


def read_json_lines(path: Path, *, model: IsWanted | None = None) -> Tokens:
    """Tokens of a file of JSON lines, of one model where several are told."""
    return Tokens(_blocks(path, model), zeros_are_absent=False)


def is_row(first: dict[str, Any]) -> bool:
    """Whether the first object of a file looks like one of this format."""
    return _is_metadata(first) or bool({"layer", "experts"} <= set(_names(first)))


def _blocks(path: Path, model: IsWanted | None) -> Iterator[Block]:
    with Rows(path) as rows:
        numbers = _fill(path, rows, OneModel(path, model))
        for block in rows.tokens():
            yield block._replace(sequence=numbers[block.sequence])


def _fill(path: Path, rows: Rows, one: OneModel) -> Integers:
    """Put the lines into the rows; returns the number of each sequence."""
    sequences = _Sequences(path)
    for found in _found(path):
        if found and hasattr(found[0], "model"):
            found = [row for row in found if one.takes(row.model)]
        kept = [row for row in found if row.experts]
        if not kept:
            continue
        if len({len(row.experts) for row in kept}) > 1:
            raise InputError(f"{path}: rows differ in how many experts they have")
        try:
            rows.append(
                sequences.groups([getattr(row, "sequence", 0) for row in kept]),
                np.array([row.token for row in kept], dtype=np.int64),
                np.array([row.layer for row in kept], dtype=np.int64),
                np.array([row.experts for row in kept], dtype=np.int64),
            )
        except OverflowError:
            raise InputError(f"{path}: a token, layer or expert is out of range") from None
    one.check()
    return np.array(sequences.numbers, dtype=np.int64)


class _Sequences:
    """Numbers of sequences: their own, or by their order where they are texts."""

    def __init__(self, path: Path) -> None:
        self.numbers: list[int] = []
        self._path = path
        self._group: dict[int | str, int] = {}

    def groups(self, names: list[int | str]) -> Integers:
        """Group of each line; a sequence that was left must not come back."""
        groups, sizes = [], []
        for name, run in itertools.groupby(names):
            groups.append(self._group_of(name))
            sizes.append(sum(1 for _ in run))
        return np.repeat(groups, sizes)

    def _group_of(self, name: int | str) -> int:
        group = self._group.get(name)
        if group is None:
            group = self._group[name] = len(self.numbers)
            number = name if isinstance(name, int) else group
            if not 0 <= number <= MAX_INT:
                raise InputError(f"{self._path}: sequence {name}: out of range")
            if isinstance(name, str) != isinstance(next(iter(self._group)), str):
                raise InputError(f"{self._path}: sequences are numbers and texts")
            self.numbers.append(number)
        elif group != len(self.numbers) - 1:
            raise InputError(
                f"{self._path}: sequence {name!r} comes back after another: sort the lines"
            )
        return group


def _found(path: Path) -> Iterator[list[Any]]:
    """Rows of each block of lines."""
    decoder: msgspec.json.Decoder[Any] | None = None
    line = 0
    for block in line_blocks(path):
        text = block
        if decoder is None:
            first, _, rest = text.lstrip().partition(b"\n")
            content = decode(f"{path}: line 1", first, dict[str, Any])
            if _is_metadata(content):
                _check_metadata(path, content)
                text, line = rest, 1
                first = rest.lstrip().partition(b"\n")[0]
                content = decode(f"{path}: line 2", first, dict[str, Any])
            decoder = _decoder(path, content)
        try:
            yield decoder.decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _explained(path, text, line, decoder) from None
        line += text.count(b"\n")


def _decoder(path: Path, first: dict[str, Any]) -> msgspec.json.Decoder[Any]:
    names = _names(first)
    for field in ("token", "layer", "experts"):
        if field not in names:
            known = ", ".join(NAMES[field])
            raise InputError(f"{path}: the first line has no {field} (by one of: {known})")
    fields = [(field, _TYPES[field]) for field in names]
    row = msgspec.defstruct("Row", fields, rename=names, gc=False)
    return msgspec.json.Decoder(row)


def _names(first: dict[str, Any]) -> dict[str, str]:
    """What the fields are called in a file."""
    return {
        field: next(name for name in known if name in first)
        for field, known in NAMES.items()
        if any(name in first for name in known)
    }


def _explained(
    path: Path, block: bytes, line: int, decoder: msgspec.json.Decoder[Any]
) -> InputError:
    """Which line of a block is wrong, and why."""
    for number, text in enumerate(block.splitlines(), line + 1):
        try:
            if text.strip():
                decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return InputError(f"{path}: line {number}: {error}")
    return InputError(f"{path}: not lines of JSON")


def _is_metadata(content: dict[str, Any]) -> bool:
    """Whether a line is the first one of moe-cache-lab's format."""
    return content.get("record_type") == "metadata"


def _check_metadata(path: Path, content: dict[str, Any]) -> None:
    stages = content.get("routing_stages")
    if isinstance(stages, list) and len(stages) > 1:
        raise InputError(
            f"{path}: encoder and decoder in one file: their layers are not the same; keep the "
            "lines of one of them"
        )
