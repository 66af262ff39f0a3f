"""Which server caches which expert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .instance import BoolArray, Instance, IntArray

_COLUMNS = ("server", "model", "layer", "expert")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Placement:
    """An immutable placement; feasible or not, the evaluator tells.

    Parameters
    ----------
    rows : int array [P, 4], or as many sequences of four
        What is cached, as rows ``(server, model, layer, expert)``, each at most once.

    Raises
    ------
    InputError
        If a row has no four whole numbers, a negative one, or is repeated.
    """

    rows: IntArray

    def __init__(self, rows: IntArray | Iterable[Sequence[int]]) -> None:
        rows = _whole_numbers(rows)
        negative = np.flatnonzero((rows < 0).any(axis=1))
        if len(negative):
            row = int(negative[0])
            column = int((rows[row] < 0).argmax())
            raise _out_of_range(row, column, rows[row, column])
        order = np.lexsort(rows.T[::-1])
        same = np.flatnonzero((rows[order[1:]] == rows[order[:-1]]).all(axis=1))
        if len(same):
            # The sort is stable: the second of two is the later one.
            row = int(order[same + 1].min())
            raise InputError(f"placement[{row}]: row {rows[row].tolist()} is repeated")
        rows.flags.writeable = False
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Placement: {len(self)} cached experts>"

    def _repr_html_(self) -> str:
        # Late and upwards: notebooks alone draw, and Matplotlib takes its time.
        from ..reports.notebook import placement_html

        return placement_html(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and self._sorted() == other._sorted()

    def __hash__(self) -> int:
        return hash(self._sorted())

    def _sorted(self) -> tuple[tuple[int, ...], ...]:
        return tuple(sorted(map(tuple, self.rows.tolist())))

    @classmethod
    def of(cls, instance: Instance, cached: BoolArray) -> Placement:
        """Placement from an array [N, I]: whether each server caches each item.

        Raises
        ------
        InputError
            If the shape does not fit the instance.
        """
        shape = (instance.servers, instance.items)
        if cached.shape != shape:
            raise InputError(f"placement: shape {cached.shape} does not fit {shape}")
        server, item = np.nonzero(cached)
        columns = (instance.item_model, instance.item_layer, instance.item_expert)
        return cls(np.stack([server, *(column[item] for column in columns)], axis=1))

    @classmethod
    def empty(cls) -> Placement:
        """Placement that caches nothing."""
        return cls(np.zeros((0, 4), dtype=np.int64))

    def cached(self, instance: Instance) -> BoolArray:
        """Whether each server caches each item of an instance; [N, I].

        Raises
        ------
        InputError
            If a row does not fit the instance; the message names it.
        """
        server, model, layer, expert = self.rows.T
        cached = np.zeros((instance.servers, instance.items), dtype=np.bool_)
        layers = np.array([spec.layers for spec in instance.models])
        experts = np.array([spec.experts for spec in instance.models])
        known = np.minimum(model, len(instance.models) - 1)
        most = (instance.servers, len(instance.models), layers[known], experts[known])
        for column, end in enumerate(most):
            beyond = np.flatnonzero(self.rows[:, column] >= end)
            if len(beyond):
                row = int(beyond[0])
                raise _out_of_range(row, column, self.rows[row, column])
        cached[server, instance.item_offset[model] + layer * experts[model] + expert] = True
        return cached


def within_capacities(instance: Instance, cached: BoolArray) -> BoolArray:
    """Drop the last experts of servers that hold too much; for results of solvers."""
    cached = cached.copy()
    while (over := np.flatnonzero(cached @ instance.item_bytes > instance.capacity_bytes)).size:
        cached[over[0], np.flatnonzero(cached[over[0]])[-1]] = False
    return cached


def _whole_numbers(rows: IntArray | Iterable[Sequence[int]]) -> IntArray:
    """Rows of four whole numbers as an array of our own."""
    if not isinstance(rows, np.ndarray):
        listed: list[Any] = list(rows)
        for index, row in enumerate(listed):
            if len(row) != 4:
                raise InputError(f"placement[{index}]: expected [server, model, layer, expert]")
            for column, value in enumerate(row):
                if not -(2**63) <= value < 2**63:
                    raise _out_of_range(index, column, value)
        rows = np.array(listed).reshape(len(listed), 4)
    if rows.ndim != 2 or rows.shape[1] != 4 or (rows.size and rows.dtype.kind not in "iu"):
        raise InputError("placement: expected whole numbers [server, model, layer, expert]")
    return rows.astype(np.int64)


def _out_of_range(row: int, column: int, value: int) -> InputError:
    return InputError(f"placement[{row}]: {_COLUMNS[column]} {value} is out of range")
