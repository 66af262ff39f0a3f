import math
from itertools import combinations

import numpy as np
import pytest
from expertcache.instances.set_law import (
    MARGINAL_TOLERANCE,
    all_sets,
    fit_max_entropy,
    generated_law,
    max_entropy_law,
    pairs_in_groups,
)
from expertcache.problem.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st


def law_of(experts, size, seed=0, *, skew=0.8, coactivation=1.0, max_sets=1000):
    return generated_law(
        experts,
        size,
        skew=skew,
        coactivation=coactivation,
        max_sets=max_sets,
        rng=np.random.default_rng(seed),
    )


def brute_force_marginals(law, experts):
    pairs = list(zip(law.sets.tolist(), law.probability, strict=True))
    return np.array([math.fsum(p for s, p in pairs if e in s) for e in range(experts)])


def assert_proper(law, experts, size):
    assert law.sets.shape == (len(law.probability), size)
    assert law.probability.min() >= 0
    assert law.probability.sum() == pytest.approx(1, abs=1e-9)
    rows = law.sets.tolist()
    assert all(row == sorted(set(row)) for row in rows)
    assert len({tuple(row) for row in rows}) == len(rows)
    assert law.sets.min() >= 0
    assert law.sets.max() < experts
    assert np.allclose(law.marginals(experts), brute_force_marginals(law, experts), atol=1e-12)
    assert law.marginals(experts).sum() == pytest.approx(size, abs=1e-8)


def random_marginals(rng, experts, size):
    """A random point of {0 <= m <= 1, sum m = size}, from flat to very skewed, corners included."""
    weight = rng.gamma(rng.choice([0.1, 0.5, 2.0, 20.0]), size=experts) + 1e-9
    if rng.random() < 0.2:
        weight[rng.permutation(experts)[: rng.integers(0, experts - size + 1)]] = 0.0
    marginals = np.zeros(experts)
    full = np.zeros(experts, dtype=bool)
    for _ in range(experts + 1):
        rest = ~full
        if not weight[rest].sum() > 0:
            break
        marginals[rest] = weight[rest] / weight[rest].sum() * (size - full.sum())
        over = rest & (marginals >= 1)
        if not over.any():
            break
        marginals[over] = 1.0
        full |= over
    return marginals


def test_all_sets():
    assert all_sets(4, 2).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert all_sets(3, 3).tolist() == [[0, 1, 2]]


def test_pairs_in_groups():
    group = np.array([0, 0, 0, 1, 1, 1])
    sets = np.array([[0, 1, 2], [0, 1, 3], [0, 3, 4]])
    assert pairs_in_groups(sets, group).tolist() == [3, 1, 1]


@given(
    seed=st.integers(0, 10**6),
    experts=st.integers(1, 12),
    size=st.integers(1, 4),
    skew=st.floats(0, 2),
    coactivation=st.floats(0, 4),
    max_sets=st.sampled_from([20, 1000]),
)
def test_generated_laws_are_laws(seed, experts, size, skew, coactivation, max_sets):
    size = min(size, experts)
    law = law_of(experts, size, seed, skew=skew, coactivation=coactivation, max_sets=max_sets)
    assert_proper(law, experts, size)


@pytest.mark.parametrize("experts", [40, 64, 128])
@pytest.mark.parametrize("size", [1, 4, 8])
def test_large_laws_have_a_sampled_support(experts, size):
    # For K = 1 all sets fit, and nothing is drawn.
    law = law_of(experts, size, max_sets=200)
    assert_proper(law, experts, size)
    if size > 1:
        assert len(law.sets) <= 200
        counts = law.probability * 200
        assert np.allclose(counts, counts.round(), atol=1e-9)


def test_one_expert_per_token_is_zipf():
    law = law_of(6, 1, skew=0.7, coactivation=3.0)
    zipf = np.arange(1, 7) ** -0.7
    assert np.allclose(np.sort(law.probability)[::-1], zipf / zipf.sum())


