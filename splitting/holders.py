"""Who holds an expert: shares of the sets of servers that may."""

from __future__ import annotations

import numpy as np

from ..problem.instance import BoolArray, FloatArray, IntArray
from ..problem.layers import Layer
from .simplex import onto_simplex

#: The least unit of a step, as a share of the weight of all terms with all their experts.
LEAST_UNIT = 1e-9


def needed_holders(sets: IntArray, servers: int, most: float = np.inf) -> IntArray:
    """Sets of servers in which each is the only one of some server set.

    Where experts may be held by such sets only nothing is lost: a server without a server set of
    its own brings nothing.

    Parameters
    ----------
    sets : int array [G]
        The server sets, as bits.
    servers : int
    most : float
        Where there are more than these, only some more of them are found.

    Returns
    -------
    int array [H]
        As bits, ascending, the empty set first.
    """
    every = np.zeros(1, dtype=np.int64)
    for n in range(servers):
        if len(every) > most:
            break
        # A subset of a needed set is needed, so sets may grow server by server.
        more = every | 1 << n
        met = more[:, None] & sets
        needed = np.ones(len(more), dtype=np.bool_)
        for m in range(n + 1):
            needed &= (met == 1 << m).any(axis=1) | (more >> m & 1 == 0)
        every = np.concatenate([every, more[needed]])
    return every


class Holders:
    """The experts of a layer, each with a share [H, E] for every set of servers that may hold it.

    What an expert can be worth is a maximum over these sets, so no expert is held in parts by
    servers that a server set sees together: tighter than shares of single servers
    (`single_servers`), where the sets are few enough.

    Parameters
    ----------
    layer : Layer
    holders : int array [H]
        Bits, see `needed_holders`.
    weight_s : float array [G, E]
        Of the terms of each server set with each expert.
    """

    def __init__(self, layer: Layer, holders: IntArray, weight_s: FloatArray) -> None:
        bits = np.arange(layer.servers)
        holders = holders[holders & (layer.most == 0) @ (1 << bits) == 0]
        within: BoolArray = (holders[:, None] >> bits) & 1 == 1
        self._held = within.astype(np.float64)
        self._meets = (self._held @ layer.terms.server_sets.T > 0).astype(np.float64)
        #: The unit of a share's steps: what its expert is part of.
        self._unit_s = np.maximum(weight_s.sum(axis=0), LEAST_UNIT * weight_s.sum())

    def start(self) -> FloatArray:
        """Nobody holds anything."""
        state = np.zeros((len(self._held), len(self._unit_s)))
        state[0] = 1.0
        return state

    def step(
        self, state: FloatArray, value_s: FloatArray, cost_s: FloatArray, up: float, down: float
    ) -> FloatArray:
        """Move the shares towards what is worth more.

        Parameters
        ----------
        state : float array
        value_s : float array [G, E]
            Of having an expert near a server set.
        cost_s : float array [N]
            Of holding an expert.
        up, down : float
            Steps of what is maximised, and of its multipliers, of which there are none here.
        """
        slope = self._meets @ value_s - (self._held @ cost_s)[:, None]
        return onto_simplex(state + slope * (up / self._unit_s))

    def near(self, state: FloatArray) -> FloatArray:
        """How much of each expert is near each server set; [G, E]."""
        near: FloatArray = self._meets.T @ state
        return near

    def share(self, state: FloatArray) -> FloatArray:
        """How much of each expert each server holds; [N, E]."""
        share: FloatArray = self._held.T @ state
        return share

    reached = near

    def squared(self, change: FloatArray) -> tuple[float, float]:
        """The squared lengths of a change of the shares, and of their multipliers."""
        return float(np.square(change).sum(axis=0) @ self._unit_s), 0.0

    def coupling(self, change: FloatArray) -> float:
        """What a change of the shares and of their multipliers have in common: nothing here."""
        return 0.0

    def worth_s(self, state: FloatArray, value_s: FloatArray, cost_s: FloatArray) -> float:
        """What all experts are worth at most, whatever the state is."""
        worth = self._meets @ value_s - (self._held @ cost_s)[:, None]
        return float(worth.max(axis=0).sum())
