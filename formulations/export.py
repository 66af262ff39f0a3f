"""Exact models as LP and MPS files that other solvers read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from ..problem.file_kind import FileKind
from ..problem.files import check_writable, write_bytes
from ..problem.instance import Instance
from .milp import FORMULATIONS, Formulation

Format = Literal["lp", "mps"]

#: How a line of comment begins.
_COMMENT: dict[Format, str] = {"lp": "\\", "mps": "*"}

MODEL_FILE = FileKind("exact model by expertcache", rb"[\\*] expertcache/model")


def export_model(
    instance: Instance,
    path: str | Path,
    *,
    format: Format,  # noqa: A002
    formulation: Formulation = "coverage",
) -> None:
    """Write an exact model with its components' names; the objective is the latency in seconds.

    Raises
    ------
    InputError
        If the file cannot be written, or another one is there.
    UnsupportedError
        If the model would be too large.
    """
    check_writable(path, MODEL_FILE)
    model = FORMULATIONS[formulation](instance)
    head = f"{_COMMENT[format]} expertcache/model, formulation {formulation}\n"
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"model.{format}"
        model.write(str(draft), io_options={"symbolic_solver_labels": True})
        write_bytes(path, head.encode() + draft.read_bytes(), MODEL_FILE)
