"""What one server gains from the best k experts of each layer, given all other servers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..problem.arrays import sums
from ..problem.demand import Demand
from ..problem.errors import UnsupportedError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles of all layers of one model.

    Attributes
    ----------
    gain_s : float array [L, E + 1]
        Gain of a set of at most k experts of each layer, in seconds; never falls with k.
    upper_s : float array [L, E + 1]
        At least the gain of every set of k experts.
    members : bool array [L, E + 1, E]
        A set with the gain of `gain_s`.
    """

    gain_s: FloatArray
    upper_s: FloatArray
    members: BoolArray

    @property
    def exact(self) -> bool:
        """Whether the gains are proved to be the best."""
        return self.shortfall <= 1e-12

    @property
    def shortfall(self) -> float:
        """Largest share of the possible gain that a profile may miss, 0 if exact."""
        missed = np.divide(
            self.upper_s - self.gain_s,
            self.upper_s,
            out=np.zeros_like(self.gain_s),
            where=self.upper_s > 0,
        )
        return max(0.0, float(missed.max(initial=0.0)))

    def replaced(self, layers: IntArray, by: Profiles) -> Profiles:
        """The same with other profiles of some layers."""
        gain, upper, inside = self.gain_s.copy(), self.upper_s.copy(), self.members.copy()
        gain[layers], upper[layers], inside[layers] = by.gain_s, by.upper_s, by.members
        return Profiles(gain, upper, inside)


@dataclass(frozen=True, eq=False)
class LayerTerms:
    """One server's gain in one model as weighted sets of experts that must all be cached here.

    Attributes
    ----------
    layer : int array [T]
    experts : int array [T, K]
        Padded with E, in any column.
    weight_s : float array [T]
        > 0.
    """

    layer: IntArray
    experts: npt.NDArray[np.int64]
    weight_s: FloatArray

    def of_layers(self, layers: IntArray) -> LayerTerms:
        """The terms of some layers, ascending, numbered anew."""
        kept = np.isin(self.layer, layers)
        number = np.searchsorted(layers, self.layer[kept])
        return LayerTerms(number, self.experts[kept], self.weight_s[kept])


def layer_terms(
    instance: Instance, demand: Demand, server: int, model: int, table: FloatArray
) -> LayerTerms:
    """Split one server's gain in one model into terms.

    A request whose experts have the latencies ``c_1 >= c_2 >= ...`` now, and t at the server, gains
    ``rate * (max(c_j, t) - max(c_{j+1}, t))`` for every j whose first j experts are all cached
    here, where ``c_{K+1}`` is minus infinity.

    Parameters
    ----------
    instance : Instance
    demand : Demand
    server, model : int
    table : float array [U, I + 1]
        Latency of each item now, without this server; see `latency_table_s`.
    """
    spec = instance.models[model]
    first_item = int(instance.item_offset[model])
    set_model = instance.item_model[demand.sets[:, 0]]
    mine = np.flatnonzero(set_model[demand.expert_set] == model)
    here = instance.server_latency_s[demand.user[mine], server, model]
    latency = table[demand.user[mine, None], demand.sets[demand.expert_set[mine]]]
    helped = here < latency.max(axis=1, initial=0.0)
    mine, here, latency = mine[helped], here[helped], latency[helped]

    order = np.argsort(-latency, axis=1, kind="stable")
    reached = np.maximum(np.take_along_axis(latency, order, axis=1), here[:, None])
    step = reached - np.column_stack([reached[:, 1:], here])
    weight = demand.rate[mine, None] * step
    # A term is a set of the demand and which of its positions are in the prefix: the padding has
    # latency 0, comes last and adds nothing.
    K = demand.sets.shape[1]
    mask = np.bitwise_or.accumulate(np.left_shift(1, order), axis=1)
    row, column = np.nonzero(weight > 0)
    if K + len(demand.sets).bit_length() > 62:
        raise UnsupportedError(f"sets of {K} experts are too large for profiles")
    key = (demand.expert_set[mine[row]] << K) + mask[row, column]
    distinct, inverse = np.unique(key, return_inverse=True)
    items = demand.sets[distinct >> K] - first_item
    inside = (distinct[:, None] >> np.arange(K)) & 1 == 1
    return LayerTerms(
        layer=items[:, 0] // spec.experts,
        experts=np.where(inside, items % spec.experts, spec.experts),
        weight_s=sums(inverse, weight[row, column], len(distinct)),
    )
