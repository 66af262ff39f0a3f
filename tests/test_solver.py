import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from expertcache.method import Limits, Method, Outcome
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import latency_empty_s
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.placement import Placement
from expertcache.problem.solution import StoppedBy, latency_gap
from expertcache.solver import METHODS, bound, find_method, solve, with_bound
from msgspec import Meta


def test_every_method_is_found_under_its_name():
    for name in METHODS:
        assert find_method(name).name == name


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(InputError, match=r"milp.*greedy"):
        find_method("magic")


@pytest.mark.parametrize("options", [{"rule": "worst"}, {"speed": "1"}, {"rule": 3}], ids=str)
def test_bad_options_are_refused(options, two_servers):
    with pytest.raises(InputError, match="greedy"):
        solve(two_servers, "greedy", options=options)


@pytest.mark.parametrize(
    "arguments",
    [
        {"time_s": 0},
        {"time_s": -1},
        {"time_s": math.nan},
        {"nodes": -1},
        {"gap": -0.1},
        {"gap": math.nan},
        {"gap": math.inf},
        {"threads": 0},
    ],
    ids=str,
)
def test_bad_limits_are_refused(arguments):
    with pytest.raises(InputError):
        Limits(**arguments)


@pytest.mark.parametrize("time_s", [60, math.inf])
def test_no_share_of_the_time_is_none(time_s):
    deadline = Limits(time_s).deadline()
    assert deadline.part(0).passed()
    assert not deadline.part(0.5).passed()
    assert not deadline.passed()


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_bad_seeds_are_refused(seed, two_servers):
    with pytest.raises(InputError, match="seed"):
        solve(two_servers, "random", seed=seed)


def test_a_method_of_your_own_is_checked_by_the_evaluator(two_servers):
    def everything(instance, *, limits, seed):
        return Outcome(
            Placement.of(instance, np.ones((instance.servers, instance.items), dtype=bool))
        )

    solution = solve(two_servers, Method("everything", "breaks capacities", everything))
    assert (solution.status, solution.stopped_by) == ("none", "error")
    assert "capacity" in solution.meta["error"]


def test_a_false_proof_is_not_believed(two_servers):
    def liar(instance, *, limits, seed):
        return Outcome(Placement.empty(), StoppedBy.PROOF, bound_latency_s=0.1)

    solution = solve(two_servers, Method("liar", "claims a proof", liar))
    assert (solution.status, solution.stopped_by) == ("feasible", "error")


@pytest.mark.parametrize("bound_latency_s", [99.0, 1.0001])
def test_a_bound_above_the_latency_is_an_error_of_the_method(bound_latency_s, two_servers):
    assert latency_empty_s(two_servers) == 1.0

    def liar(instance, *, limits, seed):
        return Outcome(Placement.empty(), bound_latency_s=bound_latency_s)

    solution = solve(two_servers, Method("liar", "claims a bound", liar))
    assert (solution.status, solution.stopped_by) == ("feasible", "error")
    assert (solution.bound_latency_s, solution.gap, solution.certified_ratio) == (None, None, None)
    assert "less can be saved" in solution.meta["error"]


def test_a_bound_that_says_nothing_proves_nothing(two_servers):
    def nothing(instance, *, limits, seed):
        return Outcome(Placement.empty(), StoppedBy.TIME, bound_saving_s=math.inf)

    solution = solve(two_servers, Method("nothing", "knows nothing", nothing))
    assert (solution.status, solution.bound_latency_s) == ("feasible", None)


def test_a_bound_that_is_no_number_is_an_error(two_servers):
    def lost(instance, *, limits, seed):
        return Outcome(Placement.empty(), bound_latency_s=math.nan)

    solution = solve(two_servers, Method("lost", "knows no number", lost))
    assert (solution.status, solution.stopped_by) == ("feasible", "error")
    assert solution.bound_latency_s is None
    assert solution.summary()


def test_an_event_claims_no_more_than_can_be(two_servers):
    def boaster(instance, *, limits, seed):
        limits.watch.tell(saving_s=1e9)
        return Outcome(Placement.empty())

    events = []
    solve(two_servers, Method("boaster", "promises much", boaster), callback=events.append)
    assert all(event.latency_s >= 0 for event in events)


def test_an_option_without_a_type_has_that_of_its_default(two_servers):
    def plain(instance, *, limits, seed, depth=3):
        assert depth == 5
        return Outcome(Placement.empty())

    solve(two_servers, Method("plain", "no types", plain), options={"depth": "5"})


@pytest.mark.parametrize("method", ["milp", "exact", "decomposition"])
@pytest.mark.parametrize("gap", [0.2, 0.05])
def test_a_gap_is_that_of_the_latency(method, gap, random_instance):
    instance = random_instance(3, layers=8, experts=6, servers=3, rows=120, users=5)
    solution = solve(instance, method, limits=Limits(gap=gap))
    assert solution.stopped_by in ("gap", "proof")
    assert solution.gap <= gap


@pytest.fixture(scope="module")
def far_and_near():
    """One user out of every server's reach, who asks 1e10 times as often as one in reach."""
    return Instance(
        models=(Model("m", 1, 1, 1, 10),),
        capacity_bytes=np.array([10]),
        server_latency_s=np.array([[[np.inf]], [[0.5]]]),
        cloud_latency_s=np.ones((2, 1)),
        local_latency_s=np.ones((2, 1)),
        local=np.zeros((2, 1), dtype=bool),
        requests=Requests([0, 1], [0, 0], [0, 0], [[0], [0]], [1e10, 1.0]),
        name="far",
    )


