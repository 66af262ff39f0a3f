"""What commands print: text for people, JSON for programs."""

from __future__ import annotations

import sys

import msgspec

from ..problem.files import STANDARD
from ..problem.summary import Summary


def print_text(text: str) -> None:
    """Print at once, so that a closed pipe is noticed here."""
    print(text, flush=True)


def print_beside(output: str | None, text: str) -> None:
    """Print text for a person: to standard error where standard output has the result."""
    if output == STANDARD:
        print(text, file=sys.stderr)
    else:
        print_text(text)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    print_text(msgspec.json.encode(value).decode())


def print_warnings(summary: Summary) -> None:
    """Print what is probably a mistake of an instance to standard error."""
    for warning in summary.warnings():
        print(f"warning: {warning}", file=sys.stderr)
