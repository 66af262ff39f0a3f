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
        self._look(generation)
        if not self._dual.pool.layers or self._incumbent.closed():
            return {}
        enumeration = Enumeration(self._dual)
        if enumeration.obstacle() and not generation.converged:
            # Dives would have little to go by, too.
            self._look(generation)
            enumeration = Enumeration(self._dual)
        obstacle = self._enumerate(enumeration)
        for least in self._parameters.dives:
            if not self._over():
                self._dive(least)
                self._round_up()
        return {"no_enumeration": obstacle} if obstacle and not self._incumbent.closed() else {}

    def _look(self, generation: ColumnGeneration) -> None:
        """Look for columns, and put them together after every round."""
        for done in generation.rounds(self._deadline.part(self._parameters.bound_share)):
            self._limits.watch.tell(bound_saving_s=done.bound_s)
            self._round_up()
            if self._incumbent.closed():
                break

    def _round_up(self) -> None:
        """Put known columns together and ascend from there."""
        placement = self._dual.master.rounded(self._master_limits(), self._incumbent.best)
        self._ascend(placement, self._parameters.step_share)

    def _enumerate(self, enumeration: Enumeration) -> str | None:
        """Look at all placements in which no layer loses much against the bound, then at more.

        Returns why nothing was proved, if that is so.
        """
        incumbent = self._incumbent
        if obstacle := enumeration.obstacle():
            return obstacle
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
        if incumbent.proved_loss_s > 0:
            return None
        return "no time was left" if until.passed() else "there are too many placements"

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
