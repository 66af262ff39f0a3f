"""Pipage rounding of the linear relaxation, for K = 1."""

from __future__ import annotations

import numpy as np

from ..guarantees import Guarantee, coverage_share, no_guarantee
from ..linear.coverage_program import coverage_program
from ..linear.highs import run_highs
from ..method import Limits, Method, Outcome
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement, within_capacities
from ..problem.solution import ROUNDING, Solution, StoppedBy
from ..problem.terms import Terms, coverage_terms
from ..structure import Structure
from .greedy import Gains, greedy_pass, only_for_one_expert

#: Values this near to 0 or 1 are whole.
_WHOLE = 1e-9


def pipage(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Solve the linear relaxation of `coverage`, round it inside each server, then refill.

    ``F(x) = sum_t w_t (1 - prod_{n in G_t} (1 - x[n, i_t]))`` agrees with the saving at whole x and
    is at least ``1 - (1 - 1/g)^g`` of the relaxation's value, g the largest number of servers in a
    term: more than 1 - 1/e. Moving bytes between two fractional experts of
    one server is a line on which F is linear, because no term has two experts: one of its ends is
    no worse, and there one of the two is whole. With experts of equal size nothing fractional
    remains, so the saving is at least that share of the relaxation's value, with any servers
    (Ageev, Sviridenko 2004, doi:10.1023/B:JOCO.0000038913.96607.c2). With unequal sizes at most one
    fractional expert per server remains and is dropped, which no guarantee covers. What is left of
    the capacities is filled greedily.

    The outcome's ``meta`` has ``lp_ratio``, the saving as a share of the relaxation's bound, null
    where nothing can be saved but rounding.

    Parameters
    ----------
    instance : Instance
        With K = 1 (after local experts, each request needs at most one).
    limits : Limits
    seed : int
        HiGHS' random seed.
    """
    deadline = limits.deadline()
    terms = coverage_terms(instance)
    model = coverage_program(instance, terms)
    result = run_highs(
        model.linear,
        limits=deadline.limits(threads=limits.threads),
        seed=seed,
        relax=True,
    )
    solved = result.stopped_by is StoppedBy.PROOF
    stopped_by = StoppedBy.FINISHED if solved else result.stopped_by
    x = np.zeros((instance.servers, instance.items))
    if result.values is not None:
        x[model.server, model.item] = result.values[: len(model.server)].clip(0, 1)
    gains = Gains(terms, instance.servers)
    rounded = _round(instance, terms, gains, x)
    # Rounding errors of the relaxation must not break a capacity.
    cached = within_capacities(instance, rounded > 0.5)
    for server, item in np.argwhere(cached).tolist():
        gains.add(server, item)
    cached, _ = greedy_pass(instance, gains, cached, True, deadline)
    most = -result.bound
    possible = most > ROUNDING * terms.weight_s.sum()
    return Outcome(
        Placement.of(instance, cached),
        stopped_by,
        bound_saving_s=most,
        meta={"lp_ratio": terms.saving_s(cached) / most if possible else None},
    )


def _round(instance: Instance, terms: Terms, gains: Gains, x: FloatArray) -> FloatArray:
    """Move bytes inside each server until at most one expert of it is fractional; drop that."""
    x = np.where(x < _WHOLE, 0.0, np.where(x > 1 - _WHOLE, 1.0, x))
    sizes = instance.item_bytes.astype(np.float64)

    def slope(server: int, item: int) -> float:
        """Slope of F along one variable."""
        mine = gains.terms_of(item)
        inside = terms.server_sets[terms.server_set[mine]]
        mine, inside = mine[inside[:, server]], inside[inside[:, server]]
        inside[:, server] = False
        missed = np.where(inside, 1 - x[:, item], 1.0).prod(axis=1)
        return float(terms.weight_s[mine] @ missed)

    for n, row in enumerate(x):
        open_ = np.flatnonzero((row > 0) & (row < 1)).tolist()
        while len(open_) > 1:
            i, j = open_[-2:]
            # Bytes that can move from j to i, and from i to j.
            to_i = min((1 - row[i]) * sizes[i], row[j] * sizes[j])
            to_j = min(row[i] * sizes[i], (1 - row[j]) * sizes[j])
            better = slope(n, i) / sizes[i] - slope(n, j) / sizes[j]
            moved = to_i if better >= 0 else -to_j
            row[i] += moved / sizes[i]
            row[j] -= moved / sizes[j]
            for k in (i, j):
                if row[k] < _WHOLE or row[k] > 1 - _WHOLE:
                    row[k] = round(row[k])
                    open_.remove(k)
        for k in open_:
            # The last one stays if it fits whole: with equal sizes it always does.
            whole = (row == 1) @ instance.item_bytes + instance.item_bytes[k]
            row[k] = float(whole <= instance.capacity_bytes[n])
    return x


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """See `pipage`."""
    if solution.stopped_by is not StoppedBy.FINISHED:
        return no_guarantee("stopped early")
    if structure.one_size:
        g = structure.largest_set
        because = f"K = 1, experts of equal size, at most {g} servers for a request"
        return Guarantee(coverage_share(g), because)
    return no_guarantee("experts of different sizes")


METHOD = Method(
    "pipage", "linear relaxation, rounded (K = 1)", pipage, only_for_one_expert, uses_seed=True,
    guarantee=guarantee,
)  # fmt: skip
