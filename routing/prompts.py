"""Files of prompts: lines of text, or JSON lines with categories."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from ..problem.errors import InputError
from ..problem.files import decode, read_bytes
from ..problem.names import check_name


class Prompt(msgspec.Struct, forbid_unknown_fields=True):
    """A text, and what kind of text it is.

    Attributes
    ----------
    prompt : str
    category : str, optional
    """

    prompt: str
    category: str | None = None


class Prompts(NamedTuple):
    """Prompts of a file.

    Attributes
    ----------
    texts : list of str
    categories : list of str or None
        None where the file has none.
    """

    texts: list[str]
    categories: list[str] | None


def read_prompts(path: str | Path) -> Prompts:
    """Read prompts.

    Parameters
    ----------
    path : path
        A prompt a line: text, or objects with a ``prompt`` and, all or none of them, a
        ``category``. Empty lines are left out.

    Raises
    ------
    InputError
        If a line is none of these, or there is no prompt; the message names the line.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text in UTF-8") from None
    # Other ends of lines than \n may stand in a text.
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path}: no prompts")
    if not lines[0][1].lstrip().startswith("{"):
        return Prompts([line.removesuffix("\r") for _, line in lines], None)
    rows = [decode(f"{path}: line {n}", line.encode(), Prompt) for n, line in lines]
    for (number, _), row in zip(lines, rows, strict=True):
        if not row.prompt:
            raise InputError(f"{path}: line {number}: prompt: is empty")
        if row.category is not None:
            check_name(row.category, f"{path}: line {number}: category")
    categories = [row.category for row in rows if row.category is not None]
    if categories and len(categories) < len(rows):
        raise InputError(f"{path}: {len(rows) - len(categories)} prompts have no category")
    return Prompts([row.prompt for row in rows], categories or None)
