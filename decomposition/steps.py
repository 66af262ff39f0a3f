"""What the steps of method `decomposition` have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..method import Deadline, Limits
from ..problem.instance import BoolArray, Instance
from .dual import Dual
from .incumbent import Incumbent

#: Placement [N, I] of a smaller instance.
Solve = Callable[[Instance, Limits], BoolArray]


class Steps:
    """Steps that make the incumbent better, until its gap is closed or time is over.

    Parameters
    ----------
    instance : Instance
    dual : Dual
    incumbent : Incumbent
    limits : Limits
    deadline : Deadline
        When their time is over.
    solve : callable
        Method `decomposition` with fewer steps, for smaller instances.
    """

    def __init__(
        self,
        instance: Instance,
        dual: Dual,
        incumbent: Incumbent,
        limits: Limits,
        deadline: Deadline,
        solve: Solve,
    ) -> None:
        self._instance, self._dual, self._incumbent = instance, dual, incumbent
        self._limits, self._deadline, self._parameters = limits, deadline, dual.pool.parameters
        self._solve = solve

    def _over(self) -> bool:
        return self._incumbent.closed() or self._deadline.passed()

    def _limits_of(self, share: float) -> Limits:
        """Limits of a step that gets a share of the time left."""
        return self._deadline.part(share).limits(threads=self._limits.threads)

    def _master_limits(self) -> Limits:
        """Limits of the master as an integer program, from now on."""
        parameters = self._parameters
        return self._deadline.part(parameters.step_share).limits(nodes=parameters.master_nodes)

    def _ascend(self, placement: BoolArray, share: float) -> None:
        """Ascend from a placement that is not the incumbent, in a share of the time left."""
        if not np.array_equal(placement, self._incumbent.best):
            self._incumbent.ascend(placement, self._deadline.part(share))
