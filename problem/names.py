"""Names of instances, models, servers, users and methods: one line of printable text."""

from __future__ import annotations

import re

from .errors import InputError

#: Control characters, separators of lines and paragraphs, marks that turn the direction of writing,
#: and halves of surrogate pairs, which are no text at all.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check_name(name: str, where: str) -> None:
    """Refuse a name that would do something to a terminal or a table instead of being read.

    Parameters
    ----------
    name : str
    where : str
        The field, for the message.

    Raises
    ------
    InputError
    """
    if not isinstance(name, str):
        raise InputError(f"{where}: must be text")
    if found := _UNPRINTABLE.search(name):
        raise InputError(f"{where}: has the control character {printable(found[0])}")


def printable(text: str) -> str:
    """Text with such characters written as escapes."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
