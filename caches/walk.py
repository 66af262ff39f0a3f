"""The loop of the simulation: token by token, layer by layer, expert by expert.

What was asked before decides what is held now, so this is no work for NumPy. Arrays are flat: Numba
compiles the loop where it is installed, and elsewhere it runs on lists, with the same results.
A *key* is a server's copy of an item: server * items + item.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .compiled import compiled

LRU, LFU, GDS, BELADY, WINDOW = range(5)

#: What a server has of an item: nothing, in its cache, or in its static part.
ABSENT, CACHED, STATIC = range(3)

#: What a user has of an item.
ON_DEVICE, ASKED = 1, 2

#: What an expert is to a cache: not asked for or in the static part, there, not there.
PASSED, HAD, LACKED = range(3)

#: Who serves an expert.
DEVICE, HOME, OTHER, CLOUD = range(4)
NODES = 4

#: Numbers in a flat sequence: a NumPy array, or a list.
Flat = Any


class World(NamedTuple):
    """Who is where.

    Attributes
    ----------
    layers, experts, top_k, servers : int
    home : [U]
        Each user's home server, -1 without.
    near, reach : [U * N]
        Each user's servers from the fastest on, and their latencies in seconds.
    device, cloud : [U]
        Latencies of each user's device and of the cloud in seconds.
    own : [U * I]
        Sum of `ON_DEVICE`, if the device serves the item as fast as the cloud, and `ASKED`, if the
        user asks its home server for it.
    """

    layers: int
    experts: int
    top_k: int
    servers: int
    home: Flat
    near: Flat
    reach: Flat
    device: Flat
    cloud: Flat
    own: Flat


class Stream(NamedTuple):
    """What comes, in the order of time.

    Attributes
    ----------
    ids : [T * L * K]
        Experts.
    token, user : [A]
        Token of `ids`, and who asks.
    measured : int
        The first arrival that is measured.
    window : [A]
        Number of the window that begins at the home server with this arrival, else -1.
    following : [A * L * K]
        Row that asks the same server again; of `BELADY` only.
    schedule : [W * I]
        What is held in each window; of `WINDOW` only.
    """

    ids: Flat
    token: Flat
    user: Flat
    measured: int
    window: Flat
    following: Flat
    schedule: Flat


class Caches(NamedTuple):
    """What the servers hold; the walk changes it.

    Attributes
    ----------
    groups : int
        Caches of a server: one, or one a layer.
    held : [N * I]
        `ABSENT`, `CACHED` or `STATIC`.
    first, size : [N * groups + 1] and [N * groups]
        Where the room of each cache begins, and how many keys it has.
    newer, older : [N * I + N * groups]
        The cached key that was used next, and before; after the newest comes N * I + the cache, and
        after that the oldest. Of `LRU` only, which needs none of the following.
    priority : [N * I]
        Who has least must go first.
    used : [N * I]
        Time of the last use: of equal priority, the one used longest ago must go first.
    place : [N * I]
        Where a cached key stands in its heap.
    heap : [H]
        Cached keys of each cache, the one that must go first in front.
    level : [N * groups]
        Priority of the last one that went; of `GDS` only.
    row, gain : [K]
        Of the experts at hand: whether the cache `PASSED` them by, `HAD` them or `LACKED` them; and
        what holding them saves in seconds, of `GDS` only.
    """

    groups: int
    held: Flat
    first: Flat
    size: Flat
    newer: Flat
    older: Flat
    priority: Flat
    used: Flat
    place: Flat
    heap: Flat
    level: Flat
    row: Flat
    gain: Flat


class Totals(NamedTuple):
    """What was measured; the walk adds to it.

    Attributes
    ----------
    latency : [A]
        Seconds of each token.
    served : [U * 4]
        Experts by who served them, `DEVICE` and so on.
    asked, hits, fetched : [U]
        Experts that the home server was asked for, had, and fetched.
    """

    latency: Flat
    served: Flat
    asked: Flat
    hits: Flat
    fetched: Flat


@compiled
def unlink(caches: Caches, key: int) -> None:
    """Take a key out of the order of use."""
    caches.newer[caches.older[key]] = caches.newer[key]
    caches.older[caches.newer[key]] = caches.older[key]


@compiled
def use(caches: Caches, cache: int, key: int) -> int:
    """Make a key the newest of a cache; returns how many were fetched for that."""
    room = caches.first[cache + 1] - caches.first[cache]
    if room == 0:
        return 0
    end = len(caches.held) + cache
    fetched = 0
    if caches.held[key] == CACHED:
        unlink(caches, key)
    else:
        if caches.size[cache] == room:
            oldest = caches.newer[end]
            unlink(caches, oldest)
            caches.held[oldest] = ABSENT
        else:
            caches.size[cache] += 1
        caches.held[key] = CACHED
        fetched = 1
    newest = caches.older[end]
    caches.newer[newest] = key
    caches.older[key] = newest
    caches.newer[key] = end
    caches.older[end] = key
    return fetched


@compiled
def goes_before(caches: Caches, one: int, other: int) -> bool:
    """Whether one key must go before another."""
    a, b = caches.priority[one], caches.priority[other]
    return bool(a < b or (a == b and caches.used[one] < caches.used[other]))


@compiled
def sift_up(caches: Caches, cache: int, at: int) -> None:
    """Move a key of a heap forward to its place."""
    first = caches.first[cache]
    key = caches.heap[first + at]
    while at > 0:
        above = (at - 1) // 2
        if not goes_before(caches, key, caches.heap[first + above]):
            break
        caches.heap[first + at] = caches.heap[first + above]
        caches.place[caches.heap[first + at]] = at
        at = above
    caches.heap[first + at] = key
    caches.place[key] = at


@compiled
def sift_down(caches: Caches, cache: int, at: int) -> None:
    """Move a key of a heap back to its place."""
    first, size = caches.first[cache], caches.size[cache]
    key = caches.heap[first + at]
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and goes_before(
            caches, caches.heap[first + below + 1], caches.heap[first + below]
        ):
            below += 1
        if not goes_before(caches, caches.heap[first + below], key):
            break
        caches.heap[first + at] = caches.heap[first + below]
        caches.place[caches.heap[first + at]] = at
        at = below
    caches.heap[first + at] = key
    caches.place[key] = at


@compiled
def insert(caches: Caches, cache: int, key: int, rule: int, gain: float) -> bool:
    """Put a key into a cache, unless it must go at once; returns whether it is there."""
    first, size = caches.first[cache], caches.size[cache]
    if caches.first[cache + 1] == first:
        return False
    full = size == caches.first[cache + 1] - first
    if full:
        leaving = caches.heap[first]
        if rule == GDS:
            # Whoever comes is taken in; all begin at the level of the one that went last.
            caches.level[cache] = caches.priority[leaving]
        elif goes_before(caches, key, leaving):
            return False
        caches.held[leaving] = ABSENT
    if rule == GDS:
        caches.priority[key] = caches.level[cache] + gain
    caches.held[key] = CACHED
    if full:
        caches.heap[first] = key
        sift_down(caches, cache, 0)
    else:
        caches.heap[first + size] = key
        caches.size[cache] = size + 1
        sift_up(caches, cache, size)
    return True


@compiled
def halve(caches: Caches, server: int, items: int) -> None:
    """Halve all counts of a server."""
    for key in range(server * items, (server + 1) * items):
        caches.priority[key] *= 0.5
    # What is halved to nothing becomes equal: the heaps are put in order again.
    for cache in range(server * caches.groups, (server + 1) * caches.groups):
        for at in range(caches.size[cache] // 2 - 1, -1, -1):
            sift_down(caches, cache, at)


@compiled
def refill(caches: Caches, server: int, items: int, schedule: Flat, window: int) -> int:
    """Hold what the schedule says; returns how many experts were fetched."""
    fetched = 0
    for item in range(items):
        key = server * items + item
        if caches.held[key] != STATIC:
            wanted = schedule[window * items + item]
            if wanted and caches.held[key] == ABSENT:
                fetched += 1
            caches.held[key] = CACHED if wanted else ABSENT
    return fetched


@compiled
def nearest(world: World, caches: Caches, user: int, item: int, without: int) -> tuple[float, int]:
    """Latency of an item for a user, and who serves it; one server may be left out."""
    items, N = world.layers * world.experts, world.servers
    seconds, node = world.cloud[user], CLOUD
    if world.own[user * items + item] & ON_DEVICE:
        seconds, node = world.device[user], DEVICE
    for rank in range(user * N, (user + 1) * N):
        reach, server = world.reach[rank], world.near[rank]
        if reach > seconds or (reach == seconds and node == DEVICE):
            break
        if server != without and caches.held[server * items + item] != ABSENT:
            return reach, HOME if server == world.home[user] else OTHER
    return seconds, node


@compiled
def touch(
    caches: Caches, cache: int, key: int, rule: int, time: int, following: int, gain: float
) -> None:
    """Note that a key was asked for, held or not."""
    caches.used[key] = time
    if rule == LFU:
        caches.priority[key] += 1.0
    elif rule == BELADY:
        caches.priority[key] = -float(following)
    elif rule == GDS and caches.held[key] == CACHED:
        caches.priority[key] = caches.level[cache] + gain
    if caches.held[key] == CACHED:
        # Forward, or back.
        sift_up(caches, cache, caches.place[key])
        sift_down(caches, cache, caches.place[key])


@compiled
def walk(rule: int, world: World, stream: Stream, caches: Caches, totals: Totals) -> None:
    """Walk every token through all layers.

    All K experts of a layer find the caches as they were before it. Those that the home server was
    asked for then count as used, in the order in which they stand, and what it lacked is fetched.

    Parameters
    ----------
    rule : int
        `LRU` and so on.
    world : World
    stream : Stream
    caches : Caches
        Changed.
    totals : Totals
        Zeros at first; changed.
    """
    K = world.top_k
    items = world.layers * world.experts
    for arrival in range(len(stream.token)):
        user = stream.user[arrival]
        home = world.home[user]
        counts = 1 if arrival >= stream.measured else 0
        window = stream.window[arrival]
        if window >= 0 and rule == LFU:
            halve(caches, home, items)
        if window >= 0 and rule == WINDOW:
            totals.fetched[user] += counts * refill(caches, home, items, stream.schedule, window)
        latency = 0.0
        for layer in range(world.layers):
            row = (stream.token[arrival] * world.layers + layer) * K
            time = (arrival * world.layers + layer) * K
            slowest = 0.0
            for k in range(K):
                item = layer * world.experts + stream.ids[row + k]
                seconds, node = nearest(world, caches, user, item, -1)
                slowest = max(slowest, seconds)
                totals.served[user * NODES + node] += counts
                caches.row[k] = PASSED
                if world.own[user * items + item] & ASKED:
                    held = caches.held[home * items + item]
                    totals.asked[user] += counts
                    if held != ABSENT:
                        totals.hits[user] += counts
                    if held != STATIC:
                        caches.row[k] = LACKED if held == ABSENT else HAD
            latency += slowest
            if home < 0 or rule == WINDOW:
                continue
            cache = home * caches.groups + (layer if caches.groups > 1 else 0)
            for k in range(K):
                item = layer * world.experts + stream.ids[row + k]
                key = home * items + item
                if rule == LRU:
                    # What was there stays, whatever comes in the second turn.
                    if caches.row[k] == HAD:
                        use(caches, cache, key)
                elif caches.row[k] != PASSED:
                    if rule == GDS:
                        seconds, node = nearest(world, caches, user, item, home)
                        caches.gain[k] = seconds - world.reach[user * world.servers]
                    following = stream.following[time + k] if rule == BELADY else 0
                    touch(caches, cache, key, rule, time + k, following, caches.gain[k])
            for k in range(K):
                key = home * items + layer * world.experts + stream.ids[row + k]
                if rule == LRU:
                    if caches.row[k] == LACKED or (
                        caches.row[k] == HAD and caches.held[key] == CACHED
                    ):
                        totals.fetched[user] += counts * use(caches, cache, key)
                elif caches.row[k] == LACKED and insert(caches, cache, key, rule, caches.gain[k]):
                    totals.fetched[user] += counts
        totals.latency[arrival] = latency
