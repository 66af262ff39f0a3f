"""Servers whose caches follow a policy, and users whose tokens walk through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from . import walk as loop
from .arrivals import Arrivals
from .compiled import COMPILED
from .next_use import next_use
from .policies import RULES, Policy


@dataclass(frozen=True, eq=False)
class Walked:
    """What the tokens met, where they were measured.

    Attributes
    ----------
    latency_s : float array [A]
        Of each token.
    user : int array [A]
        Whose token it was.
    served : int array [U, 4]
        Experts that the device, the home server, another server and the cloud served.
    asked, hits : int array [U]
        Experts that the home server was asked for, and those that it had.
    fetched_bytes : int
        What all servers fetched.
    """

    latency_s: FloatArray
    user: IntArray
    served: IntArray
    asked: IntArray
    hits: IntArray
    fetched_bytes: int


def home_servers(instance: Instance) -> IntArray:
    """Fastest server of each user of one model, -1 where the cloud is faster than all; [U]."""
    home = np.full(instance.users, -1)
    if instance.servers:
        reach = instance.server_latency_s[:, :, 0]
        fastest = reach.argmin(axis=1)
        useful = reach[np.arange(len(home)), fastest] <= instance.cloud_latency_s[:, 0]
        home[useful] = fastest[useful]
    return home


def asked_items(instance: Instance) -> BoolArray:
    """What each user asks its home server for: all but what the device serves as fast; [U, I]."""
    home = home_servers(instance)
    asked = np.repeat(home[:, None] >= 0, instance.items, axis=1)
    if instance.servers:
        reach = instance.server_latency_s[np.arange(len(home)), home, :1]
        asked &= ~(instance.local & (instance.local_latency_s[:, :1] <= reach))
    return asked


def simulate(
    instance: Instance,
    policy: Policy,
    ids: npt.NDArray[np.integer[Any]],
    arriving: Arrivals,
    *,
    measured: int = 0,
    window: int,
    static: BoolArray | None = None,
) -> Walked:
    """Let caches follow a policy while tokens arrive.

    Each user asks its home server, the fastest one, for the experts that its device does not serve
    as fast. What that server lacks comes from wherever it is held nearest to the user, another
    server or the cloud, while the home server fetches it for its cache, which takes no time. No
    other cache is changed.

    Parameters
    ----------
    instance : Instance
        Of one model.
    policy : Policy
        `belady` knows every later request of its own server and begins with what is asked for
        first. With one pool no cache that fetches only what it is asked for has more hits on all
        arrivals together, whatever it begins with (Belady 1966, doi:10.1147/sj.52.0078: all experts
        have the same size); by layer, no cache with as much room in each layer. About latencies,
        which depend on whole sets and on what other servers hold, it says nothing.
    ids : int array [T, L, K]
        Experts of the tokens, in the layers of the model.
    arriving : Arrivals
    measured : int
        The first arrival that is measured; those before warm the caches.
    window : int
        Tokens of a server after which LFU halves its counts and `window` refreshes.
    static : bool array [N, I], optional
        What the servers hold all the time; by default nothing.

    Returns
    -------
    Walked

    Raises
    ------
    InputError
        If the window is less than 1.
    """
    if window < 1:
        raise InputError(f"window: must be >= 1, got {window}")
    model = instance.models[0]
    rule = list(RULES).index(policy.rule)
    if static is None:
        static = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    home = home_servers(instance)
    asked = asked_items(instance)
    server = home[arriving.user]
    clock, turn = _windows(server, window)
    room = _room(instance, static, model.layers if policy.by_layer else 1)
    caches = _caches(instance, static, room, model.top_k)
    following, schedule = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    if rule in (loop.BELADY, loop.WINDOW):
        reactive = asked & ~static[home] if instance.servers else asked
        keys = _keys(instance, ids, arriving, home, reactive)
        if rule == loop.BELADY:
            rows = keys.reshape(-1, model.top_k)
            following = next_use(rows, len(rows)).ravel()
            if instance.servers:
                _fill(caches, rows, room)
        else:
            most = int(clock.max(initial=0)) // window + 1
            number = np.where(server >= 0, server * most + clock // window, -1)
            schedule = _schedule(instance, keys, number, room).ravel()
            # With a window begins what the one before it decides.
            turn = np.where(turn >= 0, number - 1, -1)
    order = np.argsort(instance.server_latency_s[:, :, 0], axis=1, kind="stable")
    on_device = instance.local & (
        instance.local_latency_s[:, :1] <= instance.cloud_latency_s[:, :1]
    )
    world = loop.World(
        layers=model.layers,
        experts=model.experts,
        top_k=model.top_k,
        servers=instance.servers,
        home=home,
        near=order.astype(np.int32).ravel(),
        reach=np.take_along_axis(instance.server_latency_s[:, :, 0], order, axis=1).ravel(),
        device=instance.local_latency_s[:, 0],
        cloud=instance.cloud_latency_s[:, 0],
        own=(on_device * np.uint8(loop.ON_DEVICE) + asked * np.uint8(loop.ASKED)).ravel(),
    )
    stream = loop.Stream(
        ids=np.ascontiguousarray(ids).ravel(),
        token=arriving.token,
        user=arriving.user,
        measured=measured,
        window=turn,
        following=following,
        schedule=schedule,
    )
    users = instance.users
    totals = loop.Totals(
        latency=np.zeros(len(arriving.token)),
        served=np.zeros(users * loop.NODES, dtype=np.int64),
        asked=np.zeros(users, dtype=np.int64),
        hits=np.zeros(users, dtype=np.int64),
        fetched=np.zeros(users, dtype=np.int64),
    )
    totals = _run(rule, world, stream, caches, totals)
    return Walked(
        latency_s=totals.latency[measured:],
        user=arriving.user[measured:],
        served=totals.served.reshape(users, loop.NODES),
        asked=totals.asked,
        hits=totals.hits,
        fetched_bytes=int(totals.fetched.sum()) * model.expert_bytes,
    )


def _windows(server: IntArray, window: int) -> tuple[IntArray, IntArray]:
    """Tokens that each arrival's server saw before; and its window, where a later one begins."""
    order = np.argsort(server, kind="stable")
    first = np.searchsorted(server[order], server[order], side="left")
    clock = np.empty(len(server), dtype=np.int64)
    clock[order] = np.arange(len(server)) - first
    begins = (server >= 0) & (clock > 0) & (clock % window == 0)
    return clock, np.where(begins, clock // window, -1)


def _room(instance: Instance, static: BoolArray, groups: int) -> IntArray:
    """Experts that fit into each cache beside the static part; [N, groups]."""
    slots = instance.capacity_bytes // instance.models[0].expert_bytes - static.sum(axis=1)
    # A layer has no more experts than it has.
    slots = np.clip(slots, 0, instance.items)
    room: IntArray = slots[:, None] // groups + (np.arange(groups) < slots[:, None] % groups)
    return room


def _caches(instance: Instance, static: BoolArray, room: IntArray, top_k: int) -> loop.Caches:
    keys = static.size
    first = np.concatenate([[0], np.cumsum(room)])
    links = np.arange(keys + room.size, dtype=np.int32)
    return loop.Caches(
        groups=room.shape[1],
        held=(static * np.uint8(loop.STATIC)).ravel(),
        first=first,
        size=np.zeros(room.size, dtype=np.int64),
        newer=links,
        older=links.copy(),
        priority=np.zeros(keys),
        used=np.full(keys, -1, dtype=np.int64),
        place=np.zeros(keys, dtype=np.int32),
        heap=np.zeros(int(first[-1]), dtype=np.int32),
        level=np.zeros(room.size),
        row=np.zeros(top_k, dtype=np.uint8),
        gain=np.zeros(top_k),
    )


def _keys(
    instance: Instance,
    ids: npt.NDArray[np.integer[Any]],
    arriving: Arrivals,
    home: IntArray,
    asked: BoolArray,
) -> IntArray:
    """Key of each expert that a cache is asked for, -1 for the others; [A, L, K]."""
    model = instance.models[0]
    item = ids[arriving.token] + (np.arange(model.layers) * model.experts)[:, None]
    user = arriving.user[:, None, None]
    return np.where(asked[user, item], home[user] * instance.items + item, -1)


def _fill(caches: loop.Caches, rows: IntArray, room: IntArray) -> None:
    """Begin with what is asked for first; who is asked for last stands in front of a heap."""
    key, first = np.unique(rows, return_index=True)
    key, first = key[key >= 0], first[key >= 0]
    items = caches.held.size // len(room)
    groups = room.shape[1]
    group = key % items // (items // groups)
    cache = key // items * groups + group
    order = np.lexsort((first, cache))
    rank = np.arange(len(order)) - np.searchsorted(cache[order], cache[order], side="left")
    fits = order[rank < room.ravel()[cache[order]]]
    caches.held[key[fits]] = loop.CACHED
    caches.priority[key[fits]] = -(first[fits] // rows.shape[1])
    size = np.bincount(cache[fits], minlength=room.size)
    caches.size[:] = size
    # A falling order is a heap.
    begin = caches.first[:-1][cache[fits]]
    place = size[cache[fits]] - 1 - rank[rank < room.ravel()[cache[order]]]
    caches.place[key[fits]] = place
    caches.heap[begin + place] = key[fits]


def _schedule(instance: Instance, keys: IntArray, number: IntArray, room: IntArray) -> BoolArray:
    """What each server holds after each of its windows, numbered server by server; [windows, I]."""
    items, groups = instance.items, room.shape[1]
    windows = int(number.max(initial=-1)) + 1
    schedule = np.zeros((windows, groups, items // groups), dtype=np.bool_)
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(windows + 1))
    for window in np.flatnonzero(np.diff(bounds)):
        part = keys[order[bounds[window] : bounds[window + 1]]]
        part = part[part >= 0]
        if len(part):
            count = np.bincount(part % items, minlength=items).reshape(groups, -1)
            rank = np.argsort(np.argsort(-count, axis=1, kind="stable"), axis=1, kind="stable")
            schedule[window] = (rank < room[part[0] // items][:, None]) & (count > 0)
    return schedule.reshape(windows, items)


def _run(
    rule: int, world: loop.World, stream: loop.Stream, caches: loop.Caches, totals: loop.Totals
) -> loop.Totals:
    """Walk, compiled on the arrays or else on lists, whose elements Python reads faster."""
    if COMPILED:
        loop.walk(rule, world, stream, caches, totals)
        return totals
    walked = loop.Totals(*_lists(totals))
    loop.walk(
        rule, loop.World(*_lists(world)), loop.Stream(*_lists(stream)),
        loop.Caches(*_lists(caches)), walked,
    )  # fmt: skip
    return loop.Totals(*(np.array(column) for column in walked))


def _lists(columns: tuple[Any, ...]) -> list[Any]:
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in columns]
