"""Variables for "some server of a set caches this item", shared by all rows that ask for it."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from ..problem.terms import Terms
from .placement_block import linear


class Availability:
    """Looks up, and adds where there is none yet, the variable of a server set and an item.

    ``available[g, i]`` is at most 1 and, by ``reach[g, i]``, at most the sum of x over the servers
    of set g. No column is added where one says the same already: x itself for a single server, and
    z of the term that asks for this item alone.

    Parameters
    ----------
    model : pyomo.ConcreteModel
        With ``z``; gets ``available`` and ``reach``.
    terms : Terms
    x : dict
        Variable of each useful (server, item).
    """

    def __init__(
        self, model: pyo.ConcreteModel, terms: Terms, x: dict[tuple[int, int], pyo.Var]
    ) -> None:
        self._model = model
        self._x = x
        self._members = [np.flatnonzero(row).tolist() for row in terms.server_sets]
        model.available = pyo.Var(pyo.Any, bounds=(0, 1), dense=False)
        model.reach = pyo.Constraint(pyo.Any)
        self._sums: dict[tuple[int, int], list[pyo.Var]] = {}
        self._variable: dict[tuple[int, int], pyo.Var] = {}
        alone = np.flatnonzero(terms.sizes() == 1)
        keys = zip(
            terms.server_set[alone].tolist(),
            terms.expert_sets[terms.expert_set[alone], 0].tolist(),
            strict=True,
        )
        for t, key in zip(alone.tolist(), keys, strict=True):
            self._variable[key] = model.z[t]

    def servers(self, server_set: int, item: int) -> list[pyo.Var]:
        """Placement variables of an item on the servers of a set."""
        key = (server_set, item)
        if key not in self._sums:
            # A pair without a variable can help nobody who asks for the item.
            self._sums[key] = [
                self._x[n, item] for n in self._members[server_set] if (n, item) in self._x
            ]
        return self._sums[key]

    def __call__(self, server_set: int, item: int) -> pyo.Var:
        """Variable of a server set and an item."""
        key = (server_set, item)
        if key not in self._variable:
            servers = self.servers(server_set, item)
            if len(servers) == 1:
                self._variable[key] = servers[0]
            else:
                column = self._model.available[key]
                self._model.reach[key] = (
                    None,
                    linear([1.0] + [-1.0] * len(servers), [column, *servers]),
                    0,
                )
                self._variable[key] = column
        return self._variable[key]
