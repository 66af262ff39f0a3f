"""Steps where a layer is too large to be enumerated."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ..heuristics.local_search import local_search
from ..problem.placement import Placement
from .blocks import in_blocks
from .column_generation import ColumnGeneration
from .steps import Steps

#: A turn of columns and placements is worth another one if it closes so much of the gap, as a
#: share of the saving.
_FALLS = 1e-5

#: Blocks of experts are too coarse to close a smaller gap, as a share of the saving.
_FINE = 3e-3

#: So many numbers of blocks that do not help are enough.
_IDLE = 2


class LargeLayers(Steps):
    """Prices by splits; a turn of columns; blocks; columns by relaxations; a local search."""

    def run(self, seed: int) -> dict[str, str]:
        """Take all steps until none helps; what there is to tell.

        Parameters
        ----------
        seed : int
            Of the search.
        """
        for bound_s in self._dual.split(self._deadline.part(self._parameters.bound_share)):
            self._limits.watch.tell(bound_saving_s=bound_s)
            if self._incumbent.closed():
                return {}
        generation = ColumnGeneration(self._dual, self._incumbent)
        self._turn(generation)
        self._merge()
        if not self._over() and self._dual.relax():
            generation = ColumnGeneration(self._dual, self._incumbent)
            self._repeat(lambda: self._turn(generation))
        seeds = count(seed)
        self._repeat(
            lambda: self._search(next(seeds)),
            lambda: self._repeat(lambda: self._turn(generation)),
        )
        return {} if self._incumbent.closed() else {"no_enumeration": "a layer is too large"}

    def _merge(self) -> None:
        """Solve with the experts in blocks, few enough for trees, until two did not help.

        Where few layers fit on a server the gap comes from what is left of its room: it goes to
        parts of layers that several servers share. Columns of single layers know nothing of that.
        """
        instance, incumbent, parameters = self._instance, self._incumbent, self._parameters
        idle = 0
        for number in parameters.blocks:
            before = incumbent.saving_s
            if idle == _IDLE or self._over() or incumbent.gap_s <= _FINE * before:
                return
            blocks = in_blocks(instance, self._dual.pool.layers, number)
            if blocks is None:
                continue
            limits = self._limits_of(parameters.blocks_share)
            cached = blocks.expanded(self._solve(blocks.instance, limits))
            self._ascend(cached, parameters.ascent_share)
            idle += incumbent.saving_s <= before

    def _search(self, seed: int) -> None:
        """Search from the best placement."""
        limits = self._deadline.limits(threads=self._limits.threads)
        start = Placement.of(self._instance, self._incumbent.best)
        found = local_search(self._instance, limits=limits, seed=seed, start=start).placement
        assert found is not None
        self._incumbent.take(found.cached(self._instance))

    def _turn(self, generation: ColumnGeneration) -> None:
        """Look for columns and put them together, after a split.

        Capacities may be missed, as best responses keep them afterwards; what these find are new
        columns.
        """
        parameters = self._parameters
        for done in generation.rounds(self._deadline.part(parameters.split_share)):
            self._limits.watch.tell(bound_saving_s=done.bound_s)
            if self._incumbent.closed():
                return
        for penalty in parameters.penalties:
            if self._over():
                return
            limits, best = self._master_limits(), self._incumbent.best
            placement = self._dual.master.nearly_rounded(limits, best, penalty)
            self._ascend(placement, parameters.ascent_share)

    def _repeat(self, *steps: Callable[[], None]) -> None:
        """Take steps in turn, again and again, while that closes much of the gap."""
        closes = True
        while closes and not self._over():
            before = self._incumbent.gap_s
            for step in steps:
                step()
            closes = before - self._incumbent.gap_s > _FALLS * self._incumbent.saving_s
