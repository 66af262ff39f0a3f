"""Large-neighbourhood search: parts of a placement are solved again exactly, by HiGHS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..linear.coverage_program import CoverageProgram, coverage_program
from ..linear.highs import run_highs
from ..method import Deadline, Limits, Method, Outcome
from ..problem.demand import merged_demand
from ..problem.errors import InputError
from ..problem.evaluate import latency_empty_s
from ..problem.fetch import FetchLimit
from ..problem.instance import BoolArray, Instance, IntArray
from ..problem.placement import Placement
from ..problem.solution import StoppedBy, latency_gap
from ..problem.terms import Terms, coverage_terms
from .ascent import ascend, server_orders
from .greedy import greedy
from .packing import pack_in_order
from .successive import InTurn, guarantee, in_turn

#: Share of the time limit that the starts may take.
_START_SHARE = 0.3

#: Placement columns of the first neighbourhoods, and limits of their growth.
_FIRST_SIZE, _LEAST_SIZE = 60.0, 8.0

#: Nodes for one neighbourhood, and the nodes and rows below which the next may be larger. Nodes
#: and not seconds, so that the same seed gives the same placements on any machine.
_STEP_NODES, _QUICK_NODES, _QUICK_ROWS = 100, 5, 4000

#: Largest relaxation, in rows, that is solved for a start.
_LP_ROWS = 50_000


def local_search(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    patience: int = 60,
    iterations: int | None = None,
    bound: float | None = None,
    fetch: FetchLimit | None = None,
) -> Outcome:
    """Search for the best placement that time allows.

    Starts: the given one, or `successive` in several server orders and the rounded relaxation, each
    improved by best responses of single servers. Single servers get stuck where two must change
    together, so then neighbourhoods of several servers are solved as small exact models: two or
    three servers that share users in some layers, or all servers in a few layers; everything else
    stays. Neighbourhoods grow while they are quick and shrink when they are not; one that holds
    the whole instance and is solved proves the optimum. Never worse than its start.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        A gap counts against `bound`.
    seed : int
    start : Placement, optional
    patience : int
        Stop after so many neighbourhoods in a row that improve nothing.
    iterations : int, optional
        Stop after so many neighbourhoods.
    bound : float, optional
        A known lower bound on the latency in seconds, to stop within the gap of `limits`.
    fetch : FetchLimit, optional
        What servers may fetch; every neighbourhood keeps it. Then only the given start is taken.
    """
    for name, most in (("patience", patience), ("iterations", iterations)):
        if most is not None and most < 1:
            raise InputError(f"option {name}: must be >= 1, got {most}")
    if bound is not None and not 0 <= bound < math.inf:
        raise InputError(f"option bound: must be >= 0 and finite, got {bound}")
    deadline = limits.deadline()
    search = _Search(instance, seed, fetch)
    best, saving, share = None, -1.0, None
    for cached, certified in _starts(search, deadline, seed, start):
        share = certified if share is None else share
        value = search.terms.saving_s(cached)
        if value > saving:
            best, saving = cached, value
            limits.watch.tell(saving)
    assert best is not None

    empty = latency_empty_s(instance)
    size = _FIRST_SIZE
    done = idle = 0

    def reason() -> StoppedBy | None:
        if deadline.passed():
            return StoppedBy.TIME
        if idle >= patience or done == iterations:
            return StoppedBy.FINISHED
        gap = None if bound is None else latency_gap(empty - saving, bound)
        return StoppedBy.GAP if gap is not None and gap <= limits.gap else None

    proved = None
    while (stopped_by := reason()) is None:
        if idle == 0:
            best = search.without_useless(best)
        part = search.neighbourhood(best, size)
        result = run_highs(
            part.model.linear,
            limits=deadline.limits(nodes=_STEP_NODES),
            seed=seed,
            start=part.model.start(best),
        )
        done += 1
        idle += 1
        if result.values is not None:
            found = part.model.placed(result.values, best & ~part.free)
            value = search.terms.saving_s(found)
            if value > saving * (1 + 1e-12) and search.fits(found):
                best, saving, idle = found, value, 0
                limits.watch.tell(saving)
        if result.stopped_by in (StoppedBy.PROOF, StoppedBy.FINISHED):
            if part.whole:
                stopped_by, proved = result.stopped_by, -result.bound
                break
            if result.nodes <= _QUICK_NODES and len(part.model.linear.row_lower) < _QUICK_ROWS:
                size *= 1.3
        else:
            size = max(_LEAST_SIZE, 0.7 * size)
    meta = {"server_share": share, "steps": done}
    placement = Placement.of(instance, best)
    return Outcome(placement, stopped_by, meta=meta, bound_saving_s=proved)


def _starts(
    search: _Search, deadline: Deadline, seed: int, start: Placement | None
) -> Iterator[InTurn]:
    """Placements to begin with; the first one in any case, the others while there is time."""
    instance, terms = search.instance, search.terms
    if start is not None and search.fetch is not None:
        # Best responses do not know of it.
        yield InTurn(start.cached(instance), None)
        return
    demand = merged_demand(instance)

    def both(first: InTurn, order: Sequence[int], until: Deadline) -> Iterator[InTurn]:
        yield first
        yield InTurn(ascend(instance, demand, first.cached, order, until)[1], None)

    order = tuple(range(instance.servers))
    if start is not None:
        yield from both(InTurn(start.cached(instance), None), order, deadline)
        return
    until = deadline.part(_START_SHARE)
    if instance.top_k == 1:
        placement = greedy(instance, limits=until.limits(), seed=seed).placement
        assert placement is not None
        yield from both(InTurn(placement.cached(instance), None), order, until)
    for order in server_orders(instance.servers, 4, np.random.default_rng(seed)):
        yield from both(in_turn(instance, order, deadline), order, until)
        if until.passed():
            return
    model = coverage_program(instance, terms)
    if len(model.linear.row_lower) <= _LP_ROWS:
        result = run_highs(model.linear, limits=until.limits(), relax=True)
        if result.values is not None:
            yield from both(InTurn(_by_value(instance, model, result.values), None), order, until)


def _by_value(instance: Instance, model: CoverageProgram, values: np.ndarray) -> BoolArray:
    """Fill every server with the pairs of the largest values of the relaxation."""
    x = np.zeros((instance.servers, instance.items))
    x[model.server, model.item] = values[: len(model.server)]
    orders = [np.argsort(-row, kind="stable")[: int((row > 1e-6).sum())] for row in x]
    return pack_in_order(instance, orders).cached(instance)


@dataclass(frozen=True, eq=False)
class _Part:
    """A neighbourhood: its free pairs, its model, and whether it is the whole instance."""

    free: BoolArray
    model: CoverageProgram
    whole: bool


class _Search:
    """What stays the same during a search."""

    def __init__(self, instance: Instance, seed: int, fetch: FetchLimit | None) -> None:
        self.instance = instance
        self.fetch = fetch
        self.terms = coverage_terms(instance)
        self.rng = np.random.default_rng(seed)
        first = np.cumsum([0] + [model.layers for model in instance.models])
        self.layer: IntArray = first[instance.item_model] + instance.item_layer
        self.layers = int(first[-1])
        # Terms of each layer, one layer after the other.
        of_term = self.layer[self.terms.expert_sets[self.terms.expert_set, 0]]
        self.term: IntArray = np.argsort(of_term, kind="stable")
        self.first: IntArray = np.searchsorted(of_term[self.term], np.arange(self.layers + 1))
        self.useful: BoolArray = self.terms.useful()
        # How much two servers serve the same terms.
        weight = np.bincount(
            self.terms.server_set,
            weights=self.terms.weight_s,
            minlength=len(self.terms.server_sets),
        )
        member = self.terms.server_sets.astype(np.float64)
        self.shared = member.T @ (weight[:, None] * member)

    def fits(self, cached: BoolArray) -> bool:
        """Whether no capacity is exceeded, and nothing too much is fetched."""
        used = cached @ self.instance.item_bytes
        if (used > self.instance.capacity_bytes).any():
            return False
        return self.fetch is None or self.fetch.allows(self.instance, cached)

    def without_useless(self, cached: BoolArray) -> BoolArray:
        """Drop copies that no paid term needs, server by server: room for better ones."""
        terms = self.terms
        cached = cached.copy()
        members = terms.expert_sets[terms.expert_set]
        pad = np.ones((len(terms.server_sets), 1), dtype=np.int64)
        for n in range(self.instance.servers):
            copies = np.hstack([terms.server_sets.astype(np.int64) @ cached, pad])
            mine = np.flatnonzero(terms.server_sets[terms.server_set, n])
            held = copies[terms.server_set[mine, None], members[mine]]
            paid = np.logical_and.reduce(held > 0, axis=1)
            only = (held == 1) & paid[:, None]
            needed = np.zeros(self.instance.items + 1, dtype=np.bool_)
            needed[members[mine][only]] = True
            cached[n] &= needed[:-1]
        return cached

    def neighbourhood(self, cached: BoolArray, size: float) -> _Part:
        """Choose about `size` placement columns at random, and model them."""
        N = self.instance.servers
        if N > 2 and self.rng.random() < 0.5:
            # Two or three servers that share users.
            first = int(self.rng.integers(N))
            near = self.shared[first] + 1e-12 * max(self.shared.max(), 1e-300)
            near[first] = 0.0
            count = int(self.rng.integers(1, min(3, N)))
            chance = near / near.sum()
            others = self.rng.choice(N, size=count, replace=False, p=chance)
            servers = np.append(others, first)
        else:
            servers = np.arange(N)
        columns = np.zeros(self.layers)
        np.add.at(columns, self.layer, self.useful[servers].sum(axis=0))
        order = self.rng.permutation(self.layers)
        taken = int(np.searchsorted(np.cumsum(columns[order]), size, side="right"))
        # Layers too large to be free as a whole: some experts of two of them.
        layers = np.isin(np.arange(self.layers), order[: taken or 2])
        part = self._terms_of(layers)
        items = np.flatnonzero(layers[self.layer])
        if not taken:
            count = max(1, int(size) // len(servers))
            items = self._some_items(cached, servers, items, part, count)
        free = np.zeros(cached.shape, dtype=np.bool_)
        free[np.ix_(servers, items)] = True
        return _Part(
            free=free,
            model=coverage_program(self.instance, part, free=free, fixed=cached, fetch=self.fetch),
            whole=len(servers) == N and taken == self.layers,
        )

    def _some_items(
        self, cached: BoolArray, servers: IntArray, items: IntArray, part: Terms, count: int
    ) -> IntArray:
        """Experts of random terms that do not pay yet, and as many that could make room."""
        members = part.expert_sets[part.expert_set]
        reached = np.logical_or.reduce(part.server_sets[:, servers], axis=1)[part.server_set]
        weight = np.where(~part.paid(cached) & reached, part.weight_s, 0.0)
        wanted = np.empty(0, dtype=np.int64)
        if weight.sum() > 0:
            drawn = members[self.rng.choice(len(weight), size=count, p=weight / weight.sum())]
            wanted = np.array(list(dict.fromkeys(drawn[drawn < part.items].tolist())))
        wanted = wanted[: max(count // 2, members.shape[1])]
        held = self.rng.permutation(items[cached[np.ix_(servers, items)].any(axis=0)])
        return np.unique(np.concatenate([wanted, held[: max(0, count - len(wanted))]]))

    def _terms_of(self, layers: BoolArray) -> Terms:
        """Terms of some layers."""
        picked = [
            self.term[self.first[k] : self.first[k + 1]] for k in np.flatnonzero(layers).tolist()
        ]
        return self.terms.part(np.concatenate(picked))


METHOD = Method(
    "local-search", "the best placement that time allows (any K)", local_search, uses_seed=True,
    guarantee=guarantee,
)  # fmt: skip
