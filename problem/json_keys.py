"""Repeated keys of JSON objects, which parsers take without a word: only the last value counts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

#: An array of numbers has no keys inside, and nearly all of a large file is such arrays.
_NUMBERS = re.compile(rb"\[[0-9,. \t\r\neE+nul-]*\]")


class _RepeatedKeyError(Exception):
    """Carries the key."""


def repeated_key(data: bytes) -> str | None:
    """Find a key that some object has twice, at any depth.

    Parameters
    ----------
    data : bytes
        Valid JSON in UTF-8.

    Returns
    -------
    str or None

    Raises
    ------
    ValueError
        If a value that nobody has looked at yet is no JSON.
    RecursionError
    """
    short, length = data, len(data) + 1
    while len(short) < length:
        length = len(short)
        short = _NUMBERS.sub(b"0", short)
    # Text with brackets may have become equal.
    return _first(short) and _first(data)


def _first(data: bytes) -> str | None:
    try:
        # Numbers of any length are fine.
        json.loads(data, object_pairs_hook=_check, parse_int=float)
    except _RepeatedKeyError as error:
        return str(error)
    return None


def _check(pairs: Sequence[tuple[str, object]]) -> None:
    known = set()
    for key, _ in pairs:
        if key in known:
            raise _RepeatedKeyError(key)
        known.add(key)
