"""Which formats there are, and which one a file is in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..problem.errors import InputError
from ..problem.files import decode, opened, read_bytes
from .imatrix import is_imatrix, read_imatrix
from .json_lines import is_row, read_json_lines
from .logical_count import read_logical_count
from .moe_trace import read_moe_trace
from .numpy_file import read_numpy_file
from .recording import Counts, Tokens
from .responses import one_a_line
from .sglang import HOLDERS, read_sglang
from .sglang_recorder import read_sglang_recorder
from .vllm import read_vllm


@dataclass(frozen=True)
class Format:
    """A format that can be read.

    Attributes
    ----------
    name : str
    read : callable
        Of a path, and of a `Shape` where it is needed, and by keyword ``model`` where it is told;
        returns `Tokens` or `Counts`.
    needs_shape : bool
        Whether the files do not tell their shape.
    tells_model : bool
        Whether the files may tell of which model each record is.
    """

    name: str
    read: Callable[..., Tokens | Counts]
    needs_shape: bool = False
    tells_model: bool = False


FORMATS = {
    entry.name: entry
    for entry in (
        Format("npy", read_numpy_file),
        Format("vllm", read_vllm, tells_model=True),
        Format("sglang", read_sglang, needs_shape=True, tells_model=True),
        Format("sglang-recorder", read_sglang_recorder),
        Format("moe-trace", read_moe_trace),
        Format("jsonl", read_json_lines, tells_model=True),
        Format("logical-count", read_logical_count),
        Format("imatrix", read_imatrix),
    )
}


def find_format(name: str) -> Format:
    """Look a format up by its name.

    Raises
    ------
    InputError
    """
    if name not in FORMATS:
        raise InputError(f"format: {name!r} is none of {', '.join(FORMATS)}")
    return FORMATS[name]


def format_of(path: Path) -> Format:
    """Tell the format of a file by how it begins.

    Raises
    ------
    InputError
        If it cannot be told.
    """
    with opened(path) as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path}: the file is empty")
    if head.startswith(b"\x93NUMPY"):
        return FORMATS["npy"]
    if is_imatrix(path):
        return FORMATS["imatrix"]
    if head.startswith(b"PK"):
        if zipfile.is_zipfile(path) and "expert_ids.npy" in zipfile.ZipFile(path).namelist():
            raise InputError(f"{path}: is a trace already: use import trace")
        return FORMATS["sglang-recorder"]
    if head.lstrip()[:1] in (b"{", b"["):
        return FORMATS[_json_format(path)]
    if set(head.splitlines()[0]) <= set(b"0123456789-, \t\r") or head.startswith(b"layer,expert"):
        return FORMATS["moe-trace"]
    raise InputError(f"{path}: cannot tell the format: name it with --format")


def _json_format(path: Path) -> str:
    first = _first_object(path)
    keys = set(first)
    choices = first.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        keys |= set(choices[0])
    if keys & set(HOLDERS):
        return "sglang"
    if keys & {"choices", "routed_experts"}:
        return "vllm"
    if "logical_count" in keys:
        return "logical-count"
    if is_row(first):
        return "jsonl"
    raise InputError(f"{path}: cannot tell the format: name it with --format")


def _first_object(path: Path) -> dict[str, Any]:
    if one_a_line(path):
        with opened(path) as file:
            return msgspec.json.decode(file.readline())  # type: ignore[no-any-return]
    content = decode(path, read_bytes(path), dict[str, Any] | list[dict[str, Any]])  # type: ignore[arg-type]
    return content if isinstance(content, dict) else content[0] if content else {}
