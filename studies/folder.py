"""A study's folder: whose it is, and ``study.json``, which says so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import decode, read_bytes, write_bytes
from ..version import __version__

#: Of the files in the folder; grows when they change.
VERSION = 3

_SETTINGS_FILE = FileKind("study's settings", rb'\s*\{\s*"study":')


class _Limits(msgspec.Struct):
    """What may be raised from one run to the next."""

    time_limit_s: float
    memory_mb: int | None


def claim(folder: Path, settings: dict[str, Any]) -> None:
    """Make a folder a study's own, or refuse.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    settings : dict
        All that a result depends on.

    Raises
    ------
    InputError
        If the folder cannot be used, or belongs to a study with other settings or larger limits.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    path = folder / "study.json"
    # The version that ran last; each solution has that which made it.
    data = msgspec.json.encode({"study": VERSION} | settings | {"expertcache_version": __version__})
    if path.exists():
        refuse_another(folder, settings)
    elif (folder / "results.csv").exists():
        raise InputError(f"{folder}: has results.csv but no study.json; take another folder")
    write_bytes(path, msgspec.json.format(data) + b"\n", _SETTINGS_FILE)


def refuse_another(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse a folder that is not this study's.

    Raises
    ------
    InputError
    """
    ours = msgspec.json.decode(msgspec.json.encode({"study": VERSION} | settings))
    _check(folder / "study.json", ours)


def _check(path: Path, ours: dict[str, Any]) -> None:
    """Refuse a folder of another study."""
    found = decode(path, read_bytes(path), dict[str, Any])
    limits = _Limits.__struct_fields__
    other = [name for name in ours if name not in limits and found.get(name) != ours[name]]
    if other:
        what = "made by another version" if "study" in other else f"with other {', '.join(other)}"
        raise InputError(f"{path.parent}: belongs to a study {what}; take another folder")
    before, now = decode(path, read_bytes(path), _Limits), msgspec.convert(ours, _Limits)
    if now.time_limit_s < before.time_limit_s:
        lower, was = "time limit", f"{before.time_limit_s:g} s"
    elif (now.memory_mb or math.inf) < (before.memory_mb or math.inf):
        lower = "memory limit"
        was = f"{before.memory_mb} MiB" if before.memory_mb else "none"
    else:
        return
    raise InputError(
        f"{path.parent}: belongs to a study with a larger {lower} ({was}): limits can only be "
        "raised; take another folder"
    )
