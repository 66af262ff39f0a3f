"""Options that set fields, as `Scenario` and `Machine` declare them."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from ..instances.machine import Machine
from ..instances.scenario import Scenario

#: Options that are not called as their field.
_NAMES = {
    "models": "model", "area_m": "area", "radius_m": "radius", "max_sets": "sets",
    "memory_gib": "memory",
}  # fmt: skip
_UNITS = {"m": "METRES", "gib": "GIB"}
_METAVARS = {int: "COUNT", float: "NUMBER", str: "NAME"}


def add_fields(
    parser: argparse.ArgumentParser,
    fields: Sequence[str],
    kind: type[Scenario] | type[Machine] = Scenario,
) -> None:
    """Add an option for each of the fields; what is not given is None."""
    types, help_lines = get_type_hints(kind), _help_lines(kind)
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    for name in fields:
        repeatable = isinstance(defaults[name], tuple)
        # Of `int | None` and of `tuple[str, ...]` the first.
        value = next(iter(get_args(types[name])), types[name])
        parser.add_argument(
            "--" + _NAMES.get(name, name).replace("_", "-"),
            dest=name,
            type=value,
            action="append" if repeatable else "store",
            metavar=_UNITS.get(name.rpartition("_")[2], _METAVARS[value]),
            help=help_lines[name] + _note(defaults[name], repeatable),
        )


def _note(default: Any, repeatable: bool) -> str:
    if default is None:
        return ""
    if repeatable:
        return f" (repeatable; default: {', '.join(default)})"
    return f" (default: {default:g})" if isinstance(default, float) else f" (default: {default})"


def _help_lines(kind: type) -> dict[str, str]:
    """First sentence of each field's description in the docstring of a class."""
    lines = {}
    parameters = inspect.cleandoc(kind.__doc__ or "").partition("----------\n")[2]
    for names, text in re.findall(r"^(\w.*) : .*\n((?: {4}.*\n?)*)", parameters, re.MULTILINE):
        sentence = " ".join(text.split()).partition(". ")[0].removesuffix(".")
        sentence = sentence.removesuffix(" (assumed)").replace("`", "").replace("%", "%%")
        for name in names.split(", "):
            lines[name] = sentence[:1].lower() + sentence[1:]
    return lines
