"""What is no routed token is left out and counted: dense layers, padding, cached prefixes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..problem.errors import InputError
from .recording import Block, Integers

#: Experts of a layer are fewer than this; blocks are kept as 16-bit numbers.
MAX_EXPERTS = 2**16


class Cleaner:
    """Turn blocks of readers into tokens that all have the same layers and K distinct experts.

    The first routed token tells which layers are dense and what K is.

    Attributes
    ----------
    tokens : int
        Tokens kept.
    unrouted : int
        Tokens left out because no layer routed them: padding, or a prefix that was cached.
    incomplete : int
        Tokens left out because some layer did not route them.
    largest : int
        Largest expert so far.
    top_k : int
        K; 0 before the first routed token.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.unrouted = 0
        self.incomplete = 0
        self.largest = -1
        self._routed: npt.NDArray[np.bool_] | None = None
        self.top_k = 0
        self._seen = 0

    @property
    def layers(self) -> int:
        """Layers kept."""
        return 0 if self._routed is None else int(self._routed.sum())

    @property
    def dense_layers(self) -> int:
        """Layers left out because they route nothing."""
        return 0 if self._routed is None else int((~self._routed).sum())

    def clean(self, path: str | Path, block: Block, *, zeros_are_absent: bool) -> Block:
        """Leave out what is not routed, and check what is.

        Parameters
        ----------
        path : path
            For messages.
        block : Block
        zeros_are_absent : bool
            See `Tokens`.

        Raises
        ------
        InputError
            If experts are repeated or out of range, or tokens differ in their layers or K.
        """
        ids = block.ids
        self.incomplete += block.incomplete
        if ids.ndim != 3 or ids.dtype.kind not in "iu" or 0 in ids.shape[1:]:
            raise InputError(f"{path}: expected whole numbers [tokens, layers, K]")
        first, self._seen = self._seen, self._seen + len(ids)
        if not len(ids):
            return block
        if ids.min() < -1 or ids.max() >= MAX_EXPERTS:
            token, layer, column = np.argwhere((ids < -1) | (ids >= MAX_EXPERTS))[0]
            raise InputError(
                f"{path}: token {first + token}, layer {layer}: expert {ids[token, layer, column]}"
            )
        absent = self._absent(path, ids, first, zeros_are_absent)
        gone = absent.all(axis=1)
        if self._routed is None:
            if gone.all():
                self.unrouted += len(ids)
                return Block(ids[:0], None if block.sequence is None else block.sequence[:0])
            example = int(np.argmin(gone))
            self._routed = ~absent[example]
            self.top_k = int((ids[example, np.argmin(absent[example])] >= 0).sum())
        if ids.shape[1] != len(self._routed):
            raise InputError(
                f"{path}: {ids.shape[1]} layers, but {len(self._routed)} in what was read before"
            )
        if ids.shape[2] < self.top_k:
            raise InputError(f"{path}: {ids.shape[2]} experts, but {self.top_k} before")
        strange = np.argwhere(~absent & ~self._routed)
        if len(strange):
            token, layer = strange[0]
            raise InputError(
                f"{path}: token {first + token}, layer {layer}: has experts, but the first routed "
                "token has none there"
            )
        missing = absent[:, self._routed].any(axis=1)
        self.unrouted += int(gone.sum())
        self.incomplete += int((missing & ~gone).sum())
        keep = ~missing
        if not keep.all() or not self._routed.all():
            ids = ids[keep][:, self._routed]
        self._check(path, ids, first + np.flatnonzero(keep))
        ids = ids[:, :, : self.top_k]
        self.tokens += len(ids)
        if len(ids):
            self.largest = max(self.largest, int(ids.max()))
        return Block(ids, None if block.sequence is None else block.sequence[keep])

    def _check(self, path: str | Path, ids: Integers, token: Integers) -> None:
        """Refuse rows that are not K distinct experts and then padding."""
        assert self._routed is not None
        layers = np.flatnonzero(self._routed)
        # Column by column: reducing over an axis as short as K is several times slower.
        columns = np.ascontiguousarray(ids.transpose(2, 0, 1))
        wrong = (columns[: self.top_k] < 0).any(axis=0) | (columns[self.top_k :] >= 0).any(axis=0)
        if wrong.any():
            row, layer = np.argwhere(wrong)[0]
            raise InputError(
                f"{path}: token {token[row]}, layer {layers[layer]}: expected {self.top_k} "
                "experts, as in the first routed token"
            )
        repeated = np.zeros(wrong.shape, dtype=np.bool_)
        for one, other in itertools.combinations(columns[: self.top_k], 2):
            repeated |= one == other
        if repeated.any():
            row, layer = np.argwhere(repeated)[0]
            raise InputError(
                f"{path}: token {token[row]}, layer {layers[layer]}: an expert is repeated"
            )

    @staticmethod
    def _absent(path: str | Path, ids: Integers, first: int, zeros: bool) -> npt.NDArray[np.bool_]:
        """Rows that route nothing: -1 throughout, or zeros where K experts should be distinct."""
        absent = ids[:, :, 0] < 0
        if absent.any():
            token, layer = np.nonzero(absent)
            torn = np.flatnonzero((ids[token, layer] >= 0).any(axis=1))
            if len(torn):
                token, layer = token[torn[0]], layer[torn[0]]
                raise InputError(
                    f"{path}: token {first + token}, layer {layer}: -1 before an expert"
                )
        if zeros and ids.shape[2] > 1:
            # Few rows begin with 0: only these are looked at closely.
            token, layer = np.nonzero(ids[:, :, 0] == 0)
            absent[token, layer] = (ids[token, layer] == 0).all(axis=1)
        return absent
