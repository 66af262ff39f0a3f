"""Greedy from every small start set."""

from __future__ import annotations

import math
import time
from itertools import combinations

import numpy as np

from ..guarantees import Guarantee, curved, no_guarantee
from ..method import Limits, Method, Outcome
from ..problem.errors import InputError, UnsupportedError
from ..problem.instance import BoolArray, Instance
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..problem.terms import coverage_terms
from ..structure import Structure
from .greedy import Gains, greedy_pass, only_for_one_expert

#: Runs that take longer than this are refused, when no shorter time limit is given.
_PATIENCE_S = 3600.0


def enumeration_greedy(instance: Instance, *, limits: Limits, seed: int, depth: int = 2) -> Outcome:
    """Greedy by gain per byte from every feasible set of at most `depth` (server, expert) pairs.

    K = 1 and one server: gains add up, and the saving is at least d / (d + 1) of the optimum with
    depth d (Sahni 1975, doi:10.1145/321864.321873); the 1 - 1/e of Sviridenko 2004
    (doi:10.1016/S0167-6377(03)00062-2) for submodular gains and one knapsack is weaker here. With
    one knapsack for each server no depth gives more than 1/2: M copies of a gadget leave
    (M + d) / 2M (suite ``tight``, docs/guarantees.md). The SlimCaching paper (arXiv:2507.06567)
    claims 1 - 1/e for its own algorithm, whose text is not at hand; this one has no such ratio.
    Experts of equal size: as `greedy`.

    Parameters
    ----------
    instance : Instance
        With K = 1.
    limits : Limits
        When the time is over, the best so far is returned.
    seed : int
        Not used.
    depth : int
        0 to 3.

    Raises
    ------
    InputError
        If `depth` is out of range.
    UnsupportedError
        If the start sets would take more than the time limit (an hour without one).
    """
    if not 0 <= depth <= 3:
        raise InputError(f"enumeration-greedy: option depth: must be 0 to 3, got {depth}")
    deadline = limits.deadline()
    terms = coverage_terms(instance)
    fresh = Gains(terms, instance.servers)
    room = instance.item_bytes <= instance.capacity_bytes[:, None]
    pairs = np.argwhere((fresh.gain_s > 0) & room).tolist()
    empty = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    best, whole = greedy_pass(instance, fresh.copy(), empty, True, deadline)
    best_saving = terms.saving_s(best)
    runs = 1
    began = time.perf_counter()
    for size in range(1, depth + 1):
        for chosen in combinations(pairs, size):
            if deadline.passed():
                return Outcome(Placement.of(instance, best), StoppedBy.TIME, meta={"runs": runs})
            if runs == 20:
                _refuse_if_hopeless(len(pairs), depth, (time.perf_counter() - began) / 19, limits)
            start = _start(instance, chosen)
            if start is None:
                continue
            gains = fresh.copy()
            for server, item in chosen:
                gains.add(server, item)
            cached, finished = greedy_pass(instance, gains, start, True, deadline)
            whole = whole and finished
            runs += 1
            saving = terms.saving_s(cached)
            if saving > best_saving:
                best, best_saving = cached, saving
                limits.watch.tell(saving)
    stopped_by = StoppedBy.FINISHED if whole else StoppedBy.TIME
    return Outcome(Placement.of(instance, best), stopped_by, meta={"runs": runs})


def _start(instance: Instance, chosen: tuple[list[int], ...]) -> BoolArray | None:
    """Placement of the chosen pairs, None if they do not fit."""
    cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    for server, item in chosen:
        cached[server, item] = True
    fits = (cached @ instance.item_bytes <= instance.capacity_bytes).all()
    return cached if fits else None


def _refuse_if_hopeless(pairs: int, depth: int, seconds: float, limits: Limits) -> None:
    runs = sum(math.comb(pairs, size) for size in range(depth + 1))
    patience = min(limits.time_s, _PATIENCE_S)
    if runs * seconds > patience:
        raise UnsupportedError(
            f"enumeration-greedy: {runs} start sets of up to {depth} of {pairs} pairs take about "
            f"{runs * seconds:.3g} s, more than {patience:g} s; take a smaller depth"
        )


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """See `enumeration_greedy`."""
    if solution.stopped_by is not StoppedBy.FINISHED:
        return no_guarantee("stopped early")
    if structure.one_size:
        return curved(structure, "experts of equal size")
    if structure.servers <= 1:
        depth = int(solution.options.get("depth", 2))
        return Guarantee(depth / (depth + 1), f"K = 1, one server, depth {depth}")
    return no_guarantee("several servers, experts of different sizes")


METHOD = Method(
    "enumeration-greedy", "greedy from every small start set (K = 1)", enumeration_greedy,
    only_for_one_expert, guarantee=guarantee,
)  # fmt: skip
