"""Method `decomposition`: columns of the layer decomposition, put together."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..guarantees import Guarantee, best_of
from ..heuristics.local_search import local_search
from ..heuristics.successive import InTurn, in_turn
from ..heuristics.successive import guarantee as in_turn_guarantee
from ..method import Deadline, Limits, Method, Outcome
from ..problem.instance import BoolArray, Instance
from ..problem.layers import split_layers
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..problem.terms import coverage_terms
from ..structure import Structure
from .blocks import in_blocks
from .column_generation import ColumnGeneration
from .dual import Dual
from .dual_bound import dual_bound
from .enumeration import Enumeration
from .incumbent import Incumbent
from .master import RestrictedMaster
from .parameters import DEFAULTS, Parameters
from .pool import LayerPool

#: A loss counts as the one that was allowed, but for rounding.
_CLEAR = 1e-3

#: A turn of columns and placements is worth another one if it closes so much of the gap, as a
#: share of the saving.
_FALLS = 1e-5

#: Blocks of experts are too coarse to close a smaller gap, as a share of the saving.
_FINE = 3e-3

#: So many numbers of blocks that do not help are enough.
_IDLE = 2


def price_and_round(
    instance: Instance,
    *,
    limits: Limits,
    seed: int,
    start: Placement | None = None,
    parameters: Parameters = DEFAULTS,
) -> Outcome:
    """Bound by layer decomposition, and choose among the columns that it meets.

    After every round of the bound the restricted master problem is solved as an integer program
    over all columns known so far, and the result improved by best responses of single servers. Once
    the bound is done, placements that lose little against it are enumerated, until the best one is
    proved or time is over. Where that cannot be, parts of the layers are solved on their own with
    the capacity that the others leave (dives). Layers too large to enumerate are solved with their
    experts in blocks, and searched in the end. Never worse than the start, by default `successive`
    as far as it gets in its share of the time.

    Parameters
    ----------
    instance : Instance
    limits : Limits
        Threads are processes. A gap counts against the method's own bound.
    seed : int
        Of the search that comes last, where layers are too large to enumerate.
    start : Placement, optional
    parameters : Parameters

    Returns
    -------
    Outcome
        Its ``meta`` has the number of columns, how many layers were bounded in which way, what the
        master's optimum rounded down is worth at least (``rounded_down``, see `RoundedDown`), and,
        if a gap was left and nothing could be enumerated, ``no_enumeration``: why.
    """
    deadline = limits.deadline()
    if start is None:
        part = deadline.part(parameters.start_share)
        first = in_turn(instance, range(instance.servers), part)
    else:
        first = InTurn(start.cached(instance), None)
    terms = coverage_terms(instance)
    layers = split_layers(instance, terms)
    meta: dict[str, Any] = {"server_share": first.share}
    with LayerPool(layers, limits, parameters) as pool:
        dual = Dual(RestrictedMaster(instance, layers), pool)
        incumbent = Incumbent(instance, terms, first.cached, dual, limits)
        meta |= _Rounding(instance, dual, incumbent, limits, deadline).run(seed)
    if (down := dual.master.rounded_down()) is not None:
        incumbent.take(down.cached)
        meta["rounded_down"] = down.told()
    stopped_by = StoppedBy.TIME if deadline.passed() else StoppedBy.FINISHED
    if incumbent.closed():
        stopped_by = StoppedBy.GAP if limits.gap > 0 else StoppedBy.FINISHED
    return Outcome(
        Placement.of(instance, incumbent.best),
        stopped_by,
        meta=meta | {"columns": len(dual.master), "pricing": dual.pricing},
        bound_saving_s=incumbent.bound_s,
    )


class _Rounding:
    """How the incumbent gets better."""

    def __init__(
        self,
        instance: Instance,
        dual: Dual,
        incumbent: Incumbent,
        limits: Limits,
        deadline: Deadline,
    ) -> None:
        self._instance, self._dual, self._incumbent = instance, dual, incumbent
        self._limits, self._deadline, self._parameters = limits, deadline, dual.pool.parameters

    def run(self, seed: int) -> dict[str, str]:
        """Take all steps until the gap is closed or time is over; what there is to tell."""
        until = self._deadline.part(self._parameters.bound_share)
        for bound_s in self._dual.split(until):
            self._limits.watch.tell(bound_saving_s=bound_s)
        generation = ColumnGeneration(self._dual, self._incumbent)
        if self._dual.pool.large:
            self._from_split(generation, seed)
        else:
            for done in generation.rounds(until):
                self._limits.watch.tell(bound_saving_s=done.bound_s)
                self._round_up()
                if self._incumbent.closed():
                    break
        if not self._dual.pool.layers or self._incumbent.closed():
            return {}
        told = self._enumerate()
        for least in () if self._dual.pool.large else self._parameters.dives:
            if not self._over():
                self._dive(least)
                self._round_up()
        return told

    def _from_split(self, generation: ColumnGeneration, seed: int) -> None:
        """All steps for large layers after their split, until none helps."""
        self._turn(generation)
        self._merge()
        if not self._over() and self._dual.relax():
            generation = ColumnGeneration(self._dual, self._incumbent)
            self._alternate(generation)
        falls = True
        while falls and not self._over():
            before = self._incumbent.gap_s
            self._search(seed)
            self._alternate(generation)
            falls = self._falls(before)

    def _merge(self) -> None:
        """Solve with the experts in blocks, few enough to be enumerated, until two did not help.

        Where few layers fit on a server the gap comes from what is left of its room: it goes to
        parts of layers that several servers share. Columns of single layers know nothing of that.
        """
        instance, incumbent, parameters = self._instance, self._incumbent, self._parameters
        idle = 0
        for count in parameters.blocks:
            before = incumbent.saving_s
            if idle == _IDLE or self._over() or incumbent.gap_s <= _FINE * before:
                return
            blocks = in_blocks(instance, self._dual.pool.layers, count)
            if blocks is None:
                continue
            part = self._deadline.part(parameters.blocks_share)
            limits = part.limits(threads=self._limits.threads)
            cached = blocks.expanded(self._solved(blocks.instance, limits))
            self._ascend(cached, parameters.ascent_share)
            idle += incumbent.saving_s <= before

    def _search(self, seed: int) -> None:
        """Search from the best placement."""
        limits, best = self._deadline.limits(threads=self._limits.threads), self._incumbent.best
        start = Placement.of(self._instance, best)
        found = local_search(self._instance, limits=limits, seed=seed, start=start).placement
        assert found is not None
        self._incumbent.take(found.cached(self._instance))

    def _over(self) -> bool:
        return self._incumbent.closed() or self._deadline.passed()

    def _round_up(self) -> None:
        """Put known columns together and ascend from there."""
        parameters = self._parameters
        limits = self._deadline.part(parameters.step_share).limits(nodes=parameters.master_nodes)
        placement = self._dual.master.rounded(limits, self._incumbent.best)
        self._ascend(placement, parameters.step_share)

    def _alternate(self, generation: ColumnGeneration) -> None:
        """Look for columns and put them together in turn, while that closes the gap."""
        falls = True
        while falls and not self._over():
            before = self._incumbent.gap_s
            self._turn(generation)
            falls = self._falls(before)

    def _turn(self, generation: ColumnGeneration) -> None:
        """Look for columns and put them together, after a split.

        Capacities may be missed, as best responses keep them afterwards; what these find are new
        columns.
        """
        parameters = self._parameters
        for done in generation.rounds(self._deadline.part(parameters.split_share)):
            self._limits.watch.tell(bound_saving_s=done.bound_s)
        for penalty in parameters.penalties:
            if self._over():
                return
            part = self._deadline.part(parameters.step_share)
            limits = part.limits(nodes=parameters.master_nodes)
            best = self._incumbent.best
            placement = self._dual.master.nearly_rounded(limits, best, penalty)
            self._ascend(placement, parameters.ascent_share)

    def _falls(self, before: float) -> bool:
        """Whether the gap is so much smaller than before that more of the same is worth it."""
        return before - self._incumbent.gap_s > _FALLS * self._incumbent.saving_s

    def _ascend(self, placement: BoolArray, share: float) -> None:
        """Ascend from a placement that is not the incumbent."""
        if not np.array_equal(placement, self._incumbent.best):
            self._incumbent.ascend(placement, self._deadline.part(share))

    def _enumerate(self) -> dict[str, str]:
        """Look at all placements in which no layer loses much against the bound, then at more.

        Returns what there is to tell.
        """
        incumbent, enumeration = self._incumbent, Enumeration(self._dual)
        if obstacle := enumeration.obstacle():
            return {"no_enumeration": obstacle}
        until = self._deadline.part(self._parameters.enumeration_share)
        loss = self._parameters.first_loss * incumbent.gap_s
        while not until.passed():
            found = enumeration.within(loss, incumbent.gap_s, until)
            if found is None:
                break
            incumbent.bounded_by(found.bound_s)
            if found.cached is not None:
                incumbent.take(found.cached)
            if incumbent.closed() or incumbent.proved_loss_s < loss * (1 - _CLEAR):
                break
            # With half of the gap all is looked at.
            most = 0.5 * incumbent.gap_s * (1 + _CLEAR)
            if loss >= most:
                break
            loss = min(self._parameters.loss_growth * loss, most)
        return {}

    def _dive(self, least: float) -> None:
        """Fix the layers on which the master has agreed, and solve the others on their own.

        There, columns fit the capacity that is left (diving: Sadykov, Vanderbeck, Pessoa, Tahiri,
        Uchoa 2019, doi:10.1287/ijoc.2018.0822).

        Parameters
        ----------
        least : float
            Share of the layers to fix, at least.
        """
        instance, layers = self._instance, self._dual.pool.layers
        fixed, free = self._dual.master.settled(least)
        if not free or len(free) == len(layers):
            return
        own = np.zeros(instance.items, dtype=np.bool_)
        for number in free:
            own[layers[number].own] = True
        rest = instance.replace(
            requests=instance.requests.part(np.flatnonzero(own[instance.request_items[:, 0]])),
            capacity_bytes=instance.capacity_bytes - fixed @ instance.item_bytes,
        )
        part = self._deadline.part(self._parameters.dive_share)
        limits = part.limits(threads=self._limits.threads)
        cached = fixed | self._solved(rest, limits)
        self._incumbent.ascend(cached, self._deadline.part(self._parameters.step_share))

    def _solved(self, smaller: Instance, limits: Limits) -> BoolArray:
        """Placement of a smaller instance by the same method, with fewer steps."""
        parameters = self._parameters
        fewer = dataclasses.replace(parameters, blocks=(), dives=parameters.dives[:1])
        found = price_and_round(smaller, limits=limits, seed=0, parameters=fewer).placement
        assert found is not None
        return found.cached(smaller)


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """That of `successive`, or what the master rounded down keeps of the bound.

    Of the layers at most as many are fractional in a basic optimum as capacities bind; without
    them, the others' columns are a placement (docs/guarantees.md).
    """
    known = in_turn_guarantee(structure, solution)
    down, bound_s = solution.meta.get("rounded_down"), solution.bound_saving_s
    if down is None or bound_s is None or bound_s <= 0:
        return known
    because = f"master of {down['layers']} layers, at most {down['binding']} of them rounded down"
    return best_of(known, Guarantee(min(1.0, down["least_saving_s"] / bound_s), because))


METHOD = Method(
    "decomposition", "columns of the layer decomposition, with its bound (any K)", price_and_round,
    uses_seed=True, guarantee=guarantee, bound=dual_bound,
)  # fmt: skip
