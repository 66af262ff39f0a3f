"""Laws over the sets of K experts that a token activates in one layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..problem.arrays import sums
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, IntArray

#: The largest miss of a marginal that still counts as reproduced.
MARGINAL_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class SetLaw:
    """A probability for each set of a support.

    Attributes
    ----------
    sets : int array [S, K]
        Distinct ascending sets of experts.
    probability : float array [S]
        Sums to 1.
    """

    sets: IntArray
    probability: FloatArray

    def marginals(self, experts: int) -> FloatArray:
        """Probability that each expert is in the set; [E], sums to K."""
        weights = np.repeat(self.probability, self.sets.shape[1])
        return sums(self.sets.ravel(), weights, experts)


def all_sets(experts: int, size: int) -> IntArray:
    """Every set of `size` experts in lexicographic order; [S, K]."""
    sets = list(combinations(range(experts), size))
    return np.array(sets, dtype=np.int64).reshape(len(sets), size)


def pairs_in_groups(sets: IntArray, group: IntArray) -> IntArray:
    """How many pairs of each set lie in one group; [S]."""
    groups = group[sets]
    same = groups[:, :, None] == groups[:, None, :]
    pairs: IntArray = (same.sum(axis=(1, 2)) - sets.shape[1]) // 2
    return pairs


def generated_law(
    experts: int,
    size: int,
    *,
    skew: float,
    coactivation: float,
    max_sets: int,
    rng: np.random.Generator,
) -> SetLaw:
    """Draw the law of one layer.

    Popularity weights are Zipf(`skew`) in random order; random groups of `size` experts are the
    ones that like to come together. With at most `max_sets` sets the law is the maximum-entropy
    one: ``p(S) ~ prod_{i in S} w_i * exp(coactivation * pairs of S in one group)``, where w keeps
    every expert's marginal at its value without co-activation. Otherwise `max_sets` sets are
    drawn, expert after expert, and their frequencies are the law; a group then also changes the
    marginals.

    Returns
    -------
    SetLaw
    """
    weight = rng.permutation(np.arange(1, experts + 1, dtype=float) ** -skew)
    group = rng.permutation(experts) // max(size, 2)
    if math.comb(experts, size) <= max_sets:
        sets = all_sets(experts, size)
        plain = np.prod(weight[sets], axis=1)
        law = SetLaw(sets, plain / plain.sum())
        if coactivation == 0 or size == 1:
            return law
        bonus = np.multiply(coactivation, pairs_in_groups(sets, group), dtype=np.float64)
        return SetLaw(sets, fit_max_entropy(sets, law.marginals(experts), bonus))
    chosen = np.zeros((max_sets, experts), dtype=np.bool_)
    together = np.zeros((max_sets, experts))  # members of each expert's group already chosen
    for _ in range(size):
        # Gumbel noise makes the largest entry a draw in proportion to exp(score).
        score = np.log(weight) + coactivation * together + rng.gumbel(size=chosen.shape)
        pick = np.where(chosen, -np.inf, score).argmax(axis=1)
        chosen[np.arange(max_sets), pick] = True
        together += group[pick][:, None] == group
    return _counted(np.nonzero(chosen)[1].reshape(max_sets, size))


def max_entropy_law(
    marginals: FloatArray, size: int, *, max_sets: int, rng: np.random.Generator
) -> SetLaw:
    """Maximum-entropy law of sets of `size` experts with the given marginals.

    This is the conditional Poisson law (Chen, Dempster, Liu 1994, doi:10.1093/biomet/81.3.457).
    With more than `max_sets` possible sets, `max_sets` are drawn from it, the few sets of a
    systematic sample (Madow 1949) join them, and the law of maximum entropy on these is returned,
    which has the given marginals too.

    Parameters
    ----------
    marginals : float array [E]
        Probability that each expert is in the set; between 0 and 1, sums to `size`.

    Raises
    ------
    InputError
        If no law has these marginals, or none on the drawn sets.
    """
    if marginals.min() < 0 or abs(marginals.sum() - size) > 1e-6:
        raise InputError(f"marginals must be >= 0 and sum to {size}")
    if marginals.max() > 1 + 1e-12:
        expert = int(marginals.argmax())
        raise InputError(f"expert {expert} would be in {marginals[expert]:.3f} sets per token")
    marginals = marginals * (size / marginals.sum())
    certain = np.flatnonzero(marginals > 1 - 1e-12)
    open_ = np.flatnonzero((marginals > 0) & (marginals <= 1 - 1e-12))
    left = size - len(certain)
    target = marginals[open_]
    if math.comb(len(open_), left) <= max_sets:
        inner = all_sets(len(open_), left)
        bonus = np.zeros(len(inner))
    else:
        weight = poisson_weights(target, left)
        drawn = _draw_poisson(weight, left, max_sets, rng)
        # These sets alone have a law with the marginals, so the fit below always has a solution.
        exact = [_systematic_sets(target, left, rng.permutation(len(target))) for _ in range(4)]
        inner = _counted(np.concatenate([drawn, *exact])).sets
        bonus = np.log(weight)[inner].sum(axis=1)
    probability = fit_max_entropy(inner, target, bonus) if left else np.ones(1)
    fixed = np.broadcast_to(certain, (len(inner), len(certain)))
    return SetLaw(np.sort(np.hstack([open_[inner], fixed]), axis=1), probability)


def fit_max_entropy(sets: IntArray, marginals: FloatArray, bonus: FloatArray) -> FloatArray:
    """Law ``p(S) ~ exp(bonus(S) + sum_{i in S} theta_i)`` with the given marginals.

    Newton's method on the convex dual ``log sum_S exp(...) - theta * marginals``.

    Parameters
    ----------
    sets : int array [S, K]
    marginals : float array [E]
    bonus : float array [S]

    Returns
    -------
    float array [S]

    Raises
    ------
    InputError
        If no law on these sets has the marginals.
    """
    E = len(marginals)
    member = np.zeros((len(sets), E))
    member[np.arange(len(sets))[:, None], sets] = 1.0

    def dual(theta: FloatArray) -> tuple[float, FloatArray]:
        score = bonus + member @ theta
        top = score.max()
        weight = np.exp(score - top)
        total = weight.sum()
        return float(top + np.log(total) - theta @ marginals), weight / total

    theta = np.zeros(E)
    value, p = dual(theta)
    for _ in range(200):
        mean = p @ member
        gradient = mean - marginals
        if np.abs(gradient).max(initial=0.0) < MARGINAL_TOLERANCE * 1e-4:
            return p
        hessian = (member.T * p) @ member - np.outer(mean, mean)
        # The sum of all members is constant, so one direction is flat; the ridge settles it.
        hessian[np.diag_indices(E)] += 1e-12 * max(1.0, float(np.trace(hessian)))
        step = np.linalg.solve(hessian, -gradient)
        length = min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-300))
        slope = float(gradient @ step)
        while length > 1e-10:
            trial, trial_p = dual(theta + length * step)
            if trial <= value + 1e-4 * length * slope + 1e-15 * abs(value):
                break
            length /= 2
        else:
            break
        theta = theta + length * step
        value, p = trial, trial_p
    if np.abs(p @ member - marginals).max(initial=0.0) > MARGINAL_TOLERANCE:
        raise InputError(
            f"no law on {len(sets)} expert sets has the given marginals; allow more sets"
        )
    return p


def _counted(sets: IntArray) -> SetLaw:
    distinct, count = np.unique(np.sort(sets, axis=1), axis=0, return_counts=True)
    return SetLaw(distinct, count / len(sets))


def poisson_weights(marginals: FloatArray, size: int, *, damped: bool = False) -> FloatArray:
    """Weights whose conditional Poisson law has the marginals (fixed point of the 1994 paper).

    Parameters
    ----------
    marginals : float array [E]
        Between 0 and 1, of sum `size`.
    size : int
        Less than E.
    damped : bool
        Go half of each step. Whole ones are faster, but those of two experts never settle.

    Returns
    -------
    float array [E]
        Up to a common factor; the marginals are met to 1e-6.
    """
    E = len(marginals)
    weight = marginals / (1 - marginals)
    for _ in range(10_000):
        weight = weight / np.exp(np.log(weight).mean())
        # Elementary symmetric sums of all weights but one, for every one left out.
        sums = np.zeros((E, size + 1))
        sums[:, 0] = 1.0
        for i in range(E):
            others = np.arange(E) != i
            sums[others, 1:] += weight[i] * sums[others, :-1]
        inside = weight * sums[:, size - 1]
        current = inside / (inside + sums[:, size])
        # Sampling needs the weights only roughly: the draws are fitted afterwards.
        if np.abs(current - marginals).max() < 1e-6:
            break
        corrected = weight * marginals / (1 - marginals) * (1 - current) / current
        weight = np.sqrt(weight * corrected) if damped else corrected
    return weight


def _systematic_sets(marginals: FloatArray, size: int, order: IntArray) -> IntArray:
    """Sets of all systematic samples with experts in the given order; [<= E, size]."""
    ends = np.cumsum(marginals[order])
    ends *= size / ends[-1]
    starts = np.unique(np.concatenate([[0.0], ends % 1.0]))
    # Any point between two neighbouring breakpoints picks the same set.
    middle = (starts + np.append(starts[1:], 1.0)) / 2
    at = np.searchsorted(ends, middle[:, None] + np.arange(size), side="right")
    sets: IntArray = np.sort(order[np.minimum(at, len(order) - 1)], axis=1)
    distinct: BoolArray = np.all(sets[:, 1:] != sets[:, :-1], axis=1)
    return sets[distinct]


def _draw_poisson(weight: FloatArray, size: int, draws: int, rng: np.random.Generator) -> IntArray:
    """Sets from the conditional Poisson law, expert after expert; [draws, size]."""
    E = len(weight)
    # rest[i, k]: elementary symmetric sum of order k over the experts i, i + 1, ...
    rest = np.zeros((E + 1, size + 1))
    rest[:, 0] = 1.0
    for i in range(E - 1, -1, -1):
        rest[i, 1:] = rest[i + 1, 1:] + weight[i] * rest[i + 1, :-1]
    need = np.full(draws, size)
    chosen = np.zeros((draws, E), dtype=np.bool_)
    for i in range(E):
        take = weight[i] * rest[i + 1, np.maximum(need - 1, 0)] / rest[i, need]
        chosen[:, i] = (need > 0) & (rng.random(draws) < take)
        need = need - chosen[:, i]
    return np.nonzero(chosen)[1].reshape(draws, size)
