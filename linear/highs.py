"""HiGHS: a linear model as arrays in, what was found out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from ..method import Deadline, Limits
from ..problem.instance import BoolArray, FloatArray
from ..problem.solution import StoppedBy
from ..watch import Watch
from .quiet import silenced
from .rounding import UNIT_ROUNDOFF, gamma

#: The costs are scaled to this sum, so that HiGHS' absolute tolerances of 1e-6 are 1e-10 of it.
COST_SUM = 1e4

#: Most simplex iterations of a `GrowingLp`, for each row and column, from its last basis (hundreds
#: in all are usual), and from scratch.
_ITERATIONS, _FRESH_ITERATIONS = 2, 100

_STOPPED_BY = {
    highspy.HighsModelStatus.kOptimal: StoppedBy.PROOF,
    highspy.HighsModelStatus.kModelEmpty: StoppedBy.PROOF,
    highspy.HighsModelStatus.kTimeLimit: StoppedBy.TIME,
    # Whoever watches knows better why.
    highspy.HighsModelStatus.kInterrupt: StoppedBy.TIME,
    highspy.HighsModelStatus.kSolutionLimit: StoppedBy.NODES,
    highspy.HighsModelStatus.kInfeasible: StoppedBy.INFEASIBLE,
}


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Arrays of ``min cost x + offset``, ``row_lower <= matrix x <= row_upper``, x in a box.

    Attributes
    ----------
    cost, lower, upper : float array [columns]
    offset : float
    matrix : scipy.sparse.csc_array [rows, columns]
    row_lower, row_upper : float array [rows]
    integer : bool array [columns]
    exact : bool
        False if the rows allow a little more than what is meant, see `capacity_row`: then solving
        the integer model proves its bound, but not its solution.
    """

    cost: FloatArray
    offset: float
    matrix: Any
    row_lower: FloatArray
    row_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: BoolArray
    exact: bool = True

    def dual_bound(self, row_dual: FloatArray) -> float:
        """Lower bound on the objective from any row multipliers, right or wrong.

        Weak duality over the box of the columns (Neumaier, Shcherbina 2004,
        doi:10.1007/s10107-003-0433-3): tolerances and time limits of the solver do not matter, and
        the rounding of this very computation is made up for. Minus infinity if a column's box is
        infinite and the sign of its reduced cost is open.
        """
        y = np.where(np.isinf(self.row_lower), np.minimum(row_dual, 0.0), row_dual)
        y = np.where(np.isinf(self.row_upper), np.maximum(y, 0.0), y)
        with np.errstate(invalid="ignore"):
            from_rows = np.where(y > 0, y * self.row_lower, np.where(y < 0, y * self.row_upper, 0))
            reduced = self.cost - self.matrix.T @ y
            # The exact reduced costs are no further away. Their own sum matters, not they: at an
            # optimum large numbers cancel out in them. Twice as much, for what rounds below.
            sizes = np.abs(self.cost) + abs(self.matrix).T @ np.abs(y)
            error = 2 * gamma(int(np.diff(self.matrix.indptr).max(initial=0)) + 2) * sizes
            corners = [
                np.where(factor == 0, 0.0, factor * end)
                for factor in (reduced - error, reduced + error)
                for end in (self.lower, self.upper)
            ]
        parts = np.concatenate([from_rows, np.minimum.reduce(corners), [self.offset]])
        # Each part is rounded once; their sum is rounded once, too.
        return math.fsum(parts) - 4 * UNIT_ROUNDOFF * float(np.abs(parts).sum())


@dataclass(frozen=True, eq=False)
class HighsResult:
    """What HiGHS found.

    Attributes
    ----------
    stopped_by : StoppedBy
    values : float array or None
        Value of each column, None without a solution.
    bound : float
        Lower bound on the objective, in the model's own unit; ``-inf`` without one.
    row_dual : float array or None
        Of a linear program.
    nodes : int
    seconds : float
        HiGHS' own wall time.
    """

    stopped_by: StoppedBy
    values: FloatArray | None
    bound: float
    row_dual: FloatArray | None
    nodes: int
    seconds: float


