"""SCIP and CP-SAT on the plain coverage model against HiGHS and the project's exact methods.

    python benchmarks/other_solvers.py --python OTHER/bin/python [--groups K=2,K=3,K=4,K=1]
                                       [--solvers scip,cp-sat,cp-sat-lp,plain,milp,exact]
                                       [--time-limit 60] [--every 1] [--output cells.csv]

OTHER is a virtual environment with numpy, scipy, pyscipopt and ortools; none of these two solvers
is needed by the project, and HiGHS' and ortools' Python packages cannot be loaded in one process.

- `scip`, `cp-sat`: the arrays of `coverage_program`, see `other_solver_worker`.
- `cp-sat-lp`: the same with all clauses in CP-SAT's linear relaxation.
- `plain`: `milp` with the same model, and HiGHS' own defaults.
- `milp`: `milp` as it is.
- `exact`: the method of that name.

All with zero gap and one thread, one after the other on each instance. Seconds include building the
model from the instance, the time limit too; `cpu` is processor time, `wall` what a clock shows. An
unsolved run counts with the time that it took. Means are shifted geometric ones (shift 1 s); the
last solver is the one that the others are compared with. Ends with an error where two proved optima
differ by more than 1e-6, or a bound lies below what another solver found.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from exact import VARIANTS, arrays, shifted_mean
from exact_set import exact_set
from expertcache import Instance, Limits, generate, solve
from tqdm import tqdm

WORKER = Path(__file__).with_name("other_solver_worker.py")
OTHERS = ("scip", "cp-sat", "cp-sat-lp")

#: Method and options of what runs in this environment.
OURS = {"plain": ("milp", VARIANTS["plain"]), "milp": ("milp", {}), "exact": ("exact", {})}

#: Largest relative difference between proved optima.
TOLERANCE = 1e-6

#: Seconds that a solver may take beyond its time limit before it is killed.
_GRACE = 60.0


class Run(NamedTuple):
    """One solve; saving in seconds, of the placement found and an upper bound on any."""

    solved: bool
    status: str
    saving: float
    bound: float
    cpu: float
    wall: float


def run_ours(instance: Instance, name: str, limit: float) -> Run:
    """Solve in this process."""
    method, options = OURS[name]
    began, cpu = time.perf_counter(), time.process_time()
    solution = solve(instance, method, limits=Limits(time_s=limit), options=options)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    saving = 0.0 if solution.saving_s is None else solution.saving_s
    bound = solution.latency_empty_s - (solution.bound_latency_s or 0.0)
    return Run(solution.status == "optimal", str(solution.stopped_by), saving, bound, cpu, wall)


def run_other(instance: Instance, name: str, limit: float, python: str, folder: Path) -> Run:
    """Solve in the other environment."""
    began, cpu = time.perf_counter(), time.process_time()
    linear = arrays(instance)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    if not linear.exact:
        raise SystemExit("error: the capacity rows are not exact")
    path = folder / "model.npz"
    np.savez(
        path,
        cost=linear.cost,
        lower=linear.lower,
        upper=linear.upper,
        integer=linear.integer,
        row_lower=linear.row_lower,
        row_upper=linear.row_upper,
        data=linear.matrix.data,
        indices=linear.matrix.indices,
        indptr=linear.matrix.indptr,
        shape=linear.matrix.shape,
    )
    command = [python, str(WORKER), name, str(path), str(max(limit - wall, 0.0))]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            timeout=limit + _GRACE,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        late = limit + _GRACE
        return Run(False, "killed", 0.0, math.inf, late, late)
    found = json.loads(done.stdout)
    return Run(
        found["proved"],
        found["status"],
        0.0 if found["objective"] is None else found["objective"],
        math.inf if found["bound"] is None else found["bound"],
        cpu + found["cpu_seconds"],
        wall + found["seconds"],
    )


def check(case: str, runs: dict[str, Run]) -> None:
    """Compare the proved optima, and every placement with every bound."""
    proved = {name: run.saving for name, run in runs.items() if run.solved}
    slack = TOLERANCE * max(run.saving for run in runs.values())
    if proved and max(proved.values()) - min(proved.values()) > slack:
        raise SystemExit(f"error: {case}: proved optima differ: {proved}")
    best = max(run.saving for run in runs.values())
    for name, run in runs.items():
        if run.bound < best - slack:
            raise SystemExit(f"error: {case}: {name} bounds by {run.bound}, but there is {best}")


def report(cells: pd.DataFrame, reference: str) -> str:
    """Table of all instances and of each K."""
    parts = []
    for group in ["all", *cells["K"].unique()]:
        rows = cells if group == "all" else cells[cells["K"] == group]
        table = rows.groupby("solver", sort=False).agg(
            solved=("solved", "sum"),
            of=("solved", "size"),
            cpu=("cpu", shifted_mean),
            wall=("wall", shifted_mean),
        )
        table[f"cpu / {reference}"] = table["cpu"] / table.loc[reference, "cpu"]
        parts.append(f"{group}\n{table.to_string(float_format='{:.2f}'.format)}\n")
    return "\n".join(parts)


def main() -> None:
    """Measure, check and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, help="interpreter of the other environment")
    parser.add_argument("--solvers", default=",".join([*OTHERS, *OURS]))
    parser.add_argument("--groups", default="K=2,K=3,K=4,K=1")
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--every", type=int, default=1, help="take each n-th instance only")
    parser.add_argument("--output", help="CSV of every cell, written as it grows")
    arguments = parser.parse_args()
    groups = arguments.groups.split(",")
    cases = [case for case in exact_set() if case.group in groups][:: arguments.every]
    solvers = arguments.solvers.split(",")
    limit, cells = arguments.time_limit, []
    with tempfile.TemporaryDirectory() as folder:
        for case in tqdm(cases, disable=None):
            instance = generate(case.scenario, case.seed, name=case.name)
            runs = {
                name: run_other(instance, name, limit, arguments.python, Path(folder))
                if name in OTHERS
                else run_ours(instance, name, limit)
                for name in solvers
            }
            cells += [
                {"K": case.group, "name": case.name, "solver": name} | run._asdict()
                for name, run in runs.items()
            ]
            if arguments.output:
                pd.DataFrame(cells).to_csv(arguments.output, index=False)
            check(case.name, runs)
    print(report(pd.DataFrame(cells), solvers[-1]))


if __name__ == "__main__":
    main()
