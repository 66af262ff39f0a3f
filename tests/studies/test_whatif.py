"""What memory is worth, against brute force."""

import os
import signal

import numpy as np
import pytest
from expertcache import (
    InputError,
    Limits,
    Method,
    Outcome,
    Placement,
    UnsupportedError,
    solve,
    whatif,
)
from expertcache.problem.evaluate import evaluate
from expertcache.studies.brackets import Brackets
from expertcache.studies.memory_changes import changed_capacities, memory_changes
from hypothesis import given, settings
from hypothesis import strategies as st

#: Of the largest latency, for sums in another order.
ROUNDING = 1e-9


@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    models=st.integers(1, 2),
    method=st.sampled_from(["exact", "successive", "cloud-only", "lp"]),
)
@settings(max_examples=15)
def test_every_interval_holds_the_true_value(
    seed, top_k, models, method, random_instance, brute_force_latency
):
    instance = random_instance(
        seed, top_k=top_k, models=models, layers=1, experts=3, rows=8, equal_sizes=seed % 2 == 0
    )
    amounts = [2, 5]
    found = whatif(instance, Placement.empty(), amounts, method=method)
    changes = memory_changes(instance, amounts)
    truth = {
        (kind, instance.server_names[server], amount): brute_force_latency(
            instance.replace(capacity_bytes=capacity)
        )
        for (kind, server, amount), capacity in zip(
            changes, changed_capacities(instance, changes), strict=True
        )
    }
    now = brute_force_latency(instance)
    slack = ROUNDING * evaluate(instance, Placement.empty()).latency_s
    assert found.bound_latency_s - slack <= now <= found.latency_s + slack
    assert len(found.changes) == len(truth)
    for row in found.changes.itertuples():
        after = truth[row.change, row.server, row.memory_bytes]
        assert row.bound_latency_s - slack <= after <= row.latency_s + slack
        assert row.value_least_s - slack <= now - after <= row.value_most_s + slack
        assert row.value_most_s <= row.priced_most_s
        assert row.value_least_s <= row.value_s <= row.value_most_s
        if row.proven:
            assert row.value_s == pytest.approx(now - after, abs=1e-5 * (slack / ROUNDING))
    if method == "exact":
        assert found.changes["proven"].all()
        for amount in amounts:
            value = {
                name: now - after
                for (k, name, a), after in truth.items()
                if a == amount and k == "more"
            }
            best = max(value.values())
            places = found.best_places(amount)
            assert max(value[name] for name in places) == pytest.approx(best, abs=1e-5)


def test_a_lost_server_is_one_that_is_not_there(random_instance, brute_force_latency):
    instance = random_instance(4, capacity=0.5)
    found = whatif(instance, solve(instance))
    lost = found.changes[found.changes["change"] == "lost"].set_index("server")
    for n, name in enumerate(instance.server_names):
        others = [k for k in range(instance.servers) if k != n]
        without = instance.replace(
            capacity_bytes=instance.capacity_bytes[others],
            server_latency_s=instance.server_latency_s[:, others],
            server_names=tuple(instance.server_names[k] for k in others),
            server_position_m=None,
        )
        assert lost.loc[name, "latency_s"] == pytest.approx(brute_force_latency(without))


def test_by_hand(two_servers):
    # One expert on each server: sets {0, 1} cost 0.2 s, {1, 2} cost 1 s. One more on server 0
    # brings both of the first set to 0.1 s, and the third expert to server 1: 0.75 * 0.1 + 0.25 *
    # 0.2. On server 1 both sets cost 0.2 s. Without a server no set is whole.
    found = whatif(two_servers, solve(two_servers), [10])
    value = {(row.change, row.server): row.value_s for row in found.changes.itertuples()}
    assert found.latency_s == pytest.approx(0.4)
    assert value["more", "server-0"] == pytest.approx(0.4 - 0.125)
    assert value["more", "server-1"] == pytest.approx(0.4 - 0.2)
    assert value["lost", "server-0"] == value["lost", "server-1"] == pytest.approx(-0.6)
    assert found.changes["proven"].all()
    assert found.best_places(10) == ["server-0"]
    assert list(found.changes["server"][:2]) == ["server-0", "server-1"]


