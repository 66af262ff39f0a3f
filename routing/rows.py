"""Rows (token, layer, experts) in the order in which an engine wrote them become tokens.

Engines write the layers of a prompt one after the other, each for all tokens, and generated tokens
one after the other. Rows wait on the disk until the layers of the model are known; then they are
read in parts, and a token is handed over when all of its layers are there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..problem.errors import InputError
from ..problem.sizes import MAX_INT
from .recording import BLOCK_NUMBERS, Block, Integers

#: Rows of one group that may be waiting: a prompt of 170,000 tokens in 48 layers.
MAX_WAITING_ROWS = 2**23

#: Layers of a model.
_MAX_LAYERS = 2**12


class Rows:
    """Rows on the disk, in groups that follow one another.

    Parameters
    ----------
    path : path
        Where the rows come from, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._layers = np.zeros(0, dtype=np.int64)
        self._top_k: int | None = None

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, group: Integers, token: Integers, layer: Integers, experts: Integers) -> None:
        """Add rows.

        Parameters
        ----------
        group, token, layer : int array [rows]
            The group never falls; a token and a layer come once in a group.
        experts : int array [rows, K]

        Raises
        ------
        InputError
            If a number is out of range, or K changes.
        """
        if self._top_k is None:
            self._top_k = experts.shape[1]
        if experts.shape[1] != self._top_k:
            raise InputError(f"{self._path}: rows differ in how many experts they have")
        rows = np.column_stack([group, token, layer, experts])
        if rows.size and (rows.max() > MAX_INT or rows.min() < -MAX_INT or layer.min() < 0):
            raise InputError(f"{self._path}: a token, layer or expert is out of range")
        self._layers = np.union1d(self._layers, layer)
        if len(self._layers) > _MAX_LAYERS:
            raise InputError(f"{self._path}: more than {_MAX_LAYERS} layers")
        try:
            self._file.write(np.ascontiguousarray(rows, dtype=np.int32).data)
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from None

    def tokens(self) -> Iterator[Block]:
        """Tokens in the order of groups and tokens; their sequence is the group.

        Raises
        ------
        InputError
            If a token comes back after the tokens behind it, a row is repeated, or too many rows
            wait.
        """
        if self._top_k is None:
            raise InputError(f"{self._path}: no rows")
        width = 3 + self._top_k
        self._file.seek(0)
        waiting = np.zeros((0, width), dtype=np.int32)
        last = (-1, -1)
        while True:
            # As much again as is waiting: sorting stays proportional to what is read.
            count = max(BLOCK_NUMBERS // width, len(waiting))
            read = np.frombuffer(self._file.read(4 * count * width), dtype=np.int32)
            waiting = np.concatenate([waiting, read.reshape(-1, width)])
            if not len(waiting):
                break
            waiting = waiting[np.lexsort((waiting[:, 2], waiting[:, 1], waiting[:, 0]))]
            if last >= (int(waiting[0, 0]), int(waiting[0, 1])):
                raise InputError(
                    f"{self._path}: token {waiting[0, 1]} comes back after others of its sequence"
                )
            first, whole = self._whole(waiting)
            end = len(first) if not len(read) else self._ready(waiting, first, whole)
            bounds = np.append(first, len(waiting))
            keep = np.flatnonzero(whole[:end])
            row = (bounds[keep][:, None] + np.arange(len(self._layers))).ravel()
            ids = waiting[row, 3:].reshape(len(keep), len(self._layers), self._top_k)
            yield Block(ids, waiting[bounds[keep], 0], end - len(keep))
            if end:
                last = (int(waiting[first[end - 1], 0]), int(waiting[first[end - 1], 1]))
            waiting = waiting[bounds[end] :]
            if len(waiting) > MAX_WAITING_ROWS:
                raise InputError(
                    f"{self._path}: over {MAX_WAITING_ROWS} rows wait for tokens that are not "
                    "complete; name the sequences, or write token after token"
                )

    def _whole(self, rows: Integers) -> tuple[Integers, Integers]:
        """First row of each token, and whether it has all layers."""
        new = (np.diff(rows[:, :2], axis=0) != 0).any(axis=1)
        twice = np.flatnonzero(~new & (np.diff(rows[:, 2]) == 0))
        if len(twice):
            _, token, layer, *_ = rows[twice[0]].tolist()
            raise InputError(f"{self._path}: token {token}, layer {layer}: recorded twice")
        first = np.append(0, np.flatnonzero(new) + 1)
        return first, np.diff(np.append(first, len(rows))) == len(self._layers)

    @staticmethod
    def _ready(rows: Integers, first: Integers, whole: Integers) -> int:
        """Tokens that no later row can belong to, or come before.

        Those of all groups but the last, and the whole ones at the beginning of the last.
        """
        begin = int(np.searchsorted(rows[first, 0], rows[-1, 0]))
        torn = np.flatnonzero(~whole[begin:])
        return begin + int(torn[0]) if len(torn) else len(first)
