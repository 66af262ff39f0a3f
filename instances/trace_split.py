"""Split a recorded trace by sequences: what the optimisation sees, and what it does not."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from ..problem.errors import InputError
from .streams import random_stream
from .trace import Trace

Part = Literal["train", "test"]


def split_trace(trace: Trace, test_share: float, seed: int, part: Part) -> Trace:
    """Take the training or the test part of a trace.

    Whole sequences go to one part: tokens of one sequence are alike. In each category the sequences
    are drawn at random; at least one stays for training, and one for testing. Categories of a
    single sequence cannot be split and are left out of both parts.

    Parameters
    ----------
    trace : Trace
    test_share : float
        Share of each category's sequences that is kept for testing, in (0, 1).
    seed : int
    part : {"train", "test"}

    Raises
    ------
    InputError
        If the share is out of range, the trace has no sequences, or no category has two.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test share: must be between 0 and 1, got {test_share}")
    if trace.sequence is None:
        raise InputError("test share: the trace does not tell the sequences of its tokens")
    rng = random_stream(seed, 4)
    kept: list[int] = []
    test = np.zeros(len(trace.category), dtype=np.bool_)
    for number in range(len(trace.categories)):
        mine = trace.category == number
        sequences = np.unique(trace.sequence[mine])
        if len(sequences) >= 2:
            count = min(max(1, round(test_share * len(sequences))), len(sequences) - 1)
            test |= mine & np.isin(trace.sequence, rng.permutation(sequences)[:count])
            kept.append(number)
    if not kept:
        raise InputError("test share: no category has two sequences")
    mine = np.isin(trace.category, kept) & (test == (part == "test"))
    return dataclasses.replace(
        trace,
        expert_ids=trace.expert_ids[mine],
        category=np.searchsorted(kept, trace.category[mine]),
        categories=tuple(trace.categories[number] for number in kept),
        sequence=trace.sequence[mine],
    )