def test_skew_zero_is_uniform():
    law = law_of(7, 3, skew=0, coactivation=0)
    assert np.allclose(law.probability, 1 / math.comb(7, 3))


@pytest.mark.parametrize("seed", range(5))
def test_without_coactivation_only_popularity_counts(seed):
    # p({a, b}) ~ w_a * w_b: the odds between a and b are the same next to every third expert.
    law = law_of(6, 2, seed, coactivation=0)
    p = {frozenset(s): q for s, q in zip(law.sets.tolist(), law.probability, strict=True)}
    weight = np.ones(6)
    for e in range(2, 6):
        weight[e] = p[frozenset({0, e})] / p[frozenset({0, 1})]
    weight[0] = p[frozenset({1, 2})] ** -1 * p[frozenset({0, 1})] * weight[2]
    for a, b in combinations(range(1, 6), 2):
        assert p[frozenset({a, b})] / p[frozenset({1, 2})] == pytest.approx(
            weight[a] * weight[b] / weight[2]
        )
    ranked = np.sort(weight[1:] / weight[1:].max())[::-1]
    # Without expert 0, the weights are Zipf's with one rank left out.
    zipf = np.arange(1, 7) ** -0.8
    left_out = [np.delete(zipf, r) / np.delete(zipf, r).max() for r in range(6)]
    assert any(np.allclose(ranked, want) for want in left_out)


@pytest.mark.parametrize("seed", range(10))
def test_coactivation_keeps_the_marginals_and_raises_the_pairs_of_a_group(seed):
    plain = law_of(6, 2, seed, coactivation=0)
    law = law_of(6, 2, seed, coactivation=1.5)
    assert np.array_equal(plain.sets, law.sets)
    assert np.allclose(law.marginals(6), plain.marginals(6), rtol=0, atol=1e-8)
    log_ratio = np.log(law.probability / plain.probability)
    raised = np.argsort(-log_ratio)[:3]
    # Groups of two: the three pairs that gain are disjoint.
    assert sorted(law.sets[raised].ravel().tolist()) == list(range(6))
    assert (law.probability[raised] > plain.probability[raised]).all()
    # log p' - log p = theta_a + theta_b + 1.5 for these pairs and theta_a + theta_b for the others.
    member = np.zeros((len(law.sets), 7))
    np.put_along_axis(member, law.sets, 1.0, axis=1)
    member[raised, 6] = 1.0
    theta, residual, _, _ = np.linalg.lstsq(member, log_ratio)
    assert theta[6] == pytest.approx(1.5, abs=1e-6)
    assert residual.max(initial=0) < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_coactivation_brings_whole_groups_together(seed):
    together = []
    for strength in (0.0, 0.5, 1.0, 2.0):
        law = law_of(6, 3, seed, coactivation=strength, skew=0.5)
        assert np.allclose(
            law.marginals(6), law_of(6, 3, seed, coactivation=0, skew=0.5).marginals(6), atol=1e-8
        )
        together.append(law.probability)
    ratio = together[-1] / together[0]
    # Two groups of three: exactly their two sets gain most, and more with more strength.
    best = np.argsort(-ratio)[:2]
    assert sorted(all_sets(6, 3)[best].ravel().tolist()) == list(range(6))
    assert (np.diff([p[best].sum() for p in together]) > 0).all()


@given(seed=st.integers(0, 10**6), experts=st.integers(2, 12), size=st.integers(1, 4))
def test_enumerated_law_has_the_marginals(seed, experts, size):
    size = min(size, experts)
    rng = np.random.default_rng(seed)
    marginals = random_marginals(rng, experts, size)
    law = max_entropy_law(marginals, size, max_sets=1000, rng=rng)
    assert_proper(law, experts, size)
    assert np.allclose(law.marginals(experts), marginals, rtol=0, atol=2 * MARGINAL_TOLERANCE)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    experts=st.integers(40, 128),
    size=st.integers(4, 8),
    max_sets=st.sampled_from([1, 50, 300]),
)
def test_sampled_law_has_the_marginals(seed, experts, size, max_sets):
    rng = np.random.default_rng(seed)
    marginals = random_marginals(rng, experts, size)
    law = max_entropy_law(marginals, size, max_sets=max_sets, rng=rng)
    assert_proper(law, experts, size)
    assert len(law.sets) <= max_sets + 4 * experts
    assert np.allclose(law.marginals(experts), marginals, rtol=0, atol=2 * MARGINAL_TOLERANCE)


