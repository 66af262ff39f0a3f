"""One model, solved by SCIP or CP-SAT, for `other_solvers`; prints one line of JSON.

    PYTHON benchmarks/other_solver_worker.py {scip,cp-sat,cp-sat-lp} MODEL.npz TIME_LIMIT

Runs in an environment of its own, with numpy, scipy, pyscipopt and ortools, but without the
project. Seconds are those of building and solving, without reading the file and importing.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

#: Sum of the scaled weights: SCIP's tolerances are absolute, CP-SAT takes whole numbers only.
#: Rounding each of T weights changes CP-SAT's objective by at most T / 2 out of 1e11.
_SCIP_SUM = 1e4
_CP_SAT_SUM = 1e11


class Data(NamedTuple):
    """Model ``max weight @ v, matrix v <= upper``, v in [0, 1], the first ``placed`` binary."""

    weight: Any
    matrix: Any
    upper: Any
    placed: int

    def rows(self) -> list[tuple[Any, Any, float]]:
        """Columns, coefficients and upper side of each row that can be broken."""
        ends = self.matrix.indptr
        return [
            (self.matrix.indices[low:high], self.matrix.data[low:high], upper)
            for low, high, upper in zip(ends[:-1], ends[1:], self.upper.tolist(), strict=True)
            if np.isfinite(upper)
        ]


class Result(NamedTuple):
    """What a solver found; objective and bound in seconds saved, None if there is none."""

    status: str
    proved: bool
    objective: float | None
    bound: float | None


def read(path: str) -> Data:
    """Read the model."""
    file = np.load(path)
    integer = file["integer"]
    placed = int(integer.sum())
    if not integer[:placed].all() or np.isfinite(file["row_lower"]).any():
        raise ValueError("not a coverage model")
    if (file["lower"] != 0).any() or (file["upper"] != 1).any():
        raise ValueError("columns must lie in [0, 1]")
    entries = file["data"], file["indices"], file["indptr"]
    matrix = sp.csr_array(sp.csc_array(entries, shape=tuple(file["shape"])))
    return Data(-file["cost"], matrix, file["row_upper"], placed)


def scip(data: Data, deadline: float) -> Result:
    """SCIP, its own defaults: x binary, z continuous."""
    from pyscipopt import Model, quicksum

    scale = _SCIP_SUM / data.weight.sum()
    model = Model()
    model.hideOutput()
    model.setParams(
        {
            "limits/gap": 0.0,
            "limits/absgap": 0.0,
            "timing/clocktype": 2,
            "parallel/maxnthreads": 1,
            "lp/threads": 1,
        }
    )
    columns = [
        model.addVar(vtype="B" if k < data.placed else "C", lb=0.0, ub=1.0, obj=weight)
        for k, weight in enumerate((data.weight * scale).tolist())
    ]
    model.setMaximize()
    for index, value, upper in data.rows():
        pairs = zip(value.tolist(), index.tolist(), strict=True)
        model.addCons(quicksum(c * columns[k] for c, k in pairs) <= upper)
    model.setParam("limits/time", max(deadline - time.perf_counter(), 0.0))
    model.optimize()
    status = str(model.getStatus())
    objective = None
    if model.getNSols() > 0:
        best = model.getBestSol()
        values = np.array([model.getSolVal(best, column) for column in columns])
        objective = float(data.weight @ values)
    return Result(status, status == "optimal", objective, float(model.getDualbound()) / scale)


def cp_sat(data: Data, deadline: float, linearization: int | None = None) -> Result:
    """CP-SAT with one worker: all columns Boolean, z implies one of its x.

    By default its linear relaxation leaves such clauses out; ``linearization`` 2 takes all in.
    """
    from ortools.sat.python import cp_model

    scale = _CP_SAT_SUM / data.weight.sum()
    whole = np.rint(data.weight * scale).astype(np.int64)
    model = cp_model.CpModel()
    columns = [model.new_bool_var("") for _ in whole]
    for index, value, upper in data.rows():
        row = [columns[k] for k in index.tolist()]
        if (index < data.placed).all():
            if (value != np.rint(value)).any():
                raise ValueError("a capacity row is not in whole numbers")
            terms = cp_model.LinearExpr.weighted_sum(row, value.astype(np.int64).tolist())
            model.add(terms <= int(np.floor(upper)))
            continue
        if upper != 0 or sorted(value.tolist()) != [-1.0] * (len(value) - 1) + [1.0]:
            raise ValueError("neither a capacity row nor z <= a sum of x")
        z = row[int(value.argmax())]
        near = [x for x, c in zip(row, value.tolist(), strict=True) if c < 0]
        if len(near) == 1:
            model.add_implication(z, near[0])
        else:
            model.add_bool_or([z.negated(), *near])
    paid = np.flatnonzero(whole)
    model.maximize(
        cp_model.LinearExpr.weighted_sum([columns[k] for k in paid.tolist()], whole[paid].tolist())
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if linearization is not None:
        solver.parameters.linearization_level = linearization
    solver.parameters.relative_gap_limit = 0.0
    solver.parameters.absolute_gap_limit = 0.0
    solver.parameters.max_time_in_seconds = max(deadline - time.perf_counter(), 0.0)
    code = solver.solve(model)
    objective = None
    if code in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        # By the weights before rounding.
        objective = float(data.weight @ np.array([solver.value(column) for column in columns]))
    bound = (solver.best_objective_bound + np.abs(whole - data.weight * scale).sum()) / scale
    return Result(solver.status_name(code), code == cp_model.OPTIMAL, objective, float(bound))


SOLVERS: dict[str, Callable[[Data, float], Result]] = {
    "scip": scip,
    "cp-sat": cp_sat,
    "cp-sat-lp": partial(cp_sat, linearization=2),
}


def processor_seconds() -> float:
    """Processor time of this process so far, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Solve and print."""
    name, path, limit = sys.argv[1:]
    data = read(path)
    # The import is no part of the solve.
    import_module("pyscipopt" if name == "scip" else "ortools.sat.python.cp_model")
    began, cpu = time.perf_counter(), processor_seconds()
    result = SOLVERS[name](data, began + float(limit))
    times = {"seconds": time.perf_counter() - began, "cpu_seconds": processor_seconds() - cpu}
    print(json.dumps(result._asdict() | times))


if __name__ == "__main__":
    main()
