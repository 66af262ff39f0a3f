"""Where labels of points hide least: beside, above or below each."""

from __future__ import annotations

import numpy as np

from ..problem.instance import FloatArray

#: Right, left, above, below, and the corners: what readers expect first comes first.
_DIRECTIONS = np.array(
    [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)], dtype=np.float64
)

#: Space between a label and its point.
_SPACE = 1.5


def label_places(
    points: FloatArray, others: FloatArray, labels: FloatArray, size: float, other_size: float
) -> FloatArray:
    """Offset of each label's middle from its point, chosen one after the other.

    All lengths in the same unit. Each label takes the direction in which it overlaps least with
    squares around the points and the others, and with the labels before it.

    Parameters
    ----------
    points : float array [P, 2]
        With labels.
    others : float array [Q, 2]
        Without labels.
    labels : float array [P, 2]
        Width and height of each label.
    size, other_size : float
        Sides of the squares around the points and the others.

    Returns
    -------
    float array [P, 2]
    """
    middle = np.concatenate([points, others])
    half = np.concatenate(
        [np.full((len(points), 2), size / 2), np.full((len(others), 2), other_size / 2)]
    )
    offsets = np.zeros_like(points)
    for k, (point, label) in enumerate(zip(points, labels, strict=True)):
        tried = _DIRECTIONS * ((size + label) / 2 + _SPACE)
        apart = np.abs((point + tried)[:, None] - middle)
        shared = np.clip(label / 2 + half - apart, 0.0, None).prod(axis=2).sum(axis=1)
        offsets[k] = tried[int(shared.argmin())]
        middle = np.concatenate([middle, [point + offsets[k]]])
        half = np.concatenate([half, [label / 2]])
    return offsets
