"""Which server caches which expert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .instance import BoolArray, Instance


@dataclass(frozen=True, eq=False)
class Placement:
    """An immutable placement; feasible or not, the evaluator tells.

    Parameters
    ----------
    cached : bool array [N, I]
        Whether each server caches each item.
    """

    cached: BoolArray

    def __post_init__(self) -> None:
        array = np.array(self.cached, dtype=np.bool_, order="C")
        if array.ndim != 2:
            raise InputError(f"placement: expected an array [N, I], got shape {array.shape}")
        array.flags.writeable = False
        object.__setattr__(self, "cached", array)

    def __repr__(self) -> str:
        servers, items = self.cached.shape
        return f"<Placement: {self.cached.sum()} cached, {servers} servers, {items} experts>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and np.array_equal(self.cached, other.cached)

    def __hash__(self) -> int:
        return hash((self.cached.shape, self.cached.tobytes()))

    @classmethod
    def empty(cls, instance: Instance) -> Placement:
        """Placement that caches nothing."""
        return cls(np.zeros((instance.servers, instance.items), dtype=np.bool_))

    @classmethod
    def from_rows(cls, instance: Instance, rows: Iterable[Sequence[int]]) -> Placement:
        """Placement from rows ``(server, model, layer, expert)``.

        Raises
        ------
        InputError
            If an index is out of range or a row is repeated.
        """
        cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
        for index, row in enumerate(rows):
            if len(row) != 4:
                raise InputError(f"placement[{index}]: expected [server, model, layer, expert]")
            server, model, layer, expert = row
            if not 0 <= server < instance.servers:
                raise InputError(f"placement[{index}]: server {server} is out of range")
            try:
                item = instance.item(model, layer, expert)
            except InputError as error:
                raise InputError(f"placement[{index}]: {error}") from None
            if cached[server, item]:
                raise InputError(f"placement[{index}]: row {list(row)} is repeated")
            cached[server, item] = True
        return cls(cached)

    def within_capacities(self, instance: Instance) -> Placement:
        """Drop the last experts of servers that hold too much; for results of solvers."""
        cached = self.cached.copy()
        while (over := np.flatnonzero(cached @ instance.item_bytes > instance.capacity_bytes)).size:
            cached[over[0], np.flatnonzero(cached[over[0]])[-1]] = False
        return Placement(cached)

    def rows(self, instance: Instance) -> list[list[int]]:
        """Sorted rows ``[server, model, layer, expert]``."""
        server, item = np.nonzero(self.cached)
        columns = (
            server,
            instance.item_model[item],
            instance.item_layer[item],
            instance.item_expert[item],
        )
        return np.stack(columns, axis=1).tolist()  # type: ignore[no-any-return]
