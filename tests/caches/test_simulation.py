"""Every policy against a plain statement of it, and what Belady's policy promises."""

import importlib
import sys

import numpy as np
import pytest
from expertcache.caches import compiled, simulation, walk
from expertcache.caches.arrivals import Arrivals
from expertcache.caches.hit_rates import lru_hit_rate
from expertcache.caches.policies import RULES, Policy, find_policy
from expertcache.caches.simulation import asked_items, home_servers, simulate
from expertcache.problem.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = [f"{rule}{end}" for rule in RULES for end in ("", "-by-layer")]


def stated(instance, policy, ids, arriving, measured, window, static):
    """The same as `simulate`, by sets and sorting."""
    (model,) = instance.models
    L, E, items_in_all = model.layers, model.experts, instance.items
    home, asked = home_servers(instance), asked_items(instance)
    groups = L if policy.by_layer else 1
    caches = {}
    for n in range(instance.servers):
        slots = min(int(instance.capacity_bytes[n] // 10 - static[n].sum()), items_in_all)
        for g in range(groups):
            caches[n, g] = (slots // groups + (g < slots % groups), set())
    fixed = [set(np.flatnonzero(row).tolist()) for row in static]
    level = dict.fromkeys(caches, 0.0)
    count, last, priority, seen = {}, {}, {}, dict.fromkeys(range(instance.servers), 0)
    recent = {n: {} for n in range(instance.servers)}
    rows = []
    for a in range(len(arriving.token)):
        for layer in range(L):
            user = arriving.user[a]
            n = int(home[user])
            items = [layer * E + int(e) for e in ids[arriving.token[a], layer]]
            keys = {i for i in items if n >= 0 and asked[user, i] and i not in fixed[n]}
            rows.append((n, keys))

    def next_row(n, item, after):
        later = (r for r in range(after, len(rows)) if rows[r][0] == n and item in rows[r][1])
        return next(later, len(rows))

    def group(item):
        return item // E if groups > 1 else 0

    if policy.rule == "belady":
        for (n, g), (room, held) in caches.items():
            first = {i: next_row(n, i, 0) for i in range(items_in_all) if group(i) == g}
            first = {i: row for i, row in first.items() if row < len(rows)}
            # In the order in which they stand in the row.
            place = {}
            for a in range(len(arriving.token)):
                for layer in range(L):
                    for k, e in enumerate(ids[arriving.token[a], layer]):
                        place[a * L + layer, layer * E + int(e)] = k
            chosen = sorted(first, key=lambda i: (first[i], place[first[i], i]))[:room]
            held.update(chosen)
            for i in chosen:
                priority[n, i] = -first[i]

    def nearest(user, item, without=None):
        ways = [(instance.cloud_latency_s[user, 0], 3)]
        if instance.local[user, item]:
            ways.append((instance.local_latency_s[user, 0], 0))
        for n in range(instance.servers):
            has = item in fixed[n] or item in caches[n, group(item)][1]
            if has and n != without:
                ways.append((instance.server_latency_s[user, n, 0], 1 if n == home[user] else 2))
        return min(ways)

    latency, fetched, hits, wanted = [], 0, 0, 0
    served = np.zeros((instance.users, 4), dtype=int)
    for a, (token, user) in enumerate(zip(*arriving, strict=True)):
        counts = a >= measured
        n = int(home[user])
        if n >= 0:
            if seen[n] and seen[n] % window == 0:
                if policy.rule == "lfu":
                    for key in count:
                        if key[0] == n:
                            count[key] /= 2
                if policy.rule == "window":
                    for g in range(groups):
                        room, held = caches[n, g]
                        best = sorted(recent[n], key=lambda i: (-recent[n][i], i))
                        new = set([i for i in best if group(i) == g][:room])
                        fetched += counts * len(new - held)
                        caches[n, g] = room, new
                    recent[n] = {}
            seen[n] += 1
        total = 0.0
        for layer in range(L):
            items = [layer * E + int(e) for e in ids[token, layer]]
            found = [nearest(user, item) for item in items]
            total += max(seconds for seconds, _ in found)
            for _, node in found:
                served[user, node] += counts
            if n < 0:
                continue
            cache = n, layer if groups > 1 else 0
            room, held = caches[cache]
            mine = [i for i in items if asked[user, i]]
            hits += counts * sum(i in held or i in fixed[n] for i in mine)
            wanted += counts * len(mine)
            mine = [i for i in mine if i not in fixed[n]]
            for i in mine:
                recent[n][i] = recent[n].get(i, 0) + 1
            if policy.rule == "window":
                continue
            lacked = [i for i in mine if i not in held]
            gain = {}
            for i in mine:
                key = n, i
                time = (a * L + layer, items.index(i))
                count[key] = count.get(key, 0.0) + 1
                gain[i] = nearest(user, i, n)[0] - instance.server_latency_s[user, n, 0]
                if policy.rule == "lru" and i in lacked:
                    continue
                last[key] = time
                if policy.rule == "belady":
                    priority[key] = -next_row(n, i, a * L + layer + 1)
                elif policy.rule == "lfu":
                    priority[key] = 0.0
                elif policy.rule == "gds":
                    priority[key] = level[cache] + gain[i]

            def worth(i, n=n):
                value = count[n, i] if policy.rule == "lfu" else priority.get((n, i), 0.0)
                return value, last.get((n, i), (-1, -1))

            for i in lacked if policy.rule != "lru" else mine:
                if policy.rule == "lru":
                    if i not in lacked:
                        continue
                    last[n, i] = (a * L + layer, items.index(i))
                if room == 0:
                    continue
                if len(held) == room:
                    if policy.rule == "lru":
                        # What was there counts as used only where it stands in the row.
                        order = {j: last[n, j] for j in held}
                        for j in held & set(mine):
                            if j not in lacked and items.index(j) > items.index(i):
                                order[j] = (a * L + layer, -1 + 0.01 * items.index(j))
                        leaving = min(held, key=order.__getitem__)
                    else:
                        leaving = min(held, key=worth)
                        if policy.rule != "gds" and worth(i) < worth(leaving):
                            continue
                        if policy.rule == "gds":
                            level[cache] = priority[n, leaving]
                    held.remove(leaving)
                if policy.rule == "gds":
                    priority[n, i] = level[cache] + gain[i]
                held.add(i)
                fetched += counts
        latency.append(total)
    return latency[measured:], served, wanted, hits, fetched * 10


def same(walked, want):
    latency, served, asked, hits, fetched = want
    assert walked.latency_s == pytest.approx(latency)
    assert np.array_equal(walked.served, served)
    assert (walked.asked.sum(), walked.hits.sum()) == (asked, hits)
    assert walked.fetched_bytes == fetched


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), measured=st.sampled_from([0, 10]), window=st.integers(1, 9))
def test_against_a_plain_statement(name, small, seed, measured, window):
    instance, ids, arriving, static = small(seed)
    arguments = instance, find_policy(name), ids, arriving
    walked = simulate(*arguments, measured=measured, window=window, static=static)
    same(walked, stated(*arguments, measured, window, static))


@pytest.fixture
def without_numba(monkeypatch):
    """The same modules, as if Numba were not installed."""
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in (compiled, walk, simulation):
        importlib.reload(module)
    yield simulation.simulate
    monkeypatch.undo()
    for module in (compiled, walk, simulation):
        importlib.reload(module)


@pytest.mark.parametrize("name", NAMES)
def test_without_numba_all_is_the_same(name, small, without_numba):
    for seed in range(10):
        instance, ids, arriving, static = small(seed, servers=3)
        walked = without_numba(
            instance, find_policy(name), ids, arriving, measured=5, window=4, static=static
        )
        same(walked, stated(instance, find_policy(name), ids, arriving, 5, 4, static))


@given(seed=st.integers(0, 2**32), others=st.sampled_from(["lru", "lfu", "gds"]))
def test_no_cache_on_demand_hits_more_often_than_belady(small, seed, others):
    """Of one pool; whatever it begins with, and static parts of any kind as well."""
    instance, ids, arriving, static = small(seed)
    best = simulate(instance, Policy("belady"), ids, arriving, window=9).hits.sum()
    for part in (np.zeros_like(static), static):
        walked = simulate(instance, Policy(others), ids, arriving, window=9, static=part)
        assert walked.hits.sum() <= best
    # Warmed by the first ones, against Belady's on the rest alone.
    rest = Arrivals(arriving.token[10:], arriving.user[10:])
    walked = simulate(instance, Policy(others), ids, arriving, measured=10, window=9)
    assert walked.hits.sum() <= simulate(instance, Policy("belady"), ids, rest, window=9).hits.sum()


@pytest.mark.parametrize("seed", range(5))
def test_least_recently_used_by_layer_is_that_of_the_description(small, seed):
    instance, ids, _, _ = small(seed, servers=1, users=1)
    (model,) = instance.models
    for size in range(model.top_k, model.experts + 1):
        room = np.array([size * model.layers * 10])
        alone = instance.replace(
            capacity_bytes=room,
            server_latency_s=np.full((1, 1, 1), 0.1),
            local=np.zeros_like(instance.local),
        )
        arriving = Arrivals(np.arange(len(ids)), np.zeros(len(ids), dtype=np.int64))
        walked = simulate(alone, find_policy("lru-by-layer"), ids, arriving, window=9)
        want = lru_hit_rate(ids, model.experts, np.array([size]))
        assert walked.hits.sum() / walked.asked.sum() == pytest.approx(want[0])


@pytest.mark.parametrize("name", ["mru", "+lru", "lru-by-layers", "", "successive+"])
def test_unknown_policies(name):
    with pytest.raises(InputError, match="policies: "):
        find_policy(name)


def test_names_of_policies():
    for name in ("lru", "gds-by-layer", "successive+lfu", "max-convolution+lru-by-layer"):
        assert str(find_policy(name)) == name


def test_a_window_has_tokens(small):
    instance, ids, arriving, _ = small(0)
    with pytest.raises(InputError, match="window"):
        simulate(instance, Policy("lfu"), ids, arriving, window=0)
