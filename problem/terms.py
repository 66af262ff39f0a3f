"""Coverage terms: the saving as a weighted sum of "these experts are all near enough"."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arrays import sums, unique_rows
from .demand import Demand, merged_demand
from .errors import InputError
from .instance import BoolArray, FloatArray, Instance, IntArray

#: Smallest weight of a term: sums and scales of smaller ones underflow or overflow. What is left
#: out by that is nothing beside the saving of any instance that is taken.
_LEAST_WEIGHT_S, _LEAST_SAVING_S = 1e-250, 1e-200


@dataclass(frozen=True, eq=False)
class Terms:
    """The saving of an instance as a sum of T weighted terms.

    Term t pays ``weight_s[t]`` if every expert of its expert set is cached by at least one server
    of its server set::

        saving(x) = sum_t weight_s[t] * prod_{i in A_t} max_{n in G_t} x[n, i]

    Terms with the same two sets are merged over all users and requests, which loses nothing.

    Attributes
    ----------
    expert_sets : int array [A, K]
        Distinct expert sets as ascending item numbers, padded with I.
    server_sets : bool array [G, N]
        Distinct server sets.
    expert_set, server_set : int array [T]
        The two sets of each term.
    weight_s : float array [T]
        Saving of each term in seconds, > 0.
    items : int
        Number of items I, the padding of `expert_sets`.
    """

    expert_sets: npt.NDArray[np.int32]
    server_sets: BoolArray
    expert_set: IntArray
    server_set: IntArray
    weight_s: FloatArray
    items: int

    def __len__(self) -> int:
        return len(self.weight_s)

    def sizes(self) -> IntArray:
        """Number of experts that each term needs; [T]."""
        size: IntArray = (self.expert_sets < self.items).sum(axis=1)
        return size[self.expert_set]

    def held(self, cached: BoolArray) -> BoolArray:
        """Whether a placement [N, I] provides each expert of each term; [T, K], padding too."""
        near = np.ones((len(self.server_sets), self.items + 1), dtype=np.bool_)
        near[:, :-1] = self.server_sets @ cached
        return near[self.server_set[:, None], self.expert_sets[self.expert_set]]

    def paid(self, cached: BoolArray) -> BoolArray:
        """Whether each term pays under a placement [N, I]; [T]."""
        paid: BoolArray = np.logical_and.reduce(self.held(cached), axis=1)
        return paid

    def saving_s(self, cached: BoolArray) -> float:
        """Saving in seconds of a placement [N, I]."""
        return float(self.weight_s[self.paid(cached)].sum())

    def useful(self) -> BoolArray:
        """Pairs of servers and items that some term can use; [N, I]."""
        used = np.zeros((len(self.server_sets), self.items + 1), dtype=np.bool_)
        used[self.server_set[:, None], self.expert_sets[self.expert_set]] = True
        useful: BoolArray = self.server_sets.T @ used[:, :-1]
        return useful

    def part(self, rows: IntArray) -> Terms:
        """Some of the terms; their sets keep their numbers."""
        return replace(
            self,
            expert_set=self.expert_set[rows],
            server_set=self.server_set[rows],
            weight_s=self.weight_s[rows],
        )


def coverage_terms(instance: Instance) -> Terms:
    """Build the coverage terms of an instance.

    For one user and model let ``b_0 < b_1 < ...`` be the distinct latencies of the servers, of the
    device and of the cloud. A request is served within ``b_j`` exactly when each of its experts
    that the device does not serve within ``b_j`` is cached by a server that is that fast. Each
    step from ``b_j`` to ``b_{j+1}`` below the request's latency without any cache is one term.

    A device slower than some server is treated exactly: below the device's own latency its experts
    still belong to the set.

    Returns
    -------
    Terms

    Raises
    ------
    InputError
        If all savings together are too small for floating point.
    """
    levels = _Levels(instance)
    demand = merged_demand(instance)
    sets, full_set, rest_set = _with_and_without_local(instance, demand)
    pair = demand.user * len(instance.models) + instance.item_model[sets[full_set, 0]]
    # A request that the device serves alone ends at the device's latency, else at the cloud's.
    alone = (sets[rest_set] == instance.items).all(axis=1)
    count = np.where(alone, levels.below_local[pair], levels.count[pair])
    row = np.repeat(np.arange(len(pair)), count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    level = levels.first[pair[row]] + step
    expert_set = np.where(step < levels.below_local[pair[row]], full_set[row], rest_set[row])
    weight = demand.rate[row] * levels.width_s[level]
    reachable = np.logical_or.reduce(levels.server_sets, axis=1)
    possible = reachable[levels.server_set[level]]
    useful = possible & (weight >= _LEAST_WEIGHT_S)
    if possible.any() and weight[possible].sum() < _LEAST_SAVING_S:
        raise InputError(
            f"requests.rate: all that can be saved is below {_LEAST_SAVING_S:g} s, "
            "too little to compute with"
        )
    key = expert_set * len(levels.server_sets) + levels.server_set[level]
    unique, inverse = np.unique(key[useful], return_inverse=True)
    kept_sets, expert_set = np.unique(unique // len(levels.server_sets), return_inverse=True)
    return Terms(
        expert_sets=sets[kept_sets],
        server_sets=levels.server_sets,
        expert_set=expert_set,
        server_set=unique % len(levels.server_sets),
        weight_s=sums(inverse, weight[useful], len(unique)),
        items=instance.items,
    )


class _Levels:
    """Latency steps of every (user, model) pair, one pair after the other.

    ``pair = user * M + model`` owns the levels ``first[pair] + (0 .. count[pair] - 1)``; the first
    ``below_local[pair]`` of them lie below the latency of the device.
    """

    def __init__(self, instance: Instance) -> None:
        M = len(instance.models)
        pairs = instance.users * M
        cloud = instance.cloud_latency_s.reshape(pairs)
        has_local = np.stack(
            [
                instance.local[:, a:b].any(axis=1)
                for a, b in zip(instance.item_offset[:-1], instance.item_offset[1:], strict=True)
            ],
            axis=1,
        ).reshape(pairs)
        device = np.minimum(instance.local_latency_s.reshape(pairs), cloud)
        device = np.where(has_local, device, np.inf)
        server = instance.server_latency_s.transpose(0, 2, 1).reshape(pairs, instance.servers)
        points = np.sort(np.column_stack([server, device, cloud]), axis=1)
        start, end = points[:, :-1], points[:, 1:]
        step: BoolArray = np.logical_and(start < end, end <= cloud[:, None])
        pair, column = np.nonzero(step)
        begin = start[pair, column]
        self.width_s: FloatArray = end[pair, column] - begin
        self.count: IntArray = step.sum(axis=1)
        self.first: IntArray = np.cumsum(self.count) - self.count
        self.below_local: IntArray = (step & (start < device[:, None]) & has_local[:, None]).sum(
            axis=1
        )
        in_reach = server[pair] <= begin[:, None]
        self.server_sets, self.server_set = unique_rows(in_reach)


def _with_and_without_local(
    instance: Instance, demand: Demand
) -> tuple[npt.NDArray[np.int32], IntArray, IntArray]:
    """All sets needed, and for each demand its full set and what of it its device does not hold."""
    if not instance.local.any():
        return demand.sets, demand.expert_set, demand.expert_set
    items = demand.sets[demand.expert_set]
    held = np.zeros(items.shape, dtype=np.bool_)
    inside = items < instance.items
    user = np.broadcast_to(demand.user[:, None], items.shape)
    held[inside] = instance.local[user[inside], items[inside]]
    rest = np.sort(np.where(held, instance.items, items), axis=1).astype(np.int32)
    sets, code = unique_rows(np.concatenate([demand.sets, rest]))
    return sets, code[demand.expert_set], code[len(demand.sets) :]
