"""Solution files of other solvers: names of variables and their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from ..problem.errors import InputError
from ..problem.files import read_bytes

#: A name, its value, and what SCIP adds: the variable's cost.
_LINE = re.compile(r"(\S+)\s+(\S+)(?:\s+\(obj:.*\))?")


class SolverFile(NamedTuple):
    """What a solver has written.

    Attributes
    ----------
    solver : str
    status : str
        In the solver's words; empty where it tells none.
    objective : float or None
    values : dict
        Of each variable by its name; variables that are 0 may be missing.
    """

    solver: str
    status: str
    objective: float | None
    values: dict[str, float]


def read_solver_file(path: str | Path) -> SolverFile:
    """Read a ``.sol`` file of HiGHS (``write_solution_style`` 0), SCIP, Gurobi or CPLEX (XML).

    Raises
    ------
    InputError
        If it is none of these or holds no solution; the message names the line.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text") from None
    for beginning, parse in _PARSERS.items():
        if re.match(beginning, text.lstrip()):
            try:
                found = parse(text)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            if not found.values:
                raise InputError(f"{path}: {found.solver} has written no solution into it")
            return found
    raise InputError(f"{path}: is no solution file of HiGHS, SCIP, Gurobi or CPLEX")


def _highs(text: str) -> SolverFile:
    told = text.split("\n", 2)[1:2]
    objective = re.search(r"^Objective (\S+)$", text, re.MULTILINE)
    _, _, after = text.partition("\n# Columns")
    columns, _, _ = after.partition("\n#")
    # The first of these lines has their number.
    begins = text.count("\n", 0, text.find("\n# Columns") + 1)
    rows = [(begins + k, line) for k, line in _numbered(columns) if k > 1]
    return SolverFile("highs", "".join(told).strip(), _value(objective), _values(rows))


def _scip(text: str) -> SolverFile:
    status = re.search(r"^solution status: *(.*)$", text, re.MULTILINE)
    objective = re.search(r"^objective value: *(\S+)$", text, re.MULTILINE)
    heads = ("solution status:", "objective value:", "no solution available")
    rows = [(k, line) for k, line in _numbered(text) if not line.startswith(heads)]
    return SolverFile("scip", status[1] if status else "", _value(objective), _values(rows))


def _gurobi(text: str) -> SolverFile:
    objective = re.search(r"^# Objective value = (\S+)$", text, re.MULTILINE)
    rows = [(k, line) for k, line in _numbered(text) if not line.startswith("#")]
    return SolverFile("gurobi", "", _value(objective), _values(rows))


def _cplex(text: str) -> SolverFile:
    if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise InputError("declares XML entities, which CPLEX does not")
    try:
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise InputError(f"not XML ({error})") from None
    # Of several solutions CPLEX writes the incumbent first.
    solution = root if root.tag == "CPLEXSolution" else root.find("CPLEXSolution")
    if solution is None:
        raise InputError("is no solution file of CPLEX")
    header = solution.find("header")
    about = {} if header is None else header.attrib
    pairs = [
        (k, f"{each.get('name', '')} {each.get('value', '')}")
        for k, each in enumerate(solution.iterfind("variables/variable"), start=1)
    ]
    objective = _number(about["objectiveValue"]) if "objectiveValue" in about else None
    values = _values(pairs, "variable")
    return SolverFile("cplex", about.get("solutionStatusString", ""), objective, values)


#: How a file of each solver begins.
_PARSERS: dict[str, Callable[[str], SolverFile]] = {
    r"Model status\b": _highs,
    r"(solution status|objective value):": _scip,
    r"# (Solution|Objective value)\b": _gurobi,
    r"<(\?xml|CPLEXSolution)": _cplex,
}


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    return ((k, line) for k, line in enumerate(text.splitlines(), start=1) if line.strip())


def _values(rows: Iterable[tuple[int, str]], unit: str = "line") -> dict[str, float]:
    """Values by name, of numbered lines."""
    values: dict[str, float] = {}
    for number, line in rows:
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        value = _number(found[2]) if found else None
        if found is None or value is None:
            raise InputError(f"{unit} {number}: expected a variable and its value")
        if found[1] in values:
            raise InputError(f"{unit} {number}: {found[1]} is repeated")
        values[found[1]] = value
    return values


def _value(found: re.Match[str] | None) -> float | None:
    return _number(found[1]) if found else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
