"""Exact models as LP and MPS files that other solvers read."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Literal

import pyomo.environ as pyo

from ..linear.highs import COST_SUM
from ..problem.file_kind import FileKind
from ..problem.files import check_writable, write_bytes
from ..problem.instance import Instance
from .milp import FORMULATIONS, Formulation
from .placement_block import linear

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
) -> float:
    """Write an exact model with its components' names.

    The objective is scaled: solvers have absolute tolerances, and may call a placement optimal that
    is off by 1e-6 of whatever the unit is. The first lines of the file tell the factor.

    Returns
    -------
    float
        The objective is so many times the latency in seconds: a power of ten.

    Raises
    ------
    InputError
        If the file cannot be written, or another one is there.
    UnsupportedError
        If the model would be too large.
    """
    check_writable(path, MODEL_FILE)
    model = FORMULATIONS[formulation](instance)
    factor = _scale(model.latency)
    head = [
        f"{_COMMENT[format]} expertcache/model, formulation {formulation}",
        f"{_COMMENT[format]} The objective is {factor:g} times the latency in seconds.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"model.{format}"
        model.write(str(draft), io_options={"symbolic_solver_labels": True})
        write_bytes(path, "\n".join([*head, ""]).encode() + draft.read_bytes(), MODEL_FILE)
    return factor


def _scale(objective: pyo.Objective) -> float:
    """Multiply an objective so that its costs sum to `COST_SUM`, or up to ten times that."""
    given = objective.expr
    costs = sum(map(abs, given.linear_coefs))
    # A power of ten is easily undone by hand; beyond this it would overflow.
    exponent = min(math.ceil(math.log10(COST_SUM) - math.log10(costs)), 300) if costs else 0
    factor = 10.0**exponent
    scaled = [factor * cost for cost in given.linear_coefs]
    objective.set_value(linear(scaled, given.linear_vars, factor * given.constant))
    return factor
