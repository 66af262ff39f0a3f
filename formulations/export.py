"""Exact models as LP and MPS files that other solvers read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from ..problem.files import check_writable, write_bytes
from ..problem.instance import Instance
from .milp import FORMULATIONS, Formulation

Format = Literal["lp", "mps"]


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
        If the file cannot be written.
    UnsupportedError
        If the model would be too large.
    """
    check_writable(path)
    model = FORMULATIONS[formulation](instance)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"model.{format}"
        model.write(str(draft), io_options={"symbolic_solver_labels": True})
        write_bytes(path, draft.read_bytes())
