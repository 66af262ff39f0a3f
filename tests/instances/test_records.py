import dataclasses
import hashlib

import msgspec
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.records import check, recipe_of, records, stored_placement
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.instance_file import instance_bytes
from expertcache.problem.placement import Placement
from expertcache.problem.solution import PROOF_TOLERANCE, write_solution
from expertcache.solver import solve

NAMES = [recipe.name for suite in SUITES.values() for recipe in suite.recipes]
#: Making the large ones takes seconds.
LARGE = [recipe.name for recipe in SUITES["models"].recipes]
MADE = [name for name in NAMES if name not in LARGE] + LARGE[::3]


def test_there_is_a_record_of_every_instance():
    assert list(records()) == NAMES


@pytest.mark.parametrize("name", MADE)
def test_every_instance_and_its_stored_placement_are_what_the_table_says(name):
    instance, record = recipe_of(name).make(), records()[name]
    assert hashlib.sha256(instance_bytes(instance)).hexdigest() == record.sha256
    value = evaluate(instance, stored_placement(instance))
    assert value.feasible
    assert value.latency_s == pytest.approx(record.latency_s, rel=1e-9)
    assert value.saving_s == pytest.approx(record.saving_s, rel=1e-9)
    assert 0 <= record.bound_latency_s <= record.latency_s
    most = value.latency_empty_s - record.bound_latency_s
    if record.status == "optimal":
        assert record.saving_s >= (1 - PROOF_TOLERANCE) * most - 1e-9 * value.latency_empty_s
    else:
        assert record.status == "feasible"
    assert record.command.startswith("expertcache solve")


@pytest.mark.parametrize(
    "name", [r.name for s in ("tiny", "coactivation") for r in SUITES[s].recipes][:12]
)
def test_some_entries_are_proved_again(name):
    record = records()[name]
    proved = solve(recipe_of(name).make(), "milp")
    assert (proved.status, record.status) == ("optimal", "optimal")
    assert proved.saving_s == pytest.approx(record.saving_s, rel=1e-6)


def test_all_of_tiny_small_k1_and_coactivation_are_proved():
    unproved = {r.instance for r in records().values() if r.status != "optimal"}
    for name in ("tiny", "small", "k1", "coactivation"):
        assert not unproved & {recipe.name for recipe in SUITES[name].recipes}


def test_check_tells_better_equal_and_worse(monkeypatch):
    best = solve(recipe_of("tiny-k2").make(), "milp")
    record = records()["tiny-k2"]
    assert check(best).outcome == "equal"
    empty = msgspec.structs.replace(best, placement=Placement.empty())
    assert check(empty).outcome == "worse"
    everything = [[n, 0, layer, e] for n in range(2) for layer in range(2) for e in range(4)]
    assert (
        check(msgspec.structs.replace(best, placement=Placement(everything))).outcome
        == "infeasible"
    )
    lower = dataclasses.replace(record, saving_s=record.saving_s / 2)
    monkeypatch.setattr("expertcache.instances.records.records", lambda: {"tiny-k2": lower})
    assert check(best).outcome == "better"


def test_check_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "s.json"
    solution = solve(recipe_of("tiny-k2").make(), "greedy")
    write_solution(solution, path)
    assert main(["suite", "check", str(path)]) == 0
    assert "tiny-k2: worse" in capsys.readouterr().out
    write_solution(msgspec.structs.replace(solution, instance="mine"), path)
    assert main(["suite", "check", str(path)]) == 2
    assert "mine" in capsys.readouterr().err


def test_unknown_instances_are_refused():
    with pytest.raises(InputError, match="mine"):
        recipe_of("mine")
