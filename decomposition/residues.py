"""A number for each load of the servers, where only its remainders count."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..problem.instance import FloatArray, IntArray


class Residues(NamedTuple):
    """A table over counts [N], each times a step, modulo something.

    Attributes
    ----------
    value : float array [modulus[0], modulus[1], ...]
    modulus : int array [N]
    step : int array [N]
    """

    value: FloatArray
    modulus: IntArray
    step: IntArray

    def at(self, counts: IntArray) -> FloatArray:
        """The numbers of some counts [B, N]."""
        found: FloatArray = self.value[tuple((counts * self.step % self.modulus).T)]
        return found

    def with_more(self, most: int) -> list[Residues]:
        """The least number of some counts and 0, at most 1, ... at most `most` things more.

        A thing is one on some of the servers.
        """
        tables = [self]
        for _ in range(most):
            value = tables[-1].value
            for axis, step in enumerate(self.step.tolist()):
                value = np.minimum(value, np.roll(value, -step, axis=axis))
            tables.append(self._replace(value=value))
        return tables
