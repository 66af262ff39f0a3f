import gzip
import json

import msgspec
import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.placement import Placement
from expertcache.problem.solution import (
    Solution,
    Status,
    StoppedBy,
    latency_gap,
    read_solution,
    solution_bytes,
    write_solution,
)
from expertcache.solver import solve
from hypothesis import given
from hypothesis import strategies as st

SOLUTION = Solution(
    instance="toy",
    method="greedy",
    status=Status.FEASIBLE,
    stopped_by=StoppedBy.FINISHED,
    latency_s=0.75,
    latency_empty_s=1.0,
    saving_s=0.25,
    bound_latency_s=0.5,
    gap=0.5,
    seconds=1e-3,
    placement=Placement([[0, 0, 0, 0], [1, 0, 0, 2]]),
    options={"rule": "best", "depth": "2"},
    seed=7,
    meta={"picks": 2, "nested": {"a": [None, 1.5]}},
)
NOTHING = msgspec.structs.replace(
    SOLUTION,
    status=Status.NONE,
    stopped_by=StoppedBy.TIME,
    latency_s=None,
    saving_s=None,
    bound_latency_s=None,
    gap=None,
    seed=None,
    placement=None,
    options={},
    meta={},
)


@pytest.mark.parametrize("name", ["s.json", "s.json.gz"])
@pytest.mark.parametrize("solution", [SOLUTION, NOTHING], ids=["placement", "none"])
def test_every_field_survives(name, solution, tmp_path):
    write_solution(solution, tmp_path / name)
    assert read_solution(tmp_path / name) == solution


@given(
    status=st.sampled_from([Status.OPTIMAL, Status.FEASIBLE]),
    stopped_by=st.sampled_from(StoppedBy),
    latency=st.floats(0, 1e300),
    bound=st.none() | st.floats(-1e300, 1e300),
    rows=st.lists(st.tuples(*[st.integers(0, 2**40)] * 4), unique=True),
    seed=st.none() | st.integers(0, 2**31),
    # Names are one line of printable text.
    method=st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])),
)
def test_any_solution_survives(
    status, stopped_by, latency, bound, rows, seed, method, tmp_path_factory
):
    solution = msgspec.structs.replace(
        SOLUTION,
        status=status,
        stopped_by=stopped_by,
        latency_s=latency,
        bound_latency_s=bound,
        placement=Placement(rows),
        seed=seed,
        method=method,
    )
    path = tmp_path_factory.getbasetemp() / "solution.json"
    write_solution(solution, path)
    assert read_solution(path) == solution


def test_the_keys_are_the_documented_ones():
    content = json.loads(solution_bytes(SOLUTION))
    assert list(content) == [
        "format", "version", "instance", "method", "options", "seed", "status", "stopped_by",
        "latency_s", "latency_empty_s", "saving_s", "bound_latency_s", "gap", "seconds",
        "placement", "meta",
    ]  # fmt: skip
    assert content["format"] == "expertcache/solution"
    assert content["version"] == 1
    assert content["status"] == "feasible"


def test_nothing_in_hand_is_null_not_absent():
    content = json.loads(solution_bytes(NOTHING))
    for name in ("seed", "latency_s", "saving_s", "bound_latency_s", "gap"):
        assert content[name] is None
    assert content["placement"] == []


def test_equal_solutions_give_equal_files(tmp_path):
    for name in ("a.json.gz", "b.json.gz"):
        write_solution(SOLUTION, tmp_path / name)
    data = (tmp_path / "a.json.gz").read_bytes()
    assert data == (tmp_path / "b.json.gz").read_bytes()
    assert gzip.decompress(data) == solution_bytes(SOLUTION)


@pytest.mark.parametrize("method", ["milp", "greedy", "successive", "random", "cloud-only"])
def test_what_a_method_returns_survives(method, two_servers, tmp_path):
    solution = solve(two_servers, method)
    write_solution(solution, tmp_path / "s.json")
    assert read_solution(tmp_path / "s.json") == solution


def test_none_with_a_placement_is_refused(tmp_path):
    content = json.loads(solution_bytes(SOLUTION)) | {"status": "none"}
    (tmp_path / "s.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="placement"):
        read_solution(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("latency", "bound", "gap"),
    [
        (3.0, 2.0, 0.5),
        (2.0, 2.0, 0.0),
        (0.0, 0.0, 0.0),
        (None, 2.0, None),
        (2.0, None, None),
        (2.0, 0.0, None),
        (2.0, -1.0, None),
        (1e300, 1e-300, None),
    ],
)
def test_gap(latency, bound, gap):
    assert latency_gap(latency, bound) == gap


@pytest.mark.parametrize("solution", [SOLUTION, NOTHING], ids=["placement", "none"])
def test_summary_tells_what_is_in_hand_and_why(solution):
    text = solution.summary()
    assert solution.status in text
    assert f"stopped by: {solution.stopped_by}" in text
