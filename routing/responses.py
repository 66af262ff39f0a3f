"""Responses of servers: one JSON document, or one document a line."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.files import decode, opened, read_bytes
from .one_model import IsWanted, OneModel
from .recording import Block, Integers, Tokens, line_blocks


def sequences(
    path: Path,
    arrays: Callable[[dict[str, Any], str], Iterator[Integers]],
    model: IsWanted | None = None,
) -> Tokens:
    """Tokens of a file of responses, where a function finds the sequences of a response.

    Parameters
    ----------
    path : path
    arrays : callable
        Of a response and what to call it in messages; yields int arrays [tokens, layers, K].
    model : callable, optional
        Which model's responses to take, where they tell it.
    """
    return Tokens(_blocks(path, arrays, OneModel(path, model)))


def _blocks(
    path: Path, arrays: Callable[[dict[str, Any], str], Iterator[Integers]], one: OneModel
) -> Iterator[Block]:
    number = 0
    for response, where in _responses(path):
        if not one.takes(response.get("model") if isinstance(response.get("model"), str) else None):
            continue
        for ids in arrays(response, where):
            yield Block(ids, np.full(len(ids), number, dtype=np.int32))
            number += 1
    one.check()
    if not number:
        raise InputError(f"{path}: no response has routed experts")


def _responses(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    if one_a_line(path):
        line = 0
        for block in line_blocks(path):
            for text in block.splitlines():
                line += 1
                if text.strip():
                    where = f"{path}: line {line}"
                    yield decode(where, text, dict[str, Any]), where
        return
    content = decode(path, read_bytes(path), dict[str, Any] | list[dict[str, Any]])  # type: ignore[arg-type]
    if isinstance(content, dict):
        yield content, str(path)
    else:
        for place, response in enumerate(content):
            yield response, f"{path}: [{place}]"


def one_a_line(path: Path) -> bool:
    """Whether the first line of a file is a whole JSON object and not the only line."""
    with opened(path) as file:
        first = file.readline(2**26)
        more = file.readline(2**10)
    try:
        return bool(more) and isinstance(msgspec.json.decode(first), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def from_base64(text: object, where: str) -> bytes:
    """Bytes of a base64 text.

    Raises
    ------
    InputError
    """
    try:
        if not isinstance(text, str):
            raise InputError(f"{where}: expected base64")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{where}: not base64 ({error})") from None
