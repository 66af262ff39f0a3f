"""What is told of an instance, so that nonsense does not look like success."""

import json
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.problem.instance_file import write_instance

NOTHING = "warning: nothing can be saved: no user is in reach of a server\n"


@pytest.fixture
def out_of_reach(two_servers, tmp_path):
    path = tmp_path / "far.json"
    write_instance(two_servers.replace(server_latency_s=np.full((1, 2, 1), np.inf)), path)
    return str(path)


def test_solve_tells_what_a_person_checks(good_files, capsys):
    assert main(["solve", "good.json", "--method", "greedy"]) == 0
    out, err = capsys.readouterr()
    assert "users in reach          2 of 2\n" in out
    assert "room of a server        2 to 3 of 8 experts\n" in out
    assert "largest saving          at most " in out
    assert err == ""


def test_solve_warns_where_nothing_can_be_saved(out_of_reach, capsys):
    assert main(["solve", out_of_reach]) == 0
    out, err = capsys.readouterr()
    assert "users in reach          0 of 1\n" in out
    assert err == NOTHING
    assert main(["solve", out_of_reach, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["saving_s"] == 0
    assert err == NOTHING


def test_generate_tells_the_same(tmp_path, capsys):
    words = ["generate", "--layers", "1", "--servers", "2", "--users", "3", "--seed", "1"]
    assert main([*words, "--output", str(tmp_path / "x.json")]) == 0
    out, err = capsys.readouterr()
    assert "users in reach          " in out
    assert "room of a server        1 of 8 experts\n" in out
    assert err == ""
    assert main([*words, "--capacity", "0.1", "--output", str(tmp_path / "x.json")]) == 0
    assert capsys.readouterr().err == (
        "warning: nothing can be saved: no server holds a single expert\n"
    )


def test_swapped_columns_are_noticed(good_files, refused, capsys):
    # In Munich both are legal latitudes.
    Path("sites.csv").write_text("latitude,longitude\n48.137,11.575\n48.14,11.58\n")
    Path("points.csv").write_text("longitude,latitude\n48.138,11.576\n48.139,11.579\n")
    words = ["import", "sites", "--layers", "1", "--servers", "2", "--users", "2"]
    words += ["--sites", "sites.csv", "--output", "x.json", "--points"]
    assert main([*words, "sites.csv"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*words, "points.csv"]) == 0
    far, nothing = capsys.readouterr().err.splitlines()
    assert far.startswith("warning: users are ")
    assert far.endswith(" km from the servers: are latitude and longitude swapped?")
    assert nothing == NOTHING.rstrip()
    # In Melbourne they are not.
    Path("points.csv").write_text("longitude,latitude\n-37.81,144.96\n-37.82,144.97\n")
    refused(*words, "points.csv", says="line 2: latitude or longitude out of range: are the two")


def test_a_capacity_in_gigabytes(refused):
    words = ("generate", "--layers", "1", "--output", "out.json", "--capacity")
    refused(*words, "20", says="capacity: must be <= 1, a share of the bytes of all experts")


def test_choices_are_listed(refused, broken):
    solve = ("solve", "good.json", "--output", "out.json")
    for method, option, choices in (
        ("greedy", "rule=x", "greedy: option rule: 'x' is not one of best, "),
        ("milp", "formulation=x", "'x' is not one of assignment, coverage, threshold"),
    ):
        refused(*solve, "--method", method, "--option", option, says=choices)
    path = broken("solution.json", "status", "best")
    refused("evaluate", "good.json", path, says="'best' is not one of optimal, feasible, none")
    study = ("study", "good.json", "--methods", "greedy", "--output", "study")
    refused(*study, "--reference", "x", says="reference: 'x' is not one of decomposition, exact")


def test_export_tells_the_factor(good_files, capsys):
    assert main(["export", "good.json", "--format", "lp", "--output", "m.lp"]) == 0
    said = "the objective is 10000 times the latency in seconds"
    assert capsys.readouterr().out == f"wrote m.lp: {said}\n"
    assert said[4:] in Path("m.lp").read_text().splitlines()[1]


def test_no_control_characters_reach_the_terminal(refused):
    refused("solve", "\x1b[31mred.json", says=r"\x1b[31mred.json")
    refused("generate", "--output", "x.json", "--name", "\x1b[2J", says="name: has the control")
    refused("solve", "good.json", "--\x1b[2J", says=r"--\x1b[2J")
