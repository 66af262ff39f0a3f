import json
import subprocess
import sys

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.problem.instance_file import read_instance, write_instance


@pytest.fixture
def toy(two_servers, tmp_path):
    path = tmp_path / "toy.json"
    write_instance(two_servers, path)
    return str(path)


def result(capsys):
    """What was printed, which must be one JSON value and nothing else."""
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


@pytest.mark.parametrize("command", [[], ["solve"], ["generate"]])
def test_help_imports_nothing_heavy(command):
    code = (
        "import sys\n"
        "from expertcache.command_line.parser import main\n"
        f"try: main([*{command}, '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numpy', 'pyomo', 'pandas', 'matplotlib', 'highspy', 'scipy', 'msgspec'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "usage: expertcache" in run.stdout


def test_no_method_but_milp_imports_pyomo(toy):
    code = (
        "import sys\n"
        "from expertcache.command_line.parser import main\n"
        f"assert main(['solve', {toy!r}, '--method', 'successive']) == 0\n"
        "assert not {'pyomo', 'matplotlib', 'pandas'} & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_version_and_module_entry():
    run = subprocess.run(
        [sys.executable, "-m", "expertcache", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout.split()[0]) == (0, "expertcache")


def test_from_generation_to_a_proof(tmp_path, capsys):
    instance, solution = str(tmp_path / "x.json.gz"), str(tmp_path / "s.json")
    words = ["generate", "--layers", "1", "--experts", "4", "--capacity", "0.5", "--servers", "2"]
    words += ["--users", "3", "--area", "300", "--seed", "1"]
    assert main([*words, "--model", "mixtral-8x7b", "--output", instance]) == 0
    assert "2 servers, 3 users" in capsys.readouterr().out
    assert main(["solve", instance, "--time-limit", "60", "--json", "--output", solution]) == 0
    solved = result(capsys)
    assert (solved["status"], solved["stopped_by"]) == ("optimal", "proof")
    assert json.loads((tmp_path / "s.json").read_text()) == solved
    assert main(["evaluate", instance, solution, "--json"]) == 0
    value = result(capsys)
    assert value["feasible"] is True
    for name in ("latency_s", "latency_empty_s", "saving_s"):
        assert value[name] == solved[name]
    assert main(["bound", instance, "--method", "lp", "--json"]) == 0
    bound = result(capsys)
    assert set(bound) >= {"method", "bound_latency_s", "seconds", "status"}
    assert 0 < bound["bound_latency_s"] <= solved["latency_s"]


def test_solution_file_has_the_keys_of_the_format(toy, capsys):
    assert main(["solve", toy, "--method", "greedy", "--json"]) == 0
    assert list(result(capsys)) == [
        "format", "version", "instance", "method", "options", "seed", "status", "stopped_by",
        "latency_s", "latency_empty_s", "saving_s", "bound_latency_s", "gap", "seconds",
        "placement", "meta",
    ]  # fmt: skip


def test_words_for_people(toy, tmp_path, capsys):
    solution = str(tmp_path / "s.json")
    assert main(["solve", toy, "--method", "successive", "--output", solution]) == 0
    printed = capsys.readouterr().out
    assert "saving" in printed
    assert "  proven in advance" in printed
    assert "    for the latency" in printed
    assert main(["evaluate", toy, solution]) == 0
    assert "feasible             yes" in capsys.readouterr().out
    assert main(["bound", toy]) == 0
    assert "lower bound" in capsys.readouterr().out
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    assert "--option rule=best" in printed
    # What methods have in common stands there once.
    assert printed.count("--option join_widths=3000,30000,300000\n") == 1
    assert main(["suite", "list"]) == 0
    assert "tiny" in capsys.readouterr().out


def test_options_reach_the_method(toy, capsys):
    words = ["--option", "formulation=assignment"]
    assert main(["solve", toy, "--method", "milp", *words, "--json"]) == 0
    solved = result(capsys)
    assert solved["options"] == {"formulation": "assignment"}
    assert solved["meta"]["formulation"] == "assignment"


def test_start_from_a_solution_file(toy, tmp_path, capsys):
    start = str(tmp_path / "start.json")
    assert main(["solve", toy, "--method", "random", "--output", start]) == 0
    capsys.readouterr()
    assert main(["solve", toy, "--start", start, "--json"]) == 0
    assert result(capsys)["status"] == "optimal"


def test_without_a_solution_the_status_is_3(tmp_path, capsys):
    path = str(tmp_path / "x.json")
    main(["generate", "--layers", "4", "--seed", "1", "--output", path])
    capsys.readouterr()
    assert main(["solve", path, "--method", "lp", "--json"]) == 3
    solved = result(capsys)
    assert (solved["status"], solved["stopped_by"]) == ("none", "proof")
    assert (solved["latency_s"], solved["placement"]) == (None, [])


def test_an_infeasible_placement_is_told(toy, tmp_path, capsys):
    solution = tmp_path / "s.json"
    main(["solve", toy, "--method", "greedy", "--output", str(solution)])
    content = json.loads(solution.read_text())
    content["placement"] = [[0, 0, 0, 0], [0, 0, 0, 1]]
    solution.write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["evaluate", toy, str(solution), "--json"]) == 2
    printed = capsys.readouterr()
    value = json.loads(printed.out)
    assert value["feasible"] is False
    assert value["used_bytes"] == [20, 0]
    assert printed.err == f"error: {solution}: the placement exceeds a capacity\n"
    assert main(["evaluate", toy, str(solution)]) == 2
    assert "EXCEEDED" in capsys.readouterr().out
    folder = tmp_path / "drawn"
    assert main(["draw", toy, str(solution), "--output", str(folder)]) == 2
    assert "exceeds the capacity" in capsys.readouterr().err
    assert not folder.exists()


def test_a_solution_of_another_instance_is_told(toy, tmp_path, capsys):
    other, solution = str(tmp_path / "y.json"), str(tmp_path / "s.json")
    main(["generate", "--layers", "1", "--servers", "2", "--users", "3", "--output", other])
    main(["solve", other, "--method", "random", "--output", solution])
    capsys.readouterr()
    assert main(["evaluate", toy, solution]) == 2
    assert "made for another instance" in capsys.readouterr().err
    same = str(tmp_path / "z.json")
    main(["generate", "--layers", "1", "--servers", "2", "--users", "4", "--output", same])
    capsys.readouterr()
    for words in (["evaluate", same, solution], ["solve", same, "--start", solution]):
        assert main(words) == 0
        assert capsys.readouterr().err.startswith(f"warning: {solution}: made for another")


def test_export(toy, tmp_path):
    for kind in ("lp", "mps"):
        path = tmp_path / f"m.{kind}"
        assert main(["export", toy, "--format", kind, "--output", str(path)]) == 0
        assert path.stat().st_size > 100


def test_suite_build(tmp_path):
    assert main(["suite", "build", "tiny", "--output", str(tmp_path / "t")]) == 0
    files = sorted((tmp_path / "t").glob("*.json"))
    assert len(files) >= 5
    assert np.isfinite(read_instance(files[0]).cloud_latency_s).all()


def test_any_scenario_field_can_be_set(tmp_path):
    path = tmp_path / "x.json"
    words = ["--layers", "1", "--set", "cloud_s=0.5", "--set", "user_concentration=inf"]
    assert main(["generate", *words, "--output", str(path)]) == 0
    scenario = read_instance(path).meta["scenario"]
    assert (scenario["cloud_s"], scenario["user_concentration"]) == (0.5, "inf")


def test_a_closed_pipe_is_no_error():
    run = subprocess.run(
        f"{sys.executable} -m expertcache methods | head -c 1",
        shell=True,
        capture_output=True,
        check=False,
    )
    assert run.stderr == b""
