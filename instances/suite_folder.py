"""A set in a folder: its instances as files, their check sums, and a manifest that tells both."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from ..problem.errors import InputError
from ..problem.file_kind import FileKind, json_kind
from ..problem.files import check_header, check_writable, decode, read_bytes, write_bytes
from ..problem.instance_file import INSTANCE_FILE, instance_bytes
from .recipe import Stored, file_sum
from .suites import Suite

FORMAT = "expertcache/suite"
#: No ``.json``: a pattern of the instances must not find it.
MANIFEST = "suite.manifest"
SUMS = "SHA256SUMS"
_MANIFEST_FILE = json_kind(FORMAT)
_SUMS_FILE = FileKind("list of SHA-256 sums", rb"[0-9a-f]{64}  ")


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance in the manifest: its name, its file and the SHA-256 sum of that file.

    ``labels`` are the scenario and the swept values, for tables and figures.
    """

    name: str
    file: str
    sha256: str
    labels: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``suite.manifest``: fields of `Suite`, and its instances."""

    format: str = FORMAT
    version: int = 1
    name: str
    suite_version: int
    summary: str
    instances: tuple[Member, ...]


def build_suite(suite: Suite, folder: str | Path) -> list[Path]:
    """Write a set's instances into a folder, ``suite.manifest``, and ``SHA256SUMS`` of all of them.

    Raises
    ------
    InputError
        If the folder cannot be made or written, or has other files of these names; or if two
        instances would have the same file.
    """
    folder = Path(folder)
    files = _file_names(suite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    paths = [folder / name for name in files]
    for path in paths:
        check_writable(path, INSTANCE_FILE)
    check_writable(folder / MANIFEST, _MANIFEST_FILE)
    check_writable(folder / SUMS, _SUMS_FILE)
    members = []
    for path, recipe in zip(paths, suite.recipes, strict=True):
        data = instance_bytes(recipe.make())
        write_bytes(path, data, INSTANCE_FILE)
        members.append(Member(recipe.name, path.name, _sum(data), recipe.labels))
    manifest = Manifest(
        name=suite.name,
        suite_version=suite.version,
        summary=suite.summary,
        instances=tuple(members),
    )
    data = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    sums = {member.file: member.sha256 for member in members} | {MANIFEST: _sum(data)}
    lines = "".join(f"{value}  {name}\n" for name, value in sums.items())
    write_bytes(folder / MANIFEST, data, _MANIFEST_FILE)
    write_bytes(folder / SUMS, lines.encode(), _SUMS_FILE)
    return paths


def is_suite(folder: str | Path) -> bool:
    """Whether a folder has a manifest."""
    return (Path(folder) / MANIFEST).is_file()


def stored_suite(folder: str | Path) -> Suite:
    """Set in a folder, every file checked against the manifest.

    Raises
    ------
    InputError
        If the manifest cannot be read, or a file is missing or is not what was published; the
        message names the first one.
    """
    path = Path(folder) / MANIFEST
    data = read_bytes(path)
    check_header(path, data, FORMAT)
    manifest = decode(path, data, Manifest)
    recipes = []
    for number, member in enumerate(manifest.instances):
        if Path(member.file).name != member.file:
            raise InputError(f"{path}: instances[{number}].file: must be a name in the same folder")
        file = Path(folder) / member.file
        if file_sum(file) != member.sha256:
            raise InputError(f"{file}: is not the file that {path} tells: its SHA-256 sum differs")
        recipes.append(Stored(member.name, str(file), member.sha256, member.labels))
    return Suite(manifest.name, manifest.summary, manifest.suite_version, tuple(recipes))


def _file_names(suite: Suite) -> list[str]:
    """A name for each instance's file that every system takes."""
    names: list[str] = []
    # Some systems take capitals for small letters.
    owners: dict[str, str] = {}
    for recipe in suite.recipes:
        name = re.sub(r"[^\w.=+-]+", "_", recipe.name).lstrip(".") + ".json"
        if name.casefold() in owners:
            other = owners[name.casefold()]
            raise InputError(f"{suite.name}: {recipe.name!r} and {other!r} need the same file")
        owners[name.casefold()] = recipe.name
        names.append(name)
    return names


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
