"""Amounts as people write them: bytes with a unit, or a share."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from .errors import InputError
from .sizes import MAX_BYTES

_UNITS = {"B": 1}
_UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", start=1)}
_UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", start=1)}
_BY_SPELLING = {unit.lower(): size for unit, size in _UNITS.items()}

_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d{1,3})?\s*(%|[a-z]*)", re.IGNORECASE)


def bytes_of(amount: str | float, total: int, where: str) -> int:
    """Bytes of an amount; a part of a byte is dropped.

    Parameters
    ----------
    amount : str or number
        With a unit (``24GiB``, ``24 GB``), a share (``20%``, or a number up to 1), or bytes.
    total : int
        What a share is a share of.
    where : str
        Whose amount it is, for messages.

    Raises
    ------
    InputError
        If it is none of these, or too much.
    """
    text = str(amount).strip()
    found = _AMOUNT.fullmatch(text)
    unit = found[3].lower() if found else ""
    if found is None or (unit and unit != "%" and unit not in _BY_SPELLING):
        raise InputError(
            f"{where}: {text!r} is no amount of memory, such as 24GiB, 24GB, 20% or bytes "
            f"(units: {', '.join(_UNITS)})"
        )
    # As the decimal that was given: 0.35 of 1280 experts are 448, not a byte less.
    value = Fraction(found[1] + (found[2] or ""))
    if unit == "%" or (not unit and value <= 1):
        share = value / 100 if unit else value
        if share > 1:
            raise InputError(f"{where}: {text} is more than all experts: name bytes")
        return math.floor(share * total)
    if not unit and value.denominator != 1:
        raise InputError(f"{where}: {text} is neither a share, up to 1, nor whole bytes")
    if value * _BY_SPELLING.get(unit, 1) > MAX_BYTES:
        raise InputError(f"{where}: {text} is more than {MAX_BYTES} bytes")
    return math.floor(value * _BY_SPELLING.get(unit, 1))


def bytes_text(size: int) -> str:
    """Bytes as a person reads them, with three digits."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= 0.9995 * _UNITS[unit]:
            return f"{size / _UNITS[unit]:.3g} {unit}"
    return f"{size} B"
