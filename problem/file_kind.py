"""Kinds of files, told by how they begin: no file of another kind is ever overwritten."""

from __future__ import annotations

import re
from typing import NamedTuple

#: So much of a file is looked at, decompressed.
HEAD_BYTES = 4096

_FORMAT = rb'(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"(%s)"'


class FileKind(NamedTuple):
    """A kind of file that we write.

    Attributes
    ----------
    name : str
        What such a file is, for messages: "the file is no NAME".
    beginning : bytes
        Regular expression that the first `HEAD_BYTES` of every such file match.
    to_stdout : bool
        Whether ``-`` for a path means standard output.
    """

    name: str
    beginning: bytes
    to_stdout: bool = False

    def refusal(self, head: bytes) -> str | None:
        """Say what is wrong with overwriting a file that begins like this; None if nothing is.

        Parameters
        ----------
        head : bytes
            Up to `HEAD_BYTES`. An empty file holds nothing that could be lost.
        """
        if not head or re.match(self.beginning, head, re.DOTALL):
            return None
        found = re.match(_FORMAT % rb"expertcache/\w+", head)
        is_something = f"is an {found[1].decode()}" if found else f"is no {self.name}"
        return f"{is_something}, not overwritten"


def json_kind(format: str) -> FileKind:  # noqa: A002
    """Kind of the JSON files whose first key is ``format``, with this value."""
    return FileKind(format, _FORMAT % re.escape(format).encode())
