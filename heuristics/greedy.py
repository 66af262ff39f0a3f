"""Greedy: again and again the single expert that saves most."""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np

from ..guarantees import Guarantee, no_guarantee
from ..method import Deadline, Limits, Method, Outcome
from ..problem.arrays import sums
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray
from ..problem.placement import Placement
from ..problem.solution import Solution, StoppedBy
from ..problem.terms import Terms, coverage_terms
from ..structure import Structure

#: Gains below this share of the weight of all terms with the item are rounding errors.
_NEGLIGIBLE = 1e-13

Rule = Literal["gain", "density", "best"]


def greedy(instance: Instance, *, limits: Limits, seed: int, rule: Rule = "best") -> Outcome:
    """Add the (server, expert) pair with the largest gain until none fits or helps.

    With K = 1 the saving is monotone submodular, and ranked by gain it is at least 1 / (p + c) of
    the optimum: c is the total curvature, and p the number of experts that must leave a server at
    most so that another one fits. Experts of equal size form a partition matroid, p = 1: at least
    1/2 (Fisher, Nemhauser, Wolsey 1978, doi:10.1007/BFb0121195; with c Conforti, Cornuejols 1984,
    doi:10.1016/0166-218X(84)90003-9). Other sizes form a p-extendible system (Mestre 2006,
    doi:10.1007/11841036_48); docs/guarantees.md has the proof. With K >= 2 there is no guarantee:
    where experts pay only together, every single gain is 0 and greedy stops at once.

    On one server with K = 1 gains add up, so c = 0. Then equal sizes make it optimal; else "best"
    saves at least 1/2 of the optimum, too: the experts by gain per byte until one does not fit, and
    that one, gain at least the optimum, and the pass by gain begins with no less than that one.

    Parameters
    ----------
    instance : Instance
    limits : Limits
    seed : int
        Not used.
    rule : {"best", "gain", "density"}
        Rank pairs by gain, by gain per byte, or run both and keep the better placement.

    Notes
    -----
    All gains are kept exact after every pick by updating the terms that the pick touches. So no
    gain is ever evaluated again; lazy evaluation (Minoux 1978, doi:10.1007/BFb0006528) would do
    more work, and it needs gains that only fall, which holds for K = 1 alone.
    """
    deadline = limits.deadline()
    terms = coverage_terms(instance)
    # With one size both rankings are the same.
    one_size = len(np.unique(instance.item_bytes)) <= 1
    rules = ["gain"] if one_size else ["gain", "density"] if rule == "best" else [rule]
    empty = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    gains = Gains(terms, instance.servers)
    runs = [greedy_pass(instance, gains.copy(), empty, r == "density", deadline) for r in rules]
    savings = [terms.saving_s(cached) for cached, _ in runs]
    best = int(np.argmax(savings))
    done = all(finished for _, finished in runs)
    return Outcome(
        Placement.of(instance, runs[best][0]),
        StoppedBy.FINISHED if done else StoppedBy.TIME,
        meta={"rule": rules[best], "picks": int(runs[best][0].sum())},
    )


def greedy_pass(
    instance: Instance, gains: Gains, start: BoolArray, per_byte: bool, deadline: Deadline
) -> tuple[BoolArray, bool]:
    """Add pairs to a feasible start until none fits or helps.

    Parameters
    ----------
    instance : Instance
    gains : Gains
        Given the start; used up.
    start : bool array [N, I]
    per_byte : bool
        Rank by gain per byte.
    deadline : Deadline

    Returns
    -------
    bool array [N, I]
        The placement.
    bool
        Whether it came to its end.
    """
    cached = start.copy()
    left = instance.capacity_bytes - cached @ instance.item_bytes
    sizes = instance.item_bytes
    least = _NEGLIGIBLE * gains.weight_s
    open_ = (sizes <= left[:, None]) & ~cached
    while True:
        candidate = np.where(open_ & (gains.gain_s > least), gains.gain_s, 0.0)
        if per_byte:
            candidate = candidate / sizes
        best = int(candidate.argmax()) if candidate.size else -1
        if best < 0 or candidate.flat[best] <= 0:
            return cached, True
        if deadline.passed():
            return cached, False
        server, item = divmod(best, instance.items)
        cached[server, item] = True
        left[server] -= sizes[item]
        open_[server] &= sizes <= left[server]
        open_[server, item] = False
        gains.add(server, item)


