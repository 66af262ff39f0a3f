"""What recorded routing is like: whether there is something that a cache could use."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..caches.hit_rates import belady_hit_rate, lru_hit_rate, static_hit_rate
from ..instances.set_law import poisson_weights
from ..instances.trace import Trace
from ..problem.arrays import unique_rows
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, IntArray

#: Tokens on which caches are simulated, at most.
CACHE_TOKENS = 20_000


@dataclass(frozen=True)
class Description:
    """Recorded routing in numbers; lists over n have experts 1 to E, means over the layers.

    Attributes
    ----------
    tokens, layers, top_k, experts : int
        E is the largest expert that was seen, and one more.
    sequences : int or None
    categories : list of str
    load_share : list of float
        Share of the load on the n most popular experts of a layer.
    load_quarter : list of float
        The same of the most popular quarter, layer by layer.
    distinct_sets, half_sets : float
        Different sets in a layer, and how many of the most frequent ones have half of the tokens.
    whole_set : list of float
        Chance that all K experts are among the n most popular.
    whole_set_independent : list of float
        The same if experts came together by popularity only: of the law of maximum entropy with
        the recorded marginals (Chen, Dempster, Liu 1994).
    category_distance : float or None
        Total variation between the loads of two categories: mean over layers, median over pairs.
    half_distance : float
        The same between the two halves: every other sequence, or the first tokens and the last.
    cache_tokens : int
        Tokens of the second half on which the caches were simulated: whole sequences from all over
        it, one after the other.
    cache_sizes : list of int
        Experts of a layer that fit.
    static, lru, belady : list of float
        Hit rates for each size: the most popular experts of the first half; least recently used;
        a cache that knows the future.
    """

    tokens: int
    layers: int
    top_k: int
    experts: int
    sequences: int | None
    categories: list[str]
    load_share: list[float]
    load_quarter: list[float]
    distinct_sets: float
    half_sets: float
    whole_set: list[float]
    whole_set_independent: list[float]
    category_distance: float | None
    half_distance: float
    cache_tokens: int
    cache_sizes: list[int]
    static: list[float]
    lru: list[float]
    belady: list[float]

    def __str__(self) -> str:
        """Tables for people."""
        half = max(1, round(self.experts / 2)) - 1
        quarter = max(1, round(self.experts / 4)) - 1
        told = "" if self.sequences is None else f" of {self.sequences} sequences"
        lines = [
            f"{self.tokens} tokens{told}, {self.layers} layers, top-{self.top_k} of "
            f"{self.experts} experts",
            f"load        the most popular quarter has {self.load_share[quarter]:.1%} "
            f"(layers: {min(self.load_quarter):.1%} to {max(self.load_quarter):.1%})",
            f"sets        {self.distinct_sets:.0f} different ones in a layer; {self.half_sets:.0f} "
            "of them have half of the tokens",
            f"together    all {self.top_k} are among the most popular half for "
            f"{self.whole_set[half]:.1%} of the tokens; by popularity only: "
            f"{self.whole_set_independent[half]:.1%}",
            f"halves      {self.half_distance:.3f} apart in their loads (total variation)",
        ]
        if self.category_distance is not None:
            lines.append(
                f"categories  {self.category_distance:.3f} apart, median of the pairs of "
                f"{len(self.categories)}"
            )
        lines += [
            "",
            f"hit rate of a cache in each layer on {self.cache_tokens} tokens, one after the other",
            "experts  share  static     lru  belady",
        ]
        rows = zip(self.cache_sizes, self.static, self.lru, self.belady, strict=True)
        lines += [
            f"{size:7d}  {size / self.experts:5.0%}  {static:6.1%}  {lru:6.1%}  {belady:6.1%}"
            for size, static, lru, belady in rows
        ]
        return "\n".join(lines)


def describe(trace: Trace) -> Description:
    """Describe recorded routing.

    Parameters
    ----------
    trace : Trace

    Raises
    ------
    InputError
        If there are less than two tokens.
    """
    T, L, K = trace.expert_ids.shape
    if T < 2:
        raise InputError("describe: needs at least two tokens")
    E = int(trace.expert_ids.max()) + 1
    counts = _counts(trace.expert_ids, E)
    order = np.argsort(-counts, axis=1, kind="stable")
    sorted_share = np.take_along_axis(counts, order, axis=1) / (T * K)
    load = sorted_share.cumsum(axis=1)
    whole, independent, distinct, half = [], [], [], []
    for layer in range(L):
        ids = trace.expert_ids[:, layer]
        rank = np.empty(E, dtype=np.int64)
        rank[order[layer]] = np.arange(E)
        whole.append(np.bincount(rank[ids].max(axis=1), minlength=E).cumsum() / T)
        independent.append(whole_set_chance(sorted_share[layer] * K, K))
        _, code = unique_rows(np.sort(ids, axis=1))
        covered = np.sort(np.bincount(code))[::-1].cumsum()
        distinct.append(len(covered))
        half.append(int(np.searchsorted(2 * covered, T)) + 1)
    first = _first_half(trace)
    learned = _counts(trace.expert_ids[first], E)
    tested = trace.expert_ids[~first]
    simulated = tested[_sample(trace, ~first)].astype(np.int64)
    sizes = np.unique(np.clip(np.round(np.arange(1, 10) / 10 * E).astype(np.int64), K, E))
    by_category = [
        _counts(trace.expert_ids[trace.category == c], E) for c in range(len(trace.categories))
    ]
    distances = [_distance(a, b) for a, b in combinations(by_category, 2)]
    return Description(
        tokens=T,
        layers=L,
        top_k=K,
        experts=E,
        sequences=None if trace.sequence is None else len(np.unique(trace.sequence)),
        categories=list(trace.categories),
        load_share=load.mean(axis=0).tolist(),
        load_quarter=load[:, max(1, round(E / 4)) - 1].tolist(),
        distinct_sets=float(np.mean(distinct)),
        half_sets=float(np.mean(half)),
        whole_set=np.mean(whole, axis=0).tolist(),
        whole_set_independent=np.mean(independent, axis=0).tolist(),
        category_distance=float(np.median(distances)) if distances else None,
        half_distance=_distance(learned, _counts(tested, E)),
        cache_tokens=len(simulated),
        cache_sizes=sizes.tolist(),
        static=static_hit_rate(simulated, learned, sizes).tolist(),
        lru=lru_hit_rate(simulated, E, sizes).tolist(),
        belady=belady_hit_rate(simulated, E, sizes).tolist(),
    )


def whole_set_chance(marginals: FloatArray, size: int) -> FloatArray:
    """Chance that a set lies in the first n experts, under the law of maximum entropy.

    Parameters
    ----------
    marginals : float array [E]
        Falling, between 0 and 1, of sum `size`.
    size : int

    Returns
    -------
    float array [E]
        For n = 1 to E.
    """
    E = len(marginals)
    chance: FloatArray = np.zeros(E)
    certain = int((marginals > 1 - 1e-9).sum())
    seen = int((marginals > 0).sum())
    left = size - certain
    if left <= 0 or seen == size:
        chance[size - 1 :] = 1
        return chance
    weight = poisson_weights(marginals[certain:seen], left, damped=True)
    # Elementary symmetric sums of the first weights, one more each time.
    sums = np.zeros(left + 1)
    sums[0] = 1.0
    for place, w in enumerate(weight, certain):
        sums[1:] += w * sums[:-1]
        chance[place] = sums[left]
    chance[seen:] = sums[left]
    chance /= sums[left]
    return chance


def _counts(ids: IntArray, experts: int) -> IntArray:
    """How often each expert of each layer was used; [L, E]."""
    return np.stack([np.bincount(layer.ravel(), minlength=experts) for layer in ids.swapaxes(0, 1)])


def _distance(a: IntArray, b: IntArray) -> float:
    """Total variation between two loads [L, E], mean over the layers."""
    shares = [table / table.sum(axis=1, keepdims=True) for table in (a, b)]
    return float(np.abs(shares[0] - shares[1]).sum(axis=1).mean() / 2)


def _first_half(trace: Trace) -> BoolArray:
    """Every other sequence; or the first half of the tokens, where there is one sequence only."""
    T = len(trace.expert_ids)
    half: BoolArray = np.arange(T) < T // 2
    if trace.sequence is not None:
        _, number = np.unique(trace.sequence, return_inverse=True)
        if number.max() > 0:
            half = number % 2 == 0
    return half


def _sample(trace: Trace, part: BoolArray) -> IntArray:
    """Tokens of a part, at most `CACHE_TOKENS`: whole sequences from all over it."""
    tokens = int(part.sum())
    if trace.sequence is None:
        return np.arange(min(tokens, CACHE_TOKENS))
    _, number = np.unique(trace.sequence[part], return_inverse=True)
    every = -(-tokens // CACHE_TOKENS)
    if number.max() + 1 < every:
        every = 1
    return np.flatnonzero(number % every == 0)[:CACHE_TOKENS]