@pytest.mark.parametrize("max_sets", [1000, 3])
def test_certain_and_unused_experts(max_sets):
    marginals = np.array([1.0, 0.0, 0.5, 0.5, 0.25, 0.75, 0.0])
    law = max_entropy_law(marginals, 3, max_sets=max_sets, rng=np.random.default_rng(0))
    assert_proper(law, 7, 3)
    assert (law.sets == 0).any(axis=1).all()
    assert not np.isin(law.sets, [1, 6]).any()
    assert np.allclose(law.marginals(7), marginals, atol=1e-8)


def test_only_certain_experts():
    law = max_entropy_law(np.array([0.0, 1.0, 1.0]), 2, max_sets=9, rng=np.random.default_rng(0))
    assert law.sets.tolist() == [[1, 2]]
    assert law.probability.tolist() == [1.0]


@pytest.mark.parametrize(
    "marginals", [[1.2, 0.4, 0.4], [-0.1, 1.0, 1.1], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]]
)
def test_infeasible_marginals_are_refused(marginals):
    with pytest.raises(InputError):
        max_entropy_law(np.array(marginals), 2, max_sets=9, rng=np.random.default_rng(0))


def test_marginals_outside_of_the_support_are_refused():
    # Experts 0 and 1 always come together here, so their marginals cannot differ.
    with pytest.raises(InputError, match="no law on 2 expert sets"):
        fit_max_entropy(np.array([[0, 1], [2, 3]]), np.array([0.6, 0.4, 0.5, 0.5]), np.zeros(2))


@given(seed=st.integers(0, 10**6), experts=st.integers(2, 7), size=st.integers(1, 4))
def test_conditional_poisson_law_is_the_product_form(seed, experts, size):
    size = min(size, experts - 1)
    rng = np.random.default_rng(seed)
    weight = np.exp(rng.normal(scale=1.5, size=experts))
    product = {s: math.prod(weight[list(s)]) for s in combinations(range(experts), size)}
    total = math.fsum(product.values())
    marginals = np.array(
        [math.fsum(v for s, v in product.items() if e in s) / total for e in range(experts)]
    )
    law = max_entropy_law(marginals, size, max_sets=1000, rng=rng)
    assert [tuple(s) for s in law.sets.tolist()] == list(product)
    assert np.allclose(law.probability, np.array(list(product.values())) / total, atol=1e-8)


def test_sampled_sets_follow_the_law():
    # 56 sets, 50 draws: the support is drawn, and over many seeds the probabilities average to
    # the product form.
    weight = np.arange(1.0, 9.0)
    sets = all_sets(8, 3)
    product = np.prod(weight[sets], axis=1)
    product /= product.sum()
    marginals = np.bincount(sets.ravel(), np.repeat(product, 3))
    mean = np.zeros((8, 8, 8))
    for seed in range(300):
        law = max_entropy_law(marginals, 3, max_sets=50, rng=np.random.default_rng(seed))
        assert len(law.sets) < 56
        mean[tuple(law.sets.T)] += law.probability / 300
    assert np.abs(mean[tuple(sets.T)] - product).sum() / 2 < 0.05


def test_equal_seeds_give_equal_laws():
    marginals = random_marginals(np.random.default_rng(1), 40, 4)
    first, second = (
        max_entropy_law(marginals, 4, max_sets=100, rng=np.random.default_rng(7)) for _ in range(2)
    )
    assert np.array_equal(first.sets, second.sets)
    assert np.array_equal(first.probability, second.probability)
