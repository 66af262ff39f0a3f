from dataclasses import replace

import highspy
import pytest
from expertcache.formulations.export import export_model
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.solver import solve


# Solvers have absolute tolerances: without a scale, small rates make the empty cache "optimal".
@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("format_", ["lp", "mps"])
@pytest.mark.parametrize("formulation", ["coverage", "threshold", "assignment"])
def test_exported_model_has_the_same_optimum(format_, formulation, unit, tmp_path):
    instance = list(SUITES["tiny"].instances())[3]
    requests = instance.requests
    instance = instance.replace(requests=replace(requests, rate=unit * requests.rate))
    path = tmp_path / f"model.{format_}"
    factor = export_model(instance, path, format=format_, formulation=formulation)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(path))
    solver.run()
    optimum = solver.getInfo().objective_function_value / factor
    assert optimum == pytest.approx(solve(instance, "milp").latency_s, rel=1e-8)
    assert "capacity" in path.read_text()
    first, second = path.read_text().splitlines()[:2]
    assert first.endswith(f"expertcache/model, formulation {formulation}")
    assert second.endswith(f"The objective is {factor:g} times the latency in seconds.")


def test_a_model_without_costs_is_not_scaled(random_instance, tmp_path):
    instance = random_instance(1, rows=0)
    assert export_model(instance, tmp_path / "m.lp", format="lp") == 1.0


def test_missing_folder_is_refused(tmp_path):
    instance = next(iter(SUITES["tiny"].instances()))
    with pytest.raises(InputError, match="no directory"):
        export_model(instance, tmp_path / "a" / "b.lp", format="lp")
