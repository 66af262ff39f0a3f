"""Small instances that are hard on purpose; docs/guarantees.md has the proofs.

`greedy_gadgets`: K = 1, greedy is as bad as it can be. `densest_subgraph` and `max_cut`: K = 2, one
server and many experts, and one expert on each of many servers; both are known hard problems.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray, Model, Requests

#: How much more the wrong expert is asked for, so that no tie is left.
_MORE = 1e-3


def greedy_gadgets(copies: int, name: str) -> Instance:
    """Disjoint copies of the gadget on which `greedy` reaches 1/2 and not more (K = 1).

    Each copy has two servers with room for one expert, and two users. One user asks for expert 0,
    a little more often, and reaches both servers; the other asks for expert 1 and reaches the first
    server only. The best placement serves both. Greedy puts expert 0 on the first server, where it
    saves most at once (on the second it saves as much, but the first comes first), and then nothing
    helps. The copies share the two experts, but no server and no user.

    Parameters
    ----------
    copies : int
    name : str

    Raises
    ------
    InputError
        If there are no copies, or too many.
    """
    if not 1 <= copies <= 1000:
        raise InputError(f"copies: must be 1 to 1000, got {copies}")
    count = 2 * copies
    copy = np.arange(count) // 2
    reach = copy[:, None] == copy
    # Users and servers of a copy: the second user does not reach the second server.
    reach[1::2, 1::2] = False
    rate = np.where(np.arange(count) % 2 == 0, 1 + _MORE, 1.0)
    return _one_layer(
        Model("two-experts", 1, 2, 1, 1),
        reach,
        np.ones(count, dtype=np.int64),
        np.arange(count),
        (np.arange(count) % 2)[:, None],
        rate,
        name,
        {"generator": "greedy-gadgets", "copies": copies},
    )


def densest_subgraph(vertices: int, room: int, name: str) -> Instance:
    """One server, one layer, K = 2: the densest subgraph of a Paley graph on `room` vertices.

    Experts are the vertices and requests the edges, all of one rate. Two vertices are joined if
    their difference is a square modulo the number of vertices (Paley 1933,
    doi:10.1002/sapm1933121311): all vertices are alike, so nothing tells where to begin.

    Parameters
    ----------
    vertices : int
        5, 13, 17, 29, 37 or another prime with remainder 1 modulo 4, at most 1000.
    room : int
        Experts that fit on the server.
    name : str

    Raises
    ------
    InputError
        If there is no such graph, or the room is not 0 to `vertices`.
    """
    divisible = any(vertices % divisor == 0 for divisor in range(2, min(vertices, 32)))
    if not 5 <= vertices <= 1000 or vertices % 4 != 1 or divisible:
        raise InputError(f"vertices: must be a prime 4 n + 1 up to 1000, got {vertices}")
    if not 0 <= room <= vertices:
        raise InputError(f"room: must be 0 to {vertices}, got {room}")
    square = np.zeros(vertices, dtype=np.bool_)
    square[np.arange(1, vertices) ** 2 % vertices] = True
    first, second = np.triu_indices(vertices, 1)
    joined = square[second - first]
    edges = np.column_stack([first, second])[joined]
    return _one_layer(
        Model("vertices", 1, vertices, 2, 1),
        np.ones((1, 1), dtype=np.bool_),
        np.array([room]),
        np.zeros(len(edges), dtype=np.int64),
        edges,
        np.ones(len(edges)),
        name,
        {"generator": "densest-subgraph", "graph": "Paley", "vertices": vertices, "room": room},
    )


def max_cut(spokes: int, name: str) -> Instance:
    """Servers with room for one expert, one layer, K = 2: the largest cut of a Petersen graph.

    A server is a vertex, and the two experts of its own are the sides of the cut that it can be on.
    An edge is a user who reaches its two ends, and asks for one side of the one end and the other
    side of the other end, or the other way round. No server gains anything alone. The graph is the
    generalised Petersen graph with steps of two (Watkins 1969, doi:10.1016/S0021-9800(69)80116-X).

    Parameters
    ----------
    spokes : int
        Half the number of servers, 5 to 500; 5 is Petersen's graph.
    name : str

    Raises
    ------
    InputError
        If the number of spokes is out of range.
    """
    if not 5 <= spokes <= 500:
        raise InputError(f"spokes: must be 5 to 500, got {spokes}")
    outer = np.arange(spokes)
    inner = outer + spokes
    edges = np.concatenate(
        [
            np.column_stack([outer, np.roll(outer, -1)]),
            np.column_stack([outer, inner]),
            np.column_stack([inner, np.roll(inner, -2)]),
        ]
    )
    user = np.arange(len(edges))
    reach = np.zeros((len(edges), 2 * spokes), dtype=np.bool_)
    reach[user[:, None], edges] = True
    return _one_layer(
        Model("sides", 1, 4 * spokes, 2, 1),
        reach,
        np.ones(2 * spokes, dtype=np.int64),
        np.concatenate([user, user]),
        np.concatenate([2 * edges + side for side in ([0, 1], [1, 0])]),
        np.ones(2 * len(edges)),
        name,
        {"generator": "max-cut", "graph": "generalised Petersen", "spokes": spokes},
    )


def _one_layer(
    model: Model,
    reach: BoolArray,
    room: IntArray,
    user: IntArray,
    experts: IntArray,
    rate: FloatArray,
    name: str,
    meta: dict[str, Any],
) -> Instance:
    """Whoever reaches a server waits half as long there as for the cloud."""
    users = len(reach)
    return Instance(
        models=(model,),
        capacity_bytes=room,
        server_latency_s=np.where(reach, 0.5, np.inf)[:, :, None],
        cloud_latency_s=np.ones((users, 1)),
        local_latency_s=np.ones((users, 1)),
        local=np.zeros((users, model.items), dtype=np.bool_),
        requests=Requests(
            user=user.astype(np.int32),
            model=np.zeros(len(user), dtype=np.int32),
            layer=np.zeros(len(user), dtype=np.int32),
            experts=experts.astype(np.int32),
            rate=rate / rate.sum(),
        ),
        name=name,
        meta=meta,
    )
