"""Who holds an expert: shares of single servers, where their sets are too many."""

from __future__ import annotations

import numpy as np

from ..problem.instance import FloatArray
from ..problem.layers import Layer
from .holders import LEAST_UNIT


class SingleServers:
    """The experts of a layer, each with a share on every server.

    A state has three parts, one below the other: the shares ``x[n, e]``, how near an expert is to a
    server set, ``y[g, e]`` at most 1, and multipliers ``m[g, e] >= 0`` of that y is at most the sum
    of x over the set's servers.

    Parameters
    ----------
    layer : Layer
    weight_s : float array [G, E]
        Of the terms of each server set with each expert.
    """

    def __init__(self, layer: Layer, weight_s: FloatArray) -> None:
        self._sets = layer.terms.server_sets.astype(np.float64)
        G, N = self._sets.shape
        self._x, self._y, self._m = slice(0, N), slice(N, N + G), slice(N + G, N + 2 * G)
        useful = layer.terms.useful() & (layer.most > 0)[:, None]
        #: No share goes beyond these.
        self._most = np.concatenate([useful, weight_s > 0]).astype(np.float64)
        #: Units of the steps of x and y; those of m are the inverse of y's.
        unit = np.concatenate([self._sets.T @ weight_s, weight_s])
        self._unit_s = np.maximum(unit, LEAST_UNIT * weight_s.sum())

    def start(self) -> FloatArray:
        """Nobody holds anything."""
        return np.zeros((self._m.stop, self._most.shape[1]))

    def step(
        self, state: FloatArray, value_s: FloatArray, cost_s: FloatArray, up: float, down: float
    ) -> FloatArray:
        """Move the shares towards what is worth more, then their multipliers (`Holders.step`)."""
        following = np.empty_like(state)
        m = state[self._m]
        slope = np.concatenate([self._sets.T @ m - cost_s[:, None], value_s - m])
        shares = state[: self._y.stop]
        following[: self._y.stop] = np.clip(shares + slope * (up / self._unit_s), 0.0, self._most)
        ahead = 2 * following[: self._y.stop] - shares
        spare = self._sets @ ahead[self._x] - ahead[self._y]
        following[self._m] = np.maximum(m - down * self._unit_s[self._y] * spare, 0.0)
        return following

    def near(self, state: FloatArray) -> FloatArray:
        """How much of each expert is near each server set; [G, E]."""
        return state[self._y]

    def share(self, state: FloatArray) -> FloatArray:
        """How much of each expert each server holds; [N, E]."""
        return state[self._x]

    def reached(self, state: FloatArray) -> FloatArray:
        """How much of each expert the shares bring near each server set; [G, E]."""
        return np.minimum(self._sets @ state[self._x], 1.0)

    def squared(self, change: FloatArray) -> tuple[float, float]:
        """The squared lengths of a change of the shares, and of their multipliers."""
        square = np.square(change)
        shares = float((square[: self._y.stop] * self._unit_s).sum())
        return shares, float((square[self._m] / self._unit_s[self._y]).sum())

    def coupling(self, change: FloatArray) -> float:
        """What a change of the shares and of their multipliers have in common."""
        spare = self._sets @ change[self._x] - change[self._y]
        return float((change[self._m] * spare).sum())

    def worth_s(self, state: FloatArray, value_s: FloatArray, cost_s: FloatArray) -> float:
        """What all experts are worth at most, whatever the state is."""
        m = np.maximum(state[self._m], 0.0)
        worth = np.maximum(self._sets.T @ m - cost_s[:, None], 0.0) * self._most[self._x]
        return float(worth.sum() + np.maximum(value_s - m, 0.0).sum())
