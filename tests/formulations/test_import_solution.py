"""Solutions of exported models, in files laid out as the solvers write them."""

from pathlib import Path

import highspy
import pytest
from expertcache.command_line.parser import main
from expertcache.formulations.export import export_model
from expertcache.formulations.import_solution import import_solution
from expertcache.formulations.solver_file import read_solver_file
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.instance_file import write_instance
from expertcache.problem.solution import Status, read_solution
from expertcache.solver import solve

#: The best placement of `two_servers`: expert 0 on server 0, expert 1 on server 1.
BEST = [[0, 0, 0, 0], [1, 0, 0, 1]]

HIGHS = """Model status
Time limit reached

# Primal solution values
Feasible
Objective 40000
Objective_bound 40000
MIP_rel_gap 0
# Columns 4
ONE_VAR_CONSTANT 1
x(0_0_0_0) 1
x(0_0_0_1) -0
x(1_0_0_1) 0.999999999
# Rows 2
x(0_0_0_2) 7
c_u_capacity(0)_ 1

# Dual solution values
None
"""

SCIP = """solution status: optimal solution found
objective value:                                40000
x(0_0_0_0)                          0.999999911563952 \t(obj:0)
x(0_0_0_2)                        1.7687209674655e-07 \t(obj:0)
x(1_0_0_1)                                          1 \t(obj:0)
ONE_VAR_CONSTANT                                    1 \t(obj:87930.0333995673)
"""

GUROBI = """# Solution for model latency
# Objective value = 4.0000000000000000e+04
x(0_0_0_0) 1
x(0_0_0_1) 0
x(1_0_0_1)  1.0
z(0) 0.5
"""

CPLEX = """<?xml version = "1.0" encoding="UTF-8" standalone="yes"?>
<CPLEXSolution version="1.2">
 <header
   problemName="model.lp"
   objectiveValue="40000"
   solutionTypeValue="3"
   solutionStatusString="integer optimal solution"/>
 <quality epInt="1.0000000000000001e-05"/>
 <linearConstraints>
  <constraint name="c_u_capacity(0)_" index="0" slack="0"/>
 </linearConstraints>
 <variables>
  <variable name="x(0_0_0_0)" index="0" value="1"/>
  <variable name="x(0_0_0_1)" index="1" value="0"/>
  <variable name="x(1_0_0_1)" index="2" value="0.99999999999999989"/>
 </variables>
</CPLEXSolution>
"""

FILES = {"highs": HIGHS, "scip": SCIP, "gurobi": GUROBI, "cplex": CPLEX}


@pytest.mark.parametrize("solver", FILES)
def test_each_solver(solver, two_servers, tmp_path):
    path = tmp_path / "x.sol"
    path.write_text(FILES[solver])
    solution = import_solution(two_servers, path)
    assert solution.method == solver
    assert sorted(solution.placement.rows.tolist()) == BEST
    assert solution.latency_s == evaluate(two_servers, solution.placement).latency_s == 0.4
    # Whatever the solver says, nothing is proved.
    assert (solution.status, solution.bound_latency_s) == (Status.FEASIBLE, None)
    assert solution.meta["imported"]["objective"] == 40000
    assert (
        solution.meta["imported"]["status"]
        == {
            "highs": "Time limit reached",
            "scip": "optimal solution found",
            "gurobi": "",
            "cplex": "integer optimal solution",
        }[solver]
    )


def test_several_solutions_of_cplex_begin_with_the_incumbent(two_servers, tmp_path):
    head, _, one = CPLEX.partition("\n")
    other = one.replace('"1"/>', '"0"/>')
    path = tmp_path / "x.sol"
    path.write_text(f'{head}\n<CPLEXSolutions version="1.2">\n{one}{other}</CPLEXSolutions>\n')
    assert sorted(import_solution(two_servers, path).placement.rows.tolist()) == BEST