def run_highs(
    linear: LinearModel,
    *,
    limits: Limits,
    seed: int = 0,
    relax: bool = False,
    start: Mapping[int, float] | None = None,
    options: Mapping[str, object] | None = None,
    tell: Callable[[float, float], object] | None = None,
) -> HighsResult:
    """Solve with HiGHS.

    Parameters
    ----------
    linear : LinearModel
    limits : Limits
    seed : int
    relax : bool
        Solve the linear relaxation.
    start : mapping, optional
        Values of some columns, by column number; HiGHS completes them.
    options : mapping, optional
        Further options of HiGHS, by name.
    tell : callable, optional
        Is told the objective of the incumbent and the dual bound of an integer program while it is
        solved, infinite where there is none; ends it by answering True.

    Returns
    -------
    HighsResult
    """
    scale = min(COST_SUM / max(float(np.abs(linear.cost).sum()), 1e-300), 1e300)
    # The number of threads is fixed by a process' first solve, unless the scheduler is reset.
    highspy.Highs.resetGlobalScheduler(True)
    solver = _new_solver(limits, seed, options or {})
    _check(solver.passModel(_lp(linear, scale, relax)), "passing the model")
    if start:
        index = np.fromiter(start, dtype=np.int32)
        value = np.fromiter(start.values(), dtype=np.float64)
        _check(solver.setSolution(len(index), index, value), "passing the start")
    is_mip = not relax and bool(linear.integer.any())
    watcher = _Watcher(limits.watch, lambda value: value / scale + linear.offset, tell)
    began = time.perf_counter()
    watcher.run(solver, is_mip)
    seconds = time.perf_counter() - began
    info = solver.getInfo()
    has_solution = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    solution = solver.getSolution()
    row_dual = np.array(solution.row_dual) / scale if not is_mip and solution.dual_valid else None
    empty = solver.getModelStatus() == highspy.HighsModelStatus.kModelEmpty
    if is_mip:
        bound = float(info.mip_dual_bound) / scale + linear.offset
    elif empty:
        bound = linear.offset
    else:
        bound = linear.dual_bound(np.zeros(len(linear.row_lower)) if row_dual is None else row_dual)
    stopped_by = _STOPPED_BY.get(solver.getModelStatus(), StoppedBy.ERROR)
    if is_mip and stopped_by is StoppedBy.PROOF and not linear.exact:
        stopped_by = StoppedBy.FINISHED
    return HighsResult(
        stopped_by=stopped_by,
        values=np.array(solution.col_value) if has_solution or empty else None,
        bound=bound,
        row_dual=row_dual,
        nodes=max(0, int(info.mip_node_count)),
        seconds=seconds,
    )


class _Watcher:
    """Lets a watch stop HiGHS, and is told how far it is."""

    def __init__(
        self,
        watch: Watch,
        unit: Callable[[float], float],
        tell: Callable[[float, float], object] | None,
    ) -> None:
        self._watch, self._unit, self._tell = watch, unit, tell
        self._error: BaseException | None = None

    def run(self, solver: highspy.Highs, is_mip: bool) -> None:
        """Solve; an exception of whoever is told comes out here."""
        kinds = highspy.cb.HighsCallbackType
        _check(solver.setCallback(self._look, None), "setting the callback")
        _check(
            solver.startCallback(
                kinds.kCallbackMipInterrupt if is_mip else kinds.kCallbackSimplexInterrupt
            ),
            "starting the callback",
        )
        status = solver.run()
        if self._error is not None:
            raise self._error
        _check(status, "solving")

    def _look(self, kind: object, message: str, out: Any, answer: Any, data: object) -> None:
        # Nothing may be raised into HiGHS.
        try:
            stop = self._watch.stopped
            if self._tell is not None:
                known = self._unit(out.mip_primal_bound), self._unit(out.mip_dual_bound)
                stop = self._tell(*known) is True or stop
        except BaseException as error:
            self._error, stop = error, True
        if stop and answer is not None:
            answer.user_interrupt = True


