"""The suite `tight`: what docs/guarantees.md says about it."""

import pytest
from expertcache.instances.gadgets import greedy_gadgets
from expertcache.instances.suites import find_suite
from expertcache.problem.errors import InputError
from expertcache.solver import METHODS, a_priori, find_method, solve
from expertcache.structure import Structure


@pytest.mark.parametrize("copies", [1, 2, 5, 9])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_enumeration_fixes_no_more_copies_than_its_depth(copies, depth):
    instance = greedy_gadgets(copies, "x")
    best = solve(instance, "exact")
    assert best.status == "optimal"
    assert best.saving_s == pytest.approx(0.5)
    solution = solve(instance, "enumeration-greedy", options={"depth": depth})
    fixed = min(depth, copies)
    # Each copy saves 1.001 of 2.001 parts, the fixed ones all.
    reached = (1.001 * copies + fixed) / (2.001 * copies)
    assert solution.saving_s / best.saving_s == pytest.approx(reached)


def test_depth_two_on_twenty_copies():
    instance = greedy_gadgets(20, "x")
    solution = solve(instance, "enumeration-greedy", options={"depth": 2})
    assert solution.saving_s / solve(instance, "exact").saving_s == pytest.approx(0.55, abs=1e-3)


def test_every_promise_is_kept():
    for instance in find_suite("tight").instances():
        structure = Structure(instance)
        best = solve(instance, "exact")
        assert best.status == "optimal"
        for method in METHODS:
            if find_method(method).places and method != "enumeration-greedy":
                solution = solve(instance, method)
                promise = a_priori(solution, structure)
                assert solution.saving_s >= promise.ratio * best.saving_s - 1e-12, method


def test_configuration_is_not_fooled():
    for instance in find_suite("tight").instances():
        solution = solve(instance, "configuration")
        assert solution.saving_s == pytest.approx(0.5)


@pytest.mark.parametrize("copies", [0, 1001])
def test_bad_numbers_of_copies_are_refused(copies):
    with pytest.raises(InputError, match="copies"):
        greedy_gadgets(copies, "x")
