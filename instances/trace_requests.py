"""Recorded tokens become requests: each user follows one category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..problem.arrays import sums, unique_rows
from ..problem.errors import InputError
from ..problem.instance import FloatArray, IntArray, Requests

if TYPE_CHECKING:
    from .trace import Trace


@dataclass(frozen=True, eq=False)
class Followed:
    """What users ask for who follow a trace.

    Attributes
    ----------
    requests : Requests
        User by user. Rates are counted shares divided by the number of users: those of each layer
        sum to 1.
    user_category : int array [U]
    max_sets : int or None
    covered : list of float
        Share of the users' tokens that the sets of each layer cover.
    """

    requests: Requests
    user_category: IntArray
    max_sets: int | None
    covered: list[float]

    def meta(self, trace: Trace, source: str, split: Mapping[str, Any] | None) -> dict[str, Any]:
        """What an instance's ``meta`` tells about its trace.

        Parameters
        ----------
        trace : Trace
        source : str
            Name of its file.
        split : mapping, optional
            See `split_trace`.
        """
        tokens = np.bincount(trace.category, minlength=len(trace.categories))
        return {
            "source": source,
            **({"split": dict(split)} if split else {}),
            "tokens": len(trace.expert_ids),
            "user_category": [trace.categories[c] for c in self.user_category],
            "user_tokens": tokens[self.user_category].tolist(),
            "max_sets": self.max_sets,
            "covered_share": {
                "mean": float(np.mean(self.covered)) if self.covered else 1.0,
                "layers": self.covered,
            },
        }


def follow(
    trace: Trace, layers: int, user_category: IntArray, max_sets: int | None = None
) -> Followed:
    """Count the expert sets of each user's category.

    Parameters
    ----------
    trace : Trace
    layers : int
        The first so many.
    user_category : int array [U]
        Position in ``trace.categories``.
    max_sets : int, optional
        Keep only so many sets of each layer, those most frequent over all users.

    Raises
    ------
    InputError
        If `max_sets` is less than 1.
    """
    if max_sets is not None and max_sets < 1:
        raise InputError(f"max_sets: must be >= 1, got {max_sets}")
    parts, covered = [], []
    for layer in range(layers):
        rows, share = _layer_rows(trace, layer, user_category, max_sets)
        parts.append(rows)
        covered.append(share)
    user = np.concatenate([part.user for part in parts])
    order = np.argsort(user, kind="stable")
    requests = Requests(
        user=user[order],
        model=np.zeros(len(user), dtype=np.int32),
        layer=np.concatenate([part.layer for part in parts])[order],
        experts=np.concatenate([part.experts for part in parts])[order],
        rate=np.concatenate([part.rate for part in parts])[order],
    )
    return Followed(requests, user_category, max_sets, covered)


def _layer_rows(
    trace: Trace, layer: int, user_category: IntArray, max_sets: int | None
) -> tuple[Requests, float]:
    """Request rows of one layer, and the share of the users' tokens that they cover."""
    C = len(trace.categories)
    # The narrow dtype of the file sorts several times faster.
    sets, code = unique_rows(np.sort(trace.expert_ids[:, layer], axis=1))
    key, count = np.unique(trace.category * len(sets) + code, return_counts=True)
    category, set_number = key // len(sets), key % len(sets)
    share: FloatArray = count / np.bincount(trace.category, minlength=C)[category]
    covered = 1.0
    if max_sets is not None:
        weight = share * np.bincount(user_category, minlength=C)[category]
        total = sums(set_number, weight, len(sets))
        kept = np.zeros(len(sets), dtype=np.bool_)
        kept[np.argsort(-total, kind="stable")[:max_sets]] = True
        covered = float(total[kept].sum() / total.sum()) if total.sum() else 1.0
        keep = kept[set_number]
        category, set_number, share = category[keep], set_number[keep], share[keep]
    # Rows are sorted by category: each user takes their category's stretch.
    first = np.searchsorted(category, user_category, side="left")
    size = np.searchsorted(category, user_category, side="right") - first
    user = np.repeat(np.arange(len(user_category)), size)
    row = np.arange(len(user)) + np.repeat(first - (np.cumsum(size) - size), size)
    return (
        Requests(
            user=user.astype(np.int32),
            model=np.zeros(len(user), dtype=np.int32),
            layer=np.full(len(user), layer, dtype=np.int32),
            experts=sets[set_number[row]].astype(np.int32),
            rate=share[row] / max(len(user_category), 1),
        ),
        covered,
    )
