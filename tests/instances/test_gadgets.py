"""The suite `tight`: what docs/guarantees.md says about it."""

from itertools import combinations, product

import numpy as np
import pytest
from expertcache.instances.gadgets import densest_subgraph, greedy_gadgets, max_cut
from expertcache.instances.suites import find_suite
from expertcache.problem.errors import InputError
from expertcache.problem.evaluate import evaluate
from expertcache.problem.placement import Placement
from expertcache.solver import METHODS, a_priori, find_method, solve
from expertcache.structure import Structure


@pytest.mark.parametrize("copies", [1, 2, 5, 7])
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


def test_every_promise_is_kept():
    for instance in find_suite("tight").instances():
        structure = Structure(instance)
        best = solve(instance, "exact")
        assert best.status == "optimal"
        for method in METHODS:
            found = find_method(method)
            slow = method in ("enumeration-greedy", "milp")
            if found.places and not slow and not found.unsupported(instance):
                solution = solve(instance, method)
                promise = a_priori(solution, structure)
                assert solution.saving_s >= promise.ratio * best.saving_s - 1e-12, method


def test_configuration_is_not_fooled():
    for instance in (i for i in find_suite("tight").instances() if i.top_k == 1):
        solution = solve(instance, "configuration")
        assert solution.saving_s == pytest.approx(0.5)


@pytest.mark.parametrize(("vertices", "room"), [(5, 3), (13, 5), (17, 6)])
def test_one_server_is_the_densest_subgraph(vertices, room):
    instance = densest_subgraph(vertices, room, "x")
    squares = {n * n % vertices for n in range(1, vertices)}
    joined = np.array(
        [[(i - j) % vertices in squares for i in range(vertices)] for j in range(vertices)]
    )
    assert (joined == joined.T).all()
    edges = int(joined.sum()) // 2
    assert len(instance.requests) == edges
    subsets = np.array(list(combinations(range(vertices), room)))
    inside = joined[subsets[:, :, None], subsets[:, None, :]].sum(axis=(1, 2)) // 2
    # Of each subset, not only of the best one.
    for chosen, number in list(zip(subsets, inside, strict=True))[::97]:
        value = evaluate(instance, Placement([[0, 0, 0, e] for e in chosen]))
        assert value.saving_s == pytest.approx(0.5 * number / edges)
    best = solve(instance, "exact")
    assert best.status == "optimal"
    assert best.saving_s == pytest.approx(0.5 * inside.max() / edges)


def cut_sizes(edges, vertices):
    sides = np.array(list(product([0, 1], repeat=vertices)))
    return sides, (sides[:, edges[:, 0]] != sides[:, edges[:, 1]]).sum(axis=1)


def test_one_expert_on_each_server_is_the_largest_cut():
    instance = max_cut(5, "x")
    edges = np.array(
        [np.flatnonzero(row) for row in np.isfinite(instance.server_latency_s[:, :, 0])]
    )
    assert (np.bincount(edges.ravel()) == 3).all()
    sides, sizes = cut_sizes(edges, 10)
    assert sizes.max() == 12
    for side, size in list(zip(sides, sizes, strict=True))[::97]:
        rows = [[n, 0, 0, 2 * n + s] for n, s in enumerate(side)]
        # Each edge has two requests, and a cut pays one.
        value = evaluate(instance, Placement(rows))
        assert value.saving_s == pytest.approx(0.5 * size / (2 * len(edges)))
    best = solve(instance, "exact")
    assert best.status == "optimal"
    assert best.saving_s == pytest.approx(0.5 * 12 / 30)
    # No server gains anything alone.
    assert solve(instance, "successive").saving_s == 0


def test_experts_on_the_wrong_server_cut_no_more():
    """Every placement of the whole instance, not only those of one's own sides: a triangle."""
    whole = max_cut(5, "x")
    edges = np.array([[0, 1], [1, 2], [2, 0]])
    reach = np.zeros((3, 3), dtype=bool)
    reach[np.arange(3)[:, None], edges] = True
    rows = np.concatenate([2 * edges + [0, 1], 2 * edges + [1, 0]])
    requests = whole.requests.part(np.arange(6))
    instance = whole.replace(
        models=(whole.models[0].__class__("sides", 1, 6, 2, 1),),
        capacity_bytes=np.ones(3, dtype=np.int64),
        server_latency_s=np.where(reach, 0.5, np.inf)[:, :, None],
        cloud_latency_s=np.ones((3, 1)),
        local_latency_s=np.ones((3, 1)),
        local=np.zeros((3, 6), dtype=bool),
        requests=requests.__class__(
            np.tile(np.arange(3), 2), requests.model, requests.layer, rows, np.ones(6)
        ),
        server_names=(), user_names=(), server_position_m=None, user_position_m=None,
    )  # fmt: skip
    savings = [
        evaluate(instance, Placement([[n, 0, 0, e] for n, e in enumerate(chosen)])).saving_s
        for chosen in product(range(6), repeat=3)
    ]
    assert max(savings) == pytest.approx(0.5 * cut_sizes(edges, 3)[1].max())


@pytest.mark.parametrize(
    ("vertices", "room"), [(4, 2), (9, 2), (7, 2), (1009, 2), (13, -1), (13, 14)]
)
def test_graphs_that_are_none_are_refused(vertices, room):
    with pytest.raises(InputError, match=r"vertices|room"):
        densest_subgraph(vertices, room, "x")


@pytest.mark.parametrize("spokes", [4, 501])
def test_bad_numbers_of_spokes_are_refused(spokes):
    with pytest.raises(InputError, match="spokes"):
        max_cut(spokes, "x")


@pytest.mark.parametrize("copies", [0, 1001])
def test_bad_numbers_of_copies_are_refused(copies):
    with pytest.raises(InputError, match="copies"):
        greedy_gadgets(copies, "x")