class Gains:
    """The gain of every (server, item) pair, kept exact while pairs are added.

    Attributes
    ----------
    gain_s : float array [N, I]
        Saving that caching the item on the server would add, in seconds.
    weight_s : float array [I]
        Weight of all terms with the item.
    """

    def __init__(self, terms: Terms, servers: int) -> None:
        self._terms = terms
        self._near: BoolArray = np.zeros((len(terms.server_sets), terms.items + 1), dtype=np.bool_)
        self._near[:, -1] = True  # the padding is never missing
        members = terms.expert_sets[terms.expert_set]
        self._missing: IntArray = terms.sizes()
        # Terms of each item, one item after the other.
        term, column = np.nonzero(members < terms.items)
        item = members[term, column]
        self.weight_s: FloatArray = sums(item, terms.weight_s[term], terms.items)
        order = np.argsort(item, kind="stable")
        self._term: IntArray = term[order]
        self._first: IntArray = np.searchsorted(item[order], np.arange(terms.items + 1))
        self.gain_s: FloatArray = np.zeros((servers, terms.items))
        alone = np.flatnonzero(self._missing == 1)
        self._change(alone, members[alone, 0], terms.weight_s[alone])

    def copy(self) -> Gains:
        """Copy that can be changed by itself."""
        twin = copy.copy(self)
        twin.gain_s = self.gain_s.copy()
        twin._near = self._near.copy()
        twin._missing = self._missing.copy()
        return twin

    def terms_of(self, item: int) -> IntArray:
        """Numbers of the terms with an item."""
        return self._term[self._first[item] : self._first[item + 1]]

    def add(self, server: int, item: int) -> None:
        """Cache an item on a server."""
        terms, touched = self._terms, self.terms_of(item)
        server_set = terms.server_set[touched]
        touched = touched[terms.server_sets[server_set, server] & ~self._near[server_set, item]]
        self._near[terms.server_sets[:, server], item] = True
        paid = touched[self._missing[touched] == 1]
        self._change(paid, np.full(len(paid), item), -terms.weight_s[paid])
        self._missing[touched] -= 1
        one_left = touched[self._missing[touched] == 1]
        members = terms.expert_sets[terms.expert_set[one_left]]
        absent = ~self._near[terms.server_set[one_left][:, None], members]
        last = members[np.arange(len(members)), absent.argmax(axis=1)]
        self._change(one_left, last, terms.weight_s[one_left])
        self.gain_s[server, item] = 0.0

    def _change(self, term: IntArray, item: IntArray, change_s: FloatArray) -> None:
        """Add to the gains of an item on all servers of each term's server set."""
        inside = self._terms.server_sets[self._terms.server_set[term]]
        for n, gain in enumerate(self.gain_s):
            mine = inside[:, n]
            np.add.at(gain, item[mine], change_s[mine])


def only_for_one_expert(instance: Instance) -> str | None:
    """Refuse an instance with a term of several experts: its saving is not submodular."""
    if coverage_terms(instance).sizes().max(initial=0) > 1:
        return "is for K = 1; successive, ascent and local-search take any K"
    return None


def guarantee(structure: Structure, solution: Solution) -> Guarantee:
    """See `greedy`."""
    if solution.stopped_by is not StoppedBy.FINISHED:
        return no_guarantee("stopped early")
    if not structure.single:
        return no_guarantee("K >= 2: single experts may gain nothing")
    rule = "gain" if structure.one_size else solution.options.get("rule", "best")
    if rule == "density":
        return no_guarantee("experts of different sizes, ranked by gain per byte alone")
    p, c = structure.exchange, structure.total_curvature
    if rule == "best" and structure.servers <= 1 and p > 2:
        return Guarantee(0.5, "K = 1, one server")
    moved = "equal size" if p == 1 else f"sizes of which {p} make room for one"
    return Guarantee(1 / (p + c), f"K = 1, total curvature {c:.4g}, experts of {moved}")


METHOD = Method(
    "greedy", "the best single expert, again and again (for K = 1)", greedy, guarantee=guarantee
)