@pytest.mark.parametrize("format_", ["lp", "mps"])
@pytest.mark.parametrize("formulation", ["coverage", "threshold", "assignment"])
def test_what_highs_really_writes(format_, formulation, random_instance, tmp_path):
    instance = random_instance(3, models=2)
    model, path = tmp_path / f"model.{format_}", tmp_path / "x.sol"
    export_model(instance, model, format=format_, formulation=formulation)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(model))
    solver.run()
    solver.writeSolution(str(path), 0)
    solution = import_solution(instance, path)
    assert solution.latency_s == pytest.approx(solve(instance).latency_s, rel=1e-9)
    assert solution.meta["imported"]["status"] == "Optimal"
    # HiGHS' table for people is refused.
    solver.writeSolution(str(path), 1)
    with pytest.raises(InputError, match="no solution file"):
        import_solution(instance, path)


def test_what_scip_really_writes(random_instance, tmp_path):
    scip = pytest.importorskip("pyscipopt", reason="needs SCIP")
    instance = random_instance(3, models=2)
    export_model(instance, tmp_path / "model.lp", format="lp")
    model = scip.Model()
    model.hideOutput()
    model.readProblem(str(tmp_path / "model.lp"))
    model.optimize()
    model.writeBestSol(str(tmp_path / "x.sol"))
    solution = import_solution(instance, tmp_path / "x.sol")
    assert solution.latency_s == pytest.approx(solve(instance).latency_s, rel=1e-6)


def test_on_the_command_line(two_servers, tmp_path, capsys):
    write_instance(two_servers, tmp_path / "x.json")
    (tmp_path / "x.sol").write_text(SCIP)
    paths = [str(tmp_path / name) for name in ("x.json", "x.sol", "s.json")]
    assert main(["import", "solution", *paths[:2], "--output", paths[2]]) == 0
    assert "method                  scip" in capsys.readouterr().out
    solution = read_solution(paths[2])
    assert sorted(solution.placement.rows.tolist()) == BEST
    assert main(["evaluate", paths[0], paths[2]]) == 0
    assert main(["solve", paths[0], "--method", "ascent", "--start", paths[2]]) == 0


BROKEN = [
    ("", "is no solution file"),
    (b"\xff\xfe", "not text"),
    ("x(0_0_0_0) 1\n", "is no solution file"),
    ("solution status: infeasible\nno solution available\n", "no solution"),
    (HIGHS.partition("# Columns")[0], "no solution"),
    ("# Solution file\nx1 1\n", "none of its variables"),
    (SCIP.replace("0.999999911563952", "0.5"), "x(0_0_0_0) is 0.5"),
    (SCIP.replace("0.999999911563952", "nan"), "x(0_0_0_0) is nan"),
    (SCIP.replace("0.999999911563952", "one"), "line 3"),
    (SCIP.replace("0.999999911563952", "1 2 3"), "line 3"),
    (SCIP + "x(1_0_0_1) 1\n", "line 7: x(1_0_0_1) is repeated"),
    (SCIP + "x(5_0_0_1) 1\n", "placement[2]"),
    (SCIP + "x(0_0_1) 1\n", "x(0_0_1) is no variable"),
    (SCIP + "x(0_0_0_-1) 1\n", "is no variable"),
    (SCIP + "x(0_0_0_9) 1\n", "is not of toy: placement[2]"),
    (SCIP + "x(1_0_0_0) 1\n", "exceeds the capacity of t"),
    (HIGHS.replace("x(0_0_0_1) -0", "x(0_0_0_1)"), "line 12"),
    (CPLEX.replace("</variables>", ""), "not XML"),
    (CPLEX.replace('value="1"', ""), "variable 1"),
    (CPLEX.replace("CPLEXSolution", "Else"), "no solution file of CPLEX"),
    (CPLEX.replace("<CPLEXS", '<!DOCTYPE a [<!ENTITY b "c">]>\n<CPLEXS', 1), "entities"),
]


@pytest.mark.parametrize(("content", "says"), BROKEN, ids=lambda part: str(part)[-20:])
def test_broken_files_are_refused(content, says, refused):
    # The instance of these files has room for one expert of model 0 on each server.
    Path("x.sol").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused("import", "solution", "good.json", "x.sol", "--output", "s.json", says=says)


def test_lines_are_counted_as_an_editor_does(tmp_path):
    path = tmp_path / "x.sol"
    path.write_text(HIGHS.replace("x(1_0_0_1) 0.999999999", "x(1_0_0_1) what"))
    number = 1 + HIGHS.splitlines().index("x(1_0_0_1) 0.999999999")
    with pytest.raises(InputError, match=f"line {number}:"):
        read_solver_file(path)
