"""Changes of the servers' memory: more of it on a server, and the loss of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import Instance, IntArray
from ..problem.sizes import MAX_BYTES

#: Kinds of changes.
MORE, LOST = "more", "lost"


class MemoryChange(NamedTuple):
    """One change.

    Attributes
    ----------
    kind : str
        `MORE` or `LOST`.
    server : int
    memory_bytes : int
        Added to the server, or lost with it.
    """

    kind: str
    server: int
    memory_bytes: int


def memory_changes(instance: Instance, amounts_bytes: Sequence[int]) -> list[MemoryChange]:
    """Each amount on each server, and the loss of each server that has memory.

    Parameters
    ----------
    instance : Instance
    amounts_bytes : sequence of int

    Raises
    ------
    InputError
        If an amount is not above 0, or too much.
    """
    room = MAX_BYTES - int(instance.capacity_bytes.max(initial=0))
    for amount in amounts_bytes:
        if not 1 <= amount <= room:
            raise InputError(f"memory: must be from 1 to {room} bytes, got {amount}")
    servers = range(instance.servers)
    more = [MemoryChange(MORE, n, amount) for amount in sorted(set(amounts_bytes)) for n in servers]
    held = enumerate(instance.capacity_bytes.tolist())
    return more + [MemoryChange(LOST, n, capacity) for n, capacity in held if capacity > 0]


def changed_capacities(instance: Instance, changes: Sequence[MemoryChange]) -> IntArray:
    """Capacities of all servers after each change, [Q, N] in bytes.

    A server without memory is as good as none: what it cannot hold, no user gets from it.
    """
    capacities = np.tile(instance.capacity_bytes, (len(changes), 1))
    for row, (kind, server, memory_bytes) in zip(capacities, changes, strict=True):
        row[server] += memory_bytes if kind == MORE else -memory_bytes
    return capacities
