"""Values checked against declared types; messages name the field and the choices."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import inspect

from .errors import InputError

T = TypeVar("T")


def convert(value: Any, kind: type[T], where: str, *, strict: bool = True) -> T:
    """Convert a value to a declared type.

    Parameters
    ----------
    value : object
    kind : type
    where : str
        What is converted, for messages.
    strict : bool
        Otherwise text is taken for the number or truth value that it spells.

    Raises
    ------
    InputError
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {explained(error, kind)}") from None


def with_fields(settings: T, changes: Mapping[str, Any], field: str) -> T:
    """Copy of a frozen dataclass with some fields changed; text is taken for what it spells.

    Parameters
    ----------
    settings : dataclass
    changes : mapping
        New values by name.
    field : str
        What a field is called in messages, with ``{!r}`` for its name.

    Raises
    ------
    InputError
        If a field is unknown or a value does not fit it.
    """
    types = get_type_hints(type(settings))
    for name in changes:
        if name not in types:
            raise InputError(f"unknown {field.format(name)}, known: {', '.join(types)}")
    values = {
        name: convert(value, types[name], name, strict=False) for name, value in changes.items()
    }
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]


def explained(error: msgspec.ValidationError, kind: Any) -> str:
    """Message of a failed check: the field first; the choices where there are only some.

    Parameters
    ----------
    error : msgspec.ValidationError
    kind : type
        What was wanted.
    """
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`")
    if wrong := re.fullmatch(r"Invalid enum value (.*)", message, re.DOTALL):
        choices = _choices(inspect.type_info(kind), re.findall(r"\.(\w+)|\[", path))
        if choices:
            message = f"{wrong[1]} is not one of {', '.join(choices)}"
    field = path.removeprefix(".")
    return f"{field}: {message}" if field else message


def _choices(kind: inspect.Type, steps: list[str]) -> list[str]:
    """Values that an enumeration inside a type takes.

    Parameters
    ----------
    kind : msgspec.inspect.Type
    steps : list of str
        The way there: names of fields, and empty for an element of a collection.
    """
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type, steps)
    if isinstance(kind, inspect.UnionType):
        return [choice for part in kind.types for choice in _choices(part, steps)]
    if not steps:
        if isinstance(kind, inspect.EnumType):
            return [str(member.value) for member in kind.cls]
        return list(map(str, kind.values)) if isinstance(kind, inspect.LiteralType) else []
    inside: list[inspect.Type] = []
    if isinstance(kind, inspect.StructType):
        inside = [field.type for field in kind.fields if field.encode_name == steps[0]]
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        inside = [kind.item_type]
    elif isinstance(kind, inspect.DictType):
        inside = [kind.value_type]
    return [choice for part in inside for choice in _choices(part, steps[1:])]