def test_what_nobody_can_change_proves_nothing(far_and_near):
    quick = solve(far_and_near, "cloud-only")
    assert quick.saving_s == 0
    bounded = with_bound(far_and_near, quick, bound(far_and_near, "lp").bound_saving_s)
    assert (bounded.status, bounded.certified_ratio) == ("feasible", 0)
    assert bounded.bound_saving_s == pytest.approx(0.5)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("lp", "cloud-only")])
def test_what_nobody_can_change_hides_nothing(method, far_and_near):
    if find_method(method).unsupported(far_and_near):
        pytest.skip("not for this instance")
    solution = solve(far_and_near, method)
    assert solution.saving_s == pytest.approx(0.5)
    assert solution.status == "optimal" or solution.bound_saving_s is None


@pytest.mark.parametrize("formulation", ["assignment", "threshold"])
def test_other_formulations_keep_the_digits_too(formulation, far_and_near):
    solution = solve(far_and_near, "milp", options={"formulation": formulation})
    assert (solution.status, solution.saving_s) == ("optimal", pytest.approx(0.5))


@pytest.mark.parametrize("method", ["exact", "milp", "decomposition", "local-search"])
def test_a_proof_says_proof_and_prints_100_percent(method, two_servers):
    solution = solve(two_servers, method)
    assert (solution.status, solution.stopped_by) == ("optimal", "proof")
    lines = solution.summary().splitlines()
    assert any(line.split() == ["share", "of", "best", "saving", "100", "%"] for line in lines)
    assert any(line.split() == ["gap", "0", "%"] for line in lines)


@dataclass(frozen=True)
class _Tuning:
    depth: Annotated[int, Meta(ge=0)] = 3
    shares: tuple[float, ...] = (0.5, 1.0)


def test_fields_of_parameters_are_options(two_servers):
    def tuned(instance, *, limits, seed, wide: bool = False, parameters: _Tuning = _Tuning()):
        return Outcome(Placement.empty(), meta={"given": [wide, parameters]})

    method = Method("tuned", "has parameters", tuned)
    assert method.option_defaults() == {"wide": False}
    assert method.tuning() == _Tuning()
    given = {"depth": "1", "wide": "true", "shares": "0.25,0.5"}
    solution = solve(two_servers, method, options=given)
    assert solution.meta["given"] == [True, _Tuning(1, (0.25, 0.5))]
    assert solution.options == given
    assert solve(two_servers, method).meta["given"] == [False, _Tuning()]
    for wrong in ({"depth": -1}, {"shares": "a"}, {"parameters": {}}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            method.options(wrong)


def test_start_is_refused_by_a_method_without_one(two_servers):
    with pytest.raises(InputError, match="no start"):
        solve(two_servers, "greedy", start=Placement.empty())


def test_heuristics_stop_at_the_time_limit(random_instance):
    instance = random_instance(1, top_k=1, servers=3, capacity=0.6)
    for method in ("greedy", "successive"):
        solution = solve(instance, method, limits=Limits(time_s=1e-9))
        assert (solution.status, solution.stopped_by) == ("feasible", "time")


def test_gap():
    assert latency_gap(1.1, 1.0) == pytest.approx(0.1)
    assert latency_gap(0.0, 0.0) == 0.0
    assert latency_gap(1.0, 0.0) is None
    assert latency_gap(None, 1.0) is None
    assert latency_gap(1.0, None) is None


def test_an_instance_without_requests_or_servers_is_solved(random_instance):
    for changes in ({"rows": 0}, {"servers": 0}):
        instance = random_instance(1, **changes)
        for method in filter(lambda name: find_method(name).places, METHODS):
            if not find_method(method).unsupported(instance):
                assert solve(instance, method).saving_s == pytest.approx(0.0)
        assert solve(instance, "milp").status == "optimal"


def test_the_default_is_exact(two_servers):
    assert solve(two_servers).method == "exact"


SOLVE = ("solve", "good.json", "--output", "out.json")
BOUND = ("bound", "good.json")
REFUSED = [
    ((*SOLVE, "--method", "magic"), "magic"),
    ((*SOLVE, "--method", "ma\ngic"), "unknown method"),
    ((*SOLVE, "--method", ""), "unknown method"),
    ((*SOLVE, "--option", "color=1"), "color"),
    ((*SOLVE, "--method", "greedy", "--option", "rule=magic"), "rule"),
    ((*SOLVE, "--method", "greedy", "--option", "seed=1"), "seed"),
    ((*SOLVE, "--time-limit", "0"), "time limit"),
    ((*SOLVE, "--time-limit", "-1"), "time limit"),
    ((*SOLVE, "--time-limit", "nan"), "time limit"),
    ((*SOLVE, "--threads", "0"), "threads"),
    ((*SOLVE, "--threads", "-1"), "threads"),
    ((*SOLVE, "--threads", "1000000"), "threads"),
    ((*SOLVE, "--seed", "-1"), "seed"),
    ((*SOLVE, "--seed", "2147483648"), "seed"),
    ((*SOLVE, "--gap", "-0.1"), "gap"),
    ((*SOLVE, "--gap", "nan"), "gap"),
    ((*SOLVE, "--gap", "inf"), "gap"),
    ((*SOLVE, "--node-limit", "-1"), "node limit"),
    ((*SOLVE, "--start", "missing.json"), "missing.json"),
    ((*SOLVE, "--method", "greedy", "--start", "solution.json"), "start"),
    ((*BOUND, "--method", "magic"), "magic"),
    ((*BOUND, "--method", "greedy"), "no bound"),
    ((*BOUND, "--time-limit", "0"), "time limit"),
    ((*BOUND, "--time-limit", "nan"), "time limit"),
    ((*BOUND, "--threads", "0"), "threads"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(case[0]))
def test_the_command_line_refuses_in_one_line(case, refused):
    arguments, says = case
    refused(*arguments, says=says)
