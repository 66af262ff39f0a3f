"""Solutions of exported models that other solvers have found, as solutions of ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from ..problem.evaluate import evaluate
from ..problem.instance import Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, Status, StoppedBy
from .solver_file import read_solver_file

#: Names of the variables of exported models, and of the placement among them.
_OURS = re.compile(r"(x|y|z|T|available|held|gain)\([-\d_]+\)|ONE_VAR_CONSTANT")
_PLACED = re.compile(r"x\((\d{1,9})_(\d{1,9})_(\d{1,9})_(\d{1,9})\)")

#: So far from a whole number a solver may be by its tolerances.
_WHOLE = 1e-3


def import_solution(instance: Instance, path: str | Path) -> Solution:
    """Read the solution of a model that `export_model` wrote, and evaluate its placement.

    What the solver says of its value is kept in ``meta`` and not believed.

    Parameters
    ----------
    instance : Instance
        Whose model it was; in any formulation.
    path : path
        File of HiGHS, SCIP, Gurobi or CPLEX; see `read_solver_file`.

    Returns
    -------
    Solution
        Feasible; its method is the solver's name, without a bound and without a time.

    Raises
    ------
    InputError
        If the file is none of these, is not of such a model, has values that are not whole, or
        exceeds a capacity.
    """
    file = read_solver_file(path)
    rows = []
    if not any(map(_OURS.fullmatch, file.values)):
        raise InputError(
            f"{path}: none of its variables is one of an exported model, such as x(0_0_0_0)"
        )
    for name, value in file.values.items():
        if not name.startswith("x("):
            continue
        found = _PLACED.fullmatch(name)
        if found is None:
            raise InputError(f"{path}: {name} is no variable of an exported model")
        if not min(abs(value), abs(value - 1)) <= _WHOLE:
            raise InputError(f"{path}: {name} is {value:g}, neither 0 nor 1")
        if value > 0.5:
            rows.append([int(part) for part in found.groups()])
    try:
        placement = Placement(rows)
        value_of = evaluate(instance, placement)
    except InputError as error:
        raise InputError(f"{path}: is not of {instance.name}: {error}") from None
    over = np.flatnonzero(value_of.used_bytes > instance.capacity_bytes)
    if len(over):
        names_of = ", ".join(instance.server_names[n] for n in over[:3].tolist())
        raise InputError(f"{path}: the placement exceeds the capacity of {names_of}")
    told: dict[str, Any] = {"file": Path(path).name, "objective": file.objective}
    return Solution(
        instance=instance.name,
        method=file.solver,
        status=Status.FEASIBLE,
        stopped_by=StoppedBy.FINISHED,
        latency_s=value_of.latency_s,
        latency_empty_s=value_of.latency_empty_s,
        saving_s=value_of.saving_s,
        seconds=0.0,
        placement=placement,
        meta={
            "instance_sha256": instance.sha256,
            "imported": told | {"status": file.status},
        },
    )
