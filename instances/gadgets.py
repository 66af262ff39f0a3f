"""Small instances on which a method is as bad as it can be; docs/guarantees.md has the proofs."""

from __future__ import annotations

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import Instance, Model, Requests

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
    return Instance(
        models=(Model("two-experts", 1, 2, 1, 1),),
        capacity_bytes=np.ones(count, dtype=np.int64),
        server_latency_s=np.where(reach, 0.5, np.inf)[:, :, None],
        cloud_latency_s=np.ones((count, 1)),
        local_latency_s=np.ones((count, 1)),
        local=np.zeros((count, 2), dtype=np.bool_),
        requests=Requests(
            user=np.arange(count, dtype=np.int32),
            model=np.zeros(count, dtype=np.int32),
            layer=np.zeros(count, dtype=np.int32),
            experts=(np.arange(count, dtype=np.int32) % 2)[:, None],
            rate=rate / rate.sum(),
        ),
        name=name,
        meta={"generator": "greedy-gadgets", "copies": copies},
    )
