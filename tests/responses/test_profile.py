from itertools import combinations

import numpy as np
import pytest
from expertcache.problem.demand import merged_demand
from expertcache.problem.evaluate import evaluate, latency_table_s
from expertcache.problem.placement import Placement
from expertcache.responses import subset_profile
from expertcache.responses.envelope_profile import envelope_profiles
from expertcache.responses.profile import LayerTerms, layer_terms
from expertcache.responses.subset_profile import subset_profiles
from hypothesis import given, settings
from hypothesis import strategies as st


def random_terms(seed, layers, experts, top_k, rows):
    rng = np.random.default_rng(seed)
    chosen = np.full((rows, top_k), experts)
    for row in chosen:
        size = rng.integers(1, min(top_k, experts) + 1)
        row[rng.permutation(top_k)[:size]] = rng.choice(experts, size=size, replace=False)
    return LayerTerms(rng.integers(0, layers, rows), chosen, rng.random(rows) ** 3 + 1e-3)


def gain_of(terms, layer, members, experts):
    mine = terms.layer == layer
    inside = np.isin(terms.experts, [*members, experts])
    return float(terms.weight_s[mine & inside.all(axis=1)].sum())


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    local=st.sampled_from([0.0, 0.4]),
    others=st.sampled_from([0.0, 0.4]),
)
def test_terms_give_the_gain_of_every_cache(seed, top_k, local, others, random_instance):
    instance = random_instance(seed, top_k=top_k, local=local, models=2, servers=2)
    demand = merged_demand(instance)
    rng = np.random.default_rng(seed)
    cached = rng.random((2, instance.items)) < others
    cached[0] = False
    table = latency_table_s(instance, cached)
    terms = [layer_terms(instance, demand, 0, m, table) for m in range(2)]
    before = evaluate(instance, Placement.of(instance, cached)).saving_s
    for share in (0.3, 0.7):
        cached[0] = rng.random(instance.items) < share
        total = 0.0
        for m in range(2):
            for layer in range(instance.models[m].layers):
                members = [
                    e
                    for e in range(instance.models[m].experts)
                    if cached[0, instance.item(m, layer, e)]
                ]
                total += gain_of(terms[m], layer, members, instance.models[m].experts)
        gain = evaluate(instance, Placement.of(instance, cached)).saving_s - before
        assert total == pytest.approx(gain, abs=1e-12)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), top_k=st.integers(1, 4), rows=st.integers(0, 25))
def test_profiles_against_every_set(seed, top_k, rows):
    L, E = 2, 6
    terms = random_terms(seed, L, E, top_k, rows)
    exact = subset_profiles(terms, L, E)
    loose = envelope_profiles(terms, L, E)
    assert exact.exact
    for layer in range(L):
        for k in range(E + 1):
            best = max(gain_of(terms, layer, s, E) for s in combinations(range(E), k))
            assert exact.gain_s[layer, k] == pytest.approx(best, abs=1e-12)
            assert loose.gain_s[layer, k] <= best + 1e-12
            assert loose.upper_s[layer, k] >= best - 1e-12
            for profile in (exact, loose):
                members = np.flatnonzero(profile.members[layer, k])
                assert len(members) <= k
                assert gain_of(terms, layer, members, E) == pytest.approx(
                    profile.gain_s[layer, k], abs=1e-12
                )
    assert (np.diff(loose.gain_s, axis=1) >= 0).all()
    assert loose.gain_s[:, -1] == pytest.approx(loose.upper_s[:, -1])


@given(seed=st.integers(0, 10**6), rows=st.integers(0, 60))
def test_single_experts_are_exact_for_any_number(seed, rows):
    terms = random_terms(seed, 3, 40, 1, rows)
    profiles = envelope_profiles(terms, 3, 40)
    assert profiles.exact
    assert profiles.shortfall == 0


def test_upper_bound_is_the_concave_envelope():
    for seed in range(10):
        terms = random_terms(seed, 1, 8, 3, 40)
        exact = subset_profiles(terms, 1, 8).gain_s[0]
        k = np.arange(9)
        envelope = np.array(
            [
                max(
                    np.interp(at, [i, j], exact[[i, j]])
                    for i in range(at + 1)
                    for j in range(at, 9)
                    if i < j or i == j == at
                )
                for at in k
            ]
        )
        upper = envelope_profiles(terms, 1, 8).upper_s[0]
        assert (upper >= envelope - 1e-12).all()
        assert (upper <= envelope + 1e-7 * exact[-1]).all()


def test_blocks_of_layers_give_the_same(monkeypatch):
    terms = random_terms(1, 7, 4, 3, 60)
    whole = subset_profiles(terms, 7, 4)
    monkeypatch.setattr(subset_profile, "_TABLE_ENTRIES", 2 << 4)
    parts = subset_profiles(terms, 7, 4)
    assert np.array_equal(whole.gain_s, parts.gain_s)
    assert np.array_equal(whole.members, parts.members)
