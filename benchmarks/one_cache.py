"""One cache before a slower memory: what is placed in advance against caches that react.

    python benchmarks/one_cache.py TRACE.npz [--layers 24] [--shares 0.1 0.2 ...]

A server (a GPU, say) with room for a share of all experts, one user, everything else in the cloud
(the memory of the host). A fifth of the sequences is kept out: placements are made from the others,
which also warm the caches, and all are measured on the fifth, one sequence after the other in
random order. `waits` is the share of the layers that wait for an expert that the server does not
hold: whoever waits for one of the K waits. `hits` is the share of the experts that it holds,
`fetched` how many a token has fetched. `certified` is the share of the largest saving, on the
tokens that it was made from, that a placement is known to reach; `decomposition` has a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from expertcache import Instance, Limits, Requests, read_trace, solve
from expertcache.caches.policies import find_policy
from expertcache.instances.trace_split import split_trace
from expertcache.problem.arrays import unique_rows
from expertcache.problem.instance import Model
from expertcache.studies.replay import replay, replay_policy

SEED, TEST_SHARE, LIMIT_S = 1, 0.2, 60
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
METHODS = ("popularity", "greedy", "successive", "decomposition")
POLICIES = (
    "lru", "lru-by-layer", "lfu", "lfu-by-layer", "belady", "belady-by-layer", "successive+lru",
)  # fmt: skip


def one_server(ids: np.ndarray, experts: int) -> Instance:
    """Latency 0 (nearly) at the server and one in the cloud: a token's latency counts waits."""
    tokens, layers, top_k = ids.shape
    parts = []
    for layer in range(layers):
        sets, code = unique_rows(np.sort(ids[:, layer], axis=1))
        parts.append((np.full(len(sets), layer), sets, np.bincount(code) / tokens))
    layer, sets, rate = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Instance(
        models=(Model("recorded", layers, experts, top_k, 1),),
        capacity_bytes=np.array([0]),
        server_latency_s=np.full((1, 1, 1), 1e-12),
        cloud_latency_s=np.full((1, 1), 1.0),
        local_latency_s=np.full((1, 1), 1.0),
        local=np.zeros((1, layers * experts), dtype=np.bool_),
        requests=Requests(
            user=np.zeros(len(rate), dtype=np.int32), model=np.zeros(len(rate), dtype=np.int32),
            layer=layer.astype(np.int32), experts=sets.astype(np.int32), rate=rate,
        ),
        meta={"trace": {"user_category": ["all"]}},
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    arguments = parser.parse_args()
    trace = read_trace(arguments.trace)
    experts = int(trace.expert_ids.max()) + 1
    train, test = (split_trace(trace, TEST_SHARE, SEED, part) for part in ("train", "test"))
    empty = one_server(train.expert_ids[:, : arguments.layers], experts)
    rows = []
    for share in arguments.shares:
        room = np.array([int(share * empty.items)])
        instance = empty.replace(capacity_bytes=room)
        found, certified = {}, {}
        for method in METHODS:
            solution = solve(instance, method, limits=Limits(time_s=LIMIT_S, threads=2))
            certified[method] = solution.certified_ratio
            found[method] = replay(instance, solution.placement, test)
        for name in POLICIES:
            found[name] = replay_policy(instance, find_policy(name), test, train, seed=SEED)
        for name, walked in found.items():
            rows.append(
                {
                    "share": share,
                    "name": name,
                    "waits": walked.mean_s / arguments.layers,
                    "hits": walked.hit_rate,
                    "fetched": walked.fetched_bytes,
                    "certified": certified.get(name, np.nan),
                }
            )
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    for column in ("waits", "hits", "fetched", "certified"):
        wide = table.pivot(index="name", columns="share", values=column)
        print(f"\n{column}\n{wide.round(4).to_string()}")


if __name__ == "__main__":
    main()
