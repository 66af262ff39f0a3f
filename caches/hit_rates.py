"""Hit rates of caches that hold some experts of each layer, on recorded tokens.

A token needs its K experts of a layer at once: those that the cache holds before the token are
hits, then all K are in the cache. Every layer has a cache of its own, all of the same size.
"""

from __future__ import annotations

import numpy as np

from ..problem.instance import FloatArray, IntArray
from .next_use import next_use

#: Numbers of an intermediate array.
_BLOCK_NUMBERS = 2**24


def static_hit_rate(ids: IntArray, counts: IntArray, sizes: IntArray) -> FloatArray:
    """Hit rate of the experts that were used most before.

    Parameters
    ----------
    ids : int array [T, L, K]
    counts : int array [L, E]
        Earlier use.
    sizes : int array [S]
        Experts of a layer that fit.

    Returns
    -------
    float array [S]
    """
    order = np.argsort(-counts, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(counts.shape[1])[None, :], axis=1)
    found = rank[np.arange(len(counts))[None, :, None], ids]
    below = np.bincount(found.ravel(), minlength=counts.shape[1]).cumsum()
    return below[sizes - 1] / ids.size


def lru_hit_rate(ids: IntArray, experts: int, sizes: IntArray) -> FloatArray:
    """Hit rate of the experts that were used last; the cache begins empty.

    An expert hits if fewer than the cache's size were used since its last use. Of one token, the
    experts are used in the order in which they stand.

    Returns
    -------
    float array [S]
    """
    T, L, K = ids.shape
    depth = np.zeros(experts + 1, dtype=np.int64)
    rows = max(1, _BLOCK_NUMBERS // (experts * K))
    for layer in range(L):
        before = np.full(experts, -1)
        for begin in range(0, T, rows):
            part = ids[begin : begin + rows, layer]
            time = (begin + np.arange(len(part)))[:, None] * K + np.arange(K)
            used = np.full((len(part) + 1, experts), -1)
            used[0] = before
            used[np.arange(1, len(part) + 1)[:, None], part] = time
            np.maximum.accumulate(used, axis=0, out=used)
            before = used[-1].copy()
            last = np.take_along_axis(used[:-1], part, axis=1)
            newer = (used[:-1, None, :] > last[:, :, None]).sum(axis=2)
            depth += np.bincount(np.where(last < 0, experts, newer).ravel(), minlength=experts + 1)
    return depth.cumsum()[sizes - 1] / ids.size


def belady_hit_rate(ids: IntArray, experts: int, sizes: IntArray) -> FloatArray:
    """Hit rate of a cache that knows the future; no cache that begins empty hits more often.

    After each token it keeps those of its experts and the token's that are needed soonest
    (Belady 1966, doi:10.1147/sj.52.0078).

    Returns
    -------
    float array [S]
    """
    T, L, _ = ids.shape
    layer = np.arange(L)[:, None]
    keys = layer * experts + ids
    following = next_use(keys.reshape(T, -1), T).reshape(ids.shape)
    need = np.full((L, experts), T)
    held = np.zeros((len(sizes), L, experts), dtype=np.bool_)
    hits = np.zeros(len(sizes), dtype=np.int64)
    for token in range(T):
        used = ids[token]
        hits += held[:, layer, used].sum(axis=(1, 2))
        held[:, layer, used] = True
        need[layer, used] = following[token]
        # What a full cache must give up: what is needed last, at most K of each layer.
        excess = held.sum(axis=2) - sizes[:, None]
        size, of = np.nonzero(excess > 0)
        while len(size):
            victim = np.where(held[size, of], need[of], -1).argmax(axis=1)
            held[size, of, victim] = False
            excess[size, of] -= 1
            more = excess[size, of] > 0
            size, of = size[more], of[more]
    return hits / ids.size
