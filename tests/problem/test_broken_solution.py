"""Every kind of broken solution gives status 2 and one line that names the field and the row."""

import pytest

BIG = b"1" + b"0" * 5000

BROKEN_SOLUTIONS = [
    ("format", "expertcache/instance", "format"),
    ("version", 2, "version"),
    ("version", "1", "version"),
    ("version", True, "version"),
    ("version", 1.5, "version"),
    ("color", 1, "`color`"),
    ("instance", ..., "`instance`"),
    ("placement", ..., "`placement`"),
    ("status", ..., "`status`"),
    ("status", "none", "placement"),
    ("status", "best", "status"),
    ("status", None, "status"),
    ("stopped_by", "boredom", "stopped_by"),
    ("seed", 0.5, "seed"),
    ("seed", True, "seed"),
    ("options", [], "options"),
    ("latency_s", -1, "latency_s"),
    ("latency_s", b"NaN", "not JSON"),
    ("latency_s", b"1e999", "latency_s"),
    ("latency_empty_s", None, "latency_empty_s"),
    ("seconds", -1, "seconds"),
    ("seconds", "1", "seconds"),
    ("placement", None, "placement"),
    ("placement", {}, "placement"),
    ("placement.1", None, "placement[1]"),
    ("placement.1", [1, 0, 1], "placement[1]"),
    ("placement.1", [1, 0, 1, 2, 0], "placement[1]"),
    ("placement.1", [], "placement[1]"),
    ("placement.1", [1, 0, 1, "2"], "placement[1]"),
    ("placement.1", [1, 0, 1, True], "placement[1]"),
    ("placement.1", [1, 0, 1, 0.5], "placement[1]"),
    ("placement.1", [2, 0, 1, 2], "placement[1]"),
    ("placement.1", [-1, 0, 1, 2], "placement[1]"),
    ("placement.1", [1, 2, 0, 0], "placement[1]"),
    ("placement.1", [1, -1, 0, 0], "placement[1]"),
    ("placement.1", [1, 0, 2, 2], "placement[1]"),
    ("placement.1", [1, 1, 1, 0], "placement[1]"),
    ("placement.1", [1, 0, 1, 3], "placement[1]"),
    ("placement.1", [1, 0, 1, -1], "placement[1]"),
    ("placement.1", [1, 0, 1, 10**30], "placement[1]"),
    ("placement.1", b"[1, 0, 1, " + BIG + b"]", "placement[1]"),
    ("placement.1", [0, 0, 0, 0], "placement[1]"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), BROKEN_SOLUTIONS, ids=lambda value: str(value)[:20]
)
def test_broken_solution(path, value, says, broken, refused):
    name = broken("solution.json", path, value)
    refused("evaluate", "good.json", name, "--json", says=says)
    refused("solve", "good.json", "--start", name, "--output", "out.json", says=says)


def test_an_instance_is_no_solution_and_the_other_way_round(refused):
    refused("evaluate", "solution.json", "good.json", says="solution.json: format")
    refused("evaluate", "good.json", "good.json", says="good.json: format")


def test_a_start_that_does_not_fit(broken, refused):
    name = broken("solution.json", "placement", [[1, 0, 0, 0], [1, 0, 1, 2]])
    refused("solve", "good.json", "--start", name, "--output", "out.json", says="capacity")
