"""One layer with slots as an integer program, where it is small."""

from __future__ import annotations

import numpy as np

from ..linear.coverage_program import slots_program
from ..linear.highs import run_highs
from ..method import Deadline
from ..problem.instance import BoolArray
from ..problem.layers import Layer
from ..problem.solution import StoppedBy

#: Rows up to which a layer is solved, and nodes that it may take: not seconds, so that the same
#: seed gives the same placements on any machine.
_ROWS, _NODES = 3000, 2000


def solved(
    layer: Layer, slots: int, start: BoolArray, seed: int, deadline: Deadline
) -> tuple[BoolArray, bool]:
    """Solve a layer from a placement [N, E] that has the slots.

    Returns
    -------
    bool array [N, E]
        The best placement known.
    bool
        Whether it is proved to be the best with these slots.
    """
    terms = layer.terms
    if int(terms.sizes().sum()) > _ROWS:
        return start, False
    program = slots_program(terms, slots, layer.servers)
    result = run_highs(
        program.linear, limits=deadline.limits(nodes=_NODES), seed=seed, start=program.start(start)
    )
    best = start
    if result.values is not None:
        found = _filled(program.placed(result.values, np.zeros_like(start)), slots)
        complete = bool(found.any(axis=0).all()) and bool((found.sum(axis=1) == slots).all())
        if complete and terms.saving_s(found) > terms.saving_s(start):
            best = found
    return best, result.stopped_by is StoppedBy.PROOF


def _filled(cached: BoolArray, slots: int) -> BoolArray:
    """Put more copies into empty slots, which costs nothing."""
    for held in cached:
        held[np.flatnonzero(~held)[: max(0, slots - int(held.sum()))]] = True
    return cached
