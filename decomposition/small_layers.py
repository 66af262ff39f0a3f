"""Steps where all layers are small enough to be enumerated."""

from __future__ import annotations

import numpy as np

from .column_generation import ColumnGeneration
from .enumeration import Enumeration
from .steps import Steps

#: A loss counts as the one that was allowed, but for rounding.
_CLEAR = 1e-3


class SmallLayers(Steps):
    """Rounds of columns, each put together; the enumeration; dives."""

    def run(self) -> dict[str, str]:
        """Take all steps; what there is to tell."""
        generation = ColumnGeneration(self._dual, self._incumbent)
        for done in generation.rounds(self._deadline.part(self._parameters.bound_share)):
            self._limits.watch.tell(bound_saving_s=done.bound_s)
            self._round_up()
            if self._incumbent.closed():
                break
        if not self._dual.pool.layers or self._incumbent.closed():
            return {}
        told = self._enumerate()
        for least in self._parameters.dives:
            if not self._over():
                self._dive(least)
                self._round_up()
        return told

    def _round_up(self) -> None:
        """Put known columns together and ascend from there."""
        parameters = self._parameters
        limits = self._deadline.part(parameters.step_share).limits(nodes=parameters.master_nodes)
        placement = self._dual.master.rounded(limits, self._incumbent.best)
        self._ascend(placement, parameters.step_share)

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
        cached = fixed | self._solve(rest, self._limits_of(self._parameters.dive_share))
        self._incumbent.ascend(cached, self._deadline.part(self._parameters.step_share))
