import highspy
import pytest
from expertcache.formulations.export import export_model
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.solver import solve


@pytest.mark.parametrize("format_", ["lp", "mps"])
@pytest.mark.parametrize("formulation", ["coverage", "threshold", "assignment"])
def test_exported_model_has_the_same_optimum(format_, formulation, tmp_path):
    instance = list(SUITES["tiny"].instances())[3]
    path = tmp_path / f"model.{format_}"
    export_model(instance, path, format=format_, formulation=formulation)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(path))
    solver.run()
    expected = solve(instance, "milp").latency_s
    assert solver.getInfo().objective_function_value == pytest.approx(expected, rel=1e-5)
    assert "capacity" in path.read_text()


def test_missing_folder_is_refused(tmp_path):
    instance = next(iter(SUITES["tiny"].instances()))
    with pytest.raises(InputError, match="no directory"):
        export_model(instance, tmp_path / "a" / "b.lp", format="lp")
