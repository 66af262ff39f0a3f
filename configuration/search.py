"""A bound and a placement that approach each other: duals, rounding, then HiGHS."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..method import Deadline, Limits
from ..problem.instance import BoolArray, FloatArray, Instance
from ..problem.placement import within_capacities
from ..problem.solution import PROOF_TOLERANCE, StoppedBy
from ..problem.terms import Terms
from .clients import Clients
from .closing import Closed, candidates, close_pairs, close_sets, fixed
from .descent import Descent, descend
from .duals import BytePrices, ClientPrices, Dual, PairPrices
from .kept_sets import KeptSets
from .knapsacks import Knapsacks
from .rounding import climbed, rounded
from .server_sets import Losses, ServerSets

#: A descent ends where bound and placement are this near, as a share of the bound.
_TOLERANCE = PROOF_TOLERANCE / 2

#: Shortest steps on the prices of bytes, of which there are few.
_SHORT = 0.05

#: Sets are kept anew while that lowers the bound, or the gap, by more than this share of the bound.
_WORTH_KEEPING = 1e-4

#: Gap, as a share of the bound, above which prices of clients are tried after prices of bytes: the
#: continuous knapsacks may be what is wrong.
_LARGE_GAP = 2e-3

#: A price of 0 moves in units of this share of the mean price.
_LEAST_SCALE = 1e-3

#: Terms of a covering model that HiGHS is given at most.
_MOST_TERMS = 100_000

#: Price of serving a client at the start, as a share of the most that can be saved.
_FIRST_PRICE = 0.3


class Search:
    """What is known of an instance with K = 1, while it gets better.

    Parameters
    ----------
    instance : Instance
    terms : Terms
        Each of one expert.
    deadline : Deadline

    Attributes
    ----------
    cached : bool array [N, I]
        Best placement so far.
    saving_s : float
        Its saving.
    bound_s : float
        No placement saves more.
    meta : dict
        What else there is to tell: ``rounds`` of descent.
    """

    def __init__(self, instance: Instance, terms: Terms, deadline: Deadline) -> None:
        self._instance = instance
        self._terms = terms
        self._deadline = deadline
        self._clients = Clients.of(instance)
        self._knapsacks = Knapsacks(instance)
        self._sets = ServerSets(self._clients) if ServerSets.fit(self._clients) else None
        self._kept: KeptSets | None = None
        self._kept_bound_s = np.inf
        self._sizes: FloatArray = instance.item_bytes.astype(np.float64)
        self._cost: FloatArray = np.zeros(self._clients.shape)
        self._cost_bound_s = np.inf
        self._step = 0.0
        self.cached: BoolArray = np.zeros(self._clients.shape, dtype=np.bool_)
        self.saving_s = 0.0
        self.bound_s = float(self._clients.most_s.sum())
        self.meta: dict[str, Any] = {"rounds": 0}

    @property
    def proved(self) -> bool:
        """Whether the placement is known to be optimal."""
        return self.bound_s - self.saving_s <= PROOF_TOLERANCE * self.bound_s

    def take(self, cached: BoolArray) -> None:
        """Take a placement after best responses from it, if it is better."""
        saving, cached = climbed(self._clients, self._knapsacks, cached, self._deadline)
        if saving > self.saving_s:
            self.saving_s, self.cached = saving, cached
            self._deadline.watch.tell(saving)

    def round(self, fractions: FloatArray) -> float:
        """Round fractions [N, I], server by server in two orders; the best saving known."""
        servers = range(self._instance.servers)
        for order in (servers, servers[::-1]):
            if not self._deadline.passed():
                self.take(rounded(self._clients, self._knapsacks, fractions, order))
        return self.saving_s

    def descend(self, rounds: float = np.inf, threads: int = 1) -> bool:
        """Lower the bound, and round on the way; whether more rounds would bring nothing.

        Parameters
        ----------
        rounds : float
            At most; where the table of server sets does not fit, rounds are not counted: then it
            begins again from the best placement.
        threads : int
            That look at tables which do not fit together.
        """
        if self._sets is None:
            gap_s = self.bound_s - self.saving_s
            self._keep_sets(threads)
            if self.bound_s - self.saving_s > _LARGE_GAP * self.bound_s:
                self._price_clients()
            return gap_s - (self.bound_s - self.saving_s) <= _WORTH_KEEPING * self.bound_s
        if self._step == 0:
            self._price_bytes(self._sets)
        scale = self._cost + _LEAST_SCALE * float(self._cost.mean() if self._cost.size else 0.0)
        pairs = PairPrices(self._clients, self._knapsacks, self._sets, scale)
        found = self._lower(
            pairs, self._cost, step=self._step or 1.0, rounds=rounds, found=self.round
        )
        self._cost, self._step = found.prices, found.step
        return found.converged

    def _price_bytes(self, sets: ServerSets) -> None:
        """Begin with prices of the servers' bytes."""
        alone = sets.saving_s[:, 1 << np.arange(self._instance.servers)].T
        first = 0.5 * self._knapsacks.best(alone).price
        dual = BytePrices(self._instance, self._clients, sets)
        found = self._lower(dual, first, patience=4, shortest=_SHORT)
        self._cost = found.prices[:, None] * self._sizes

    def _price_clients(self) -> None:
        """Prices of serving clients, for any number of servers."""
        dual = ClientPrices(self._clients, self._knapsacks)
        found = self._lower(dual, _FIRST_PRICE * dual.upper, found=self.round)
        self._cost = dual.costs(found.prices)

    def _keep_sets(self, threads: int) -> None:
        """Prices of the servers' bytes, by the best server sets, where all can be looked at."""
        clients, deadline = self._clients, self._deadline
        if not KeptSets.fit(clients) or KeptSets.seconds(clients, threads) > deadline.remaining_s():
            return
        # What the placement in hand would pay for one byte more.
        gains = [clients.gains_s(self.cached, n) for n in range(self._instance.servers)]
        prices = self._knapsacks.best(np.array(gains).reshape(clients.shape)).price
        while True:
            kept = KeptSets(clients, self._sizes, prices, deadline, threads)
            if not kept.complete:
                return
            dual = BytePrices(self._instance, clients, kept)
            bound = dual(prices).bound_s
            if bound < self._kept_bound_s:
                self._kept, self._kept_bound_s = kept, bound
            found = self._lower(dual, prices, patience=4, shortest=_SHORT)
            if bound - found.bound_s <= _WORTH_KEEPING * bound or self.proved or deadline.passed():
                return
            prices = found.prices

    def _lower(self, dual: Dual, prices: FloatArray, **settings: Any) -> Descent:
        found = descend(
            dual, prices, self.saving_s, self._deadline, tolerance=_TOLERANCE, **settings
        )
        self.meta["rounds"] += found.rounds
        self._cost_bound_s = found.bound_s
        self.bound_s = min(self.bound_s, found.bound_s)
        self._deadline.watch.tell(self.saving_s, self.bound_s)
        self.round(found.mean)
        return found

    def open_sets(self) -> int:
        """Sets of servers, over all experts, that the prices leave open, of those at hand."""
        losses, bound = self._losses()
        return 0 if losses is None else len(candidates(losses, bound - self.saving_s).item)

    def others_open(self) -> bool:
        """Whether a set that is not at hand may be in a better placement."""
        if self._kept is None:
            return False
        return self._kept.losses().others_s <= self._kept_bound_s - self.saving_s

    def close(self, limits: Limits, seed: int, most: int) -> StoppedBy:
        """Let HiGHS choose among what the prices leave open; why it stopped.

        Parameters
        ----------
        limits : Limits
        seed : int
        most : int
            Sets of servers, over all experts, to choose from: the best ones if there are more.
        """
        losses, bound = self._losses()
        if losses is None:
            return self.close_pairs(limits, seed)
        limits = self._deadline.limits(nodes=limits.nodes, threads=limits.threads)
        chosen = candidates(losses, bound - self.saving_s, most)
        closed = close_sets(self._instance, self._clients, chosen, self.cached, limits, seed)
        # A placement with another set loses more than they do.
        return self._learn(closed, bound - chosen.loss_s)

    def _losses(self) -> tuple[Losses | None, float]:
        """What sets of servers lose at some prices, and the bound there."""
        if self._sets is not None:
            return self._sets.losses(self._cost), self._cost_bound_s
        return None if self._kept is None else self._kept.losses(), self._kept_bound_s

    def close_pairs(self, limits: Limits, seed: int) -> StoppedBy:
        """Let HiGHS cache the pairs that the prices leave open, all before there are prices."""
        if len(self._terms) > _MOST_TERMS:
            return StoppedBy.FINISHED
        gap = self._cost_bound_s - self.saving_s
        limits = self._deadline.limits(nodes=limits.nodes, threads=limits.threads)
        packed = self._knapsacks.best(self._cost)
        free, held = fixed(self._cost, self._instance.item_bytes, packed, gap)
        closed = close_pairs(self._instance, self._terms, free, held, self.cached, limits, seed)
        return self._learn(closed, -np.inf)

    def _learn(self, closed: Closed, beyond_s: float) -> StoppedBy:
        """Take note of what HiGHS found, where what it was not given saves at most so much."""
        self.meta["nodes"] = self.meta.get("nodes", 0) + closed.result.nodes
        if closed.cached is not None:
            self.take(within_capacities(self._instance, closed.cached))
        self.bound_s = min(self.bound_s, max(closed.bound_s, beyond_s, self.saving_s))
        self._deadline.watch.tell(self.saving_s, self.bound_s)
        return closed.result.stopped_by