class GrowingLp:
    """A linear program ``min cost x, matrix x <= upper``, x in a box, solved again as it grows.

    Each solve begins with the last basis.

    Parameters
    ----------
    lower, upper : float array [columns]
    """

    def __init__(self, lower: FloatArray, upper: FloatArray) -> None:
        self._solver = _simplex()
        _check(self._solver.addVars(len(lower), lower, upper), "adding columns")
        self._columns = np.arange(len(lower), dtype=np.int32)

    def add(self, matrix: Any, upper: FloatArray) -> None:
        """Add rows: a scipy.sparse.csr_array [rows, columns] and their upper bounds."""
        status = self._solver.addRows(
            len(upper),
            np.full(len(upper), -np.inf),
            upper,
            matrix.nnz,
            matrix.indptr.astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data,
        )
        _check(status, "adding rows")

    def solve(self, cost: FloatArray, deadline: Deadline) -> tuple[FloatArray, FloatArray] | None:
        """Values of the columns and duals of the rows; None if HiGHS stopped before the end."""
        _check(self._solver.changeColsCost(len(cost), self._columns, cost), "changing the costs")
        if self._run(deadline, _ITERATIONS) == highspy.HighsModelStatus.kIterationLimit:
            # Rarely HiGHS gets stuck; a new object with the same rows does not.
            fresh = _simplex()
            _check(fresh.passModel(self._solver.getLp()), "passing the model")
            self._solver = fresh
            self._run(deadline, _FRESH_ITERATIONS)
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        solution = self._solver.getSolution()
        return np.array(solution.col_value), np.array(solution.row_dual)

    def _run(self, deadline: Deadline, iterations: int) -> highspy.HighsModelStatus:
        """Run with so many iterations for each row and column."""
        solver = self._solver
        most = iterations * (solver.getNumRow() + solver.getNumCol())
        _check(solver.setOptionValue("simplex_iteration_limit", most), "the iteration limit")
        # HiGHS counts the time of all solves together.
        limit = solver.getRunTime() + deadline.remaining_s()
        _check(solver.setOptionValue("time_limit", limit), "the time limit")
        _check(solver.run(), "solving")
        status: highspy.HighsModelStatus = solver.getModelStatus()
        return status


def _simplex() -> highspy.Highs:
    return _new_solver(Limits(), 0, {"solver": "simplex", "presolve": "off"})


def _new_solver(limits: Limits, seed: int, further: Mapping[str, object]) -> highspy.Highs:
    # Newer versions print a banner before any option can be set.
    with silenced():
        solver = highspy.Highs()
    options: dict[str, object] = {
        "output_flag": False,
        "log_to_console": False,
        "threads": limits.threads,
        "random_seed": seed,
        "mip_rel_gap": limits.gap,
        "mip_abs_gap": 0.0,
        **further,
    }
    if np.isfinite(limits.time_s):
        options["time_limit"] = limits.time_s
    if limits.nodes is not None:
        options["mip_max_nodes"] = limits.nodes
    for name, value in options.items():
        # HiGHS ignores a wrong option with nothing but this status.
        _check(solver.setOptionValue(name, value), f"option {name} = {value}")
    return solver


def _lp(linear: LinearModel, scale: float, relax: bool) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(linear.cost), len(linear.row_lower)
    lp.col_cost_ = linear.cost * scale
    lp.col_lower_, lp.col_upper_ = linear.lower, linear.upper
    lp.row_lower_, lp.row_upper_ = linear.row_lower, linear.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = linear.matrix.indptr
    lp.a_matrix_.index_ = linear.matrix.indices
    lp.a_matrix_.value_ = linear.matrix.data
    if not relax and linear.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[integer] for integer in linear.integer.tolist()]
    return lp


def _check(status: highspy.HighsStatus, what: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise RuntimeError(f"HiGHS failed at {what}")