def test_as_it_stands_nothing_is_placed_anew(two_servers):
    # Expert 1 of both sets on server 0, expert 2 on server 1: it serves one set without server 0.
    placement = Placement([(0, 0, 0, 1), (1, 0, 0, 2)])
    found = whatif(two_servers, placement, [10])
    stands = found.changes.set_index(["change", "server"])["as_it_stands_s"]
    given = evaluate(two_servers, placement).latency_s
    assert found.given_latency_s == given == pytest.approx(0.75 + 0.25 * 0.2)
    assert stands["lost", "server-0"] == pytest.approx(given - 1.0)
    assert (stands["more"] == 0).all()


def test_a_server_without_memory_can_be_a_new_one(two_servers):
    site = two_servers.replace(capacity_bytes=np.array([10, 0]))
    found = whatif(site, Placement.empty(), [10])
    rows = found.changes.set_index(["change", "server"])
    assert ("lost", "server-1") not in rows.index
    assert rows.loc[("more", "server-1"), "latency_s"] == pytest.approx(0.4)


def test_an_interrupted_run_tells_what_it_knows(random_instance):
    # Prices and best responses leave a gap here: the method has something to do.
    instance = random_instance(3, capacity=0.4, experts=4, rows=20, local=0, unreachable=0)

    def interrupted(instance, *, limits, seed):
        os.kill(os.getpid(), signal.SIGINT)
        assert limits.watch.stopped
        return Outcome(Placement.empty())

    method = Method("interrupted", "", interrupted)
    before = signal.getsignal(signal.SIGINT)
    found = whatif(instance, Placement.empty(), [2], method=method)
    assert signal.getsignal(signal.SIGINT) is before
    assert found.stopped_by == "interrupted"
    proved = whatif(instance, Placement.empty(), [2])
    assert found.latency_s >= proved.latency_s >= found.bound_latency_s - 1e-9
    columns = ["change", "server", "memory_bytes"]
    both = found.changes.merge(proved.changes, on=columns)
    assert len(both) == len(proved.changes)
    assert (both["value_least_s_x"] <= both["value_s_y"] + 1e-9).all()
    assert (both["value_most_s_x"] >= both["value_s_y"] - 1e-9).all()


def test_no_time_proves_nothing_wrong(random_instance):
    instance = random_instance(3, capacity=0.4)
    found = whatif(instance, Placement.empty(), [2], limits=Limits(time_s=1e-6))
    assert found.stopped_by == "time"
    assert not found.changes["proven"].any()
    more = found.changes[found.changes["change"] == "more"]
    assert (more["value_least_s"] == 0).all()
    assert (found.changes["value_most_s"] >= found.changes["value_least_s"]).all()


def test_without_servers_nothing_changes(two_servers):
    empty = two_servers.replace(
        capacity_bytes=np.zeros(0, dtype=np.int64),
        server_latency_s=np.zeros((1, 0, 1)),
        server_names=(),
        server_position_m=None,
    )
    found = whatif(empty, Placement.empty())
    assert found.changes.empty
    assert found.best_places(2**30) == []
    assert found.proven


def test_the_same_seed_gives_the_same_table(random_instance):
    instance = random_instance(7, capacity=0.4)
    tables = [whatif(instance, Placement.empty(), [2, 5]).changes for _ in range(2)]
    assert tables[0].to_csv() == tables[1].to_csv()


def test_refusals(two_servers):
    with pytest.raises(InputError, match="exceeds a capacity"):
        whatif(two_servers, Placement([(0, 0, 0, 0), (0, 0, 0, 1)]))
    with pytest.raises(InputError, match="memory: must be from 1"):
        whatif(two_servers, Placement.empty(), [0])
    with pytest.raises(InputError, match="memory: must be from 1"):
        whatif(two_servers, Placement.empty(), [2**62])
    with pytest.raises(UnsupportedError, match="pipage"):
        whatif(two_servers, Placement.empty(), method="pipage")


def test_brackets_share_what_holds(random_instance):
    instance = random_instance(5, capacity=0.5)
    grown = instance.capacity_bytes * 2
    lost = instance.capacity_bytes * [1, 0]
    brackets = Brackets(instance, np.stack([instance.capacity_bytes, grown, lost]))
    cached = solve(instance).placement.cached(instance)
    saving = brackets.place(cached)
    assert brackets.least_s[0] == brackets.least_s[1] == saving
    rest = cached.copy()
    rest[1] = False
    assert brackets.least_s[2] == evaluate(instance, Placement.of(instance, rest)).saving_s
    assert brackets.best(2) == Placement.of(instance, rest) == brackets.adapted(2)
    brackets.bound(0, saving)
    assert brackets.proved(0)
    assert brackets.most_s[2] <= saving
    # A bound says nothing about more memory.
    assert brackets.most_s[1] >= saving
