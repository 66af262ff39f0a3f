"""Layer decomposition: a price on every server's storage makes each layer a problem of its own."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, Self

import numpy as np

from ..linear.quiet import discard_stdout
from ..method import Deadline, Limits
from ..problem.instance import BoolArray, FloatArray, Instance
from ..problem.layers import Layer, split_layers
from ..problem.terms import coverage_terms
from .join import Allowed, Columns, allowed_losses, best_columns
from .layer_tree import Beyond, Good
from .master import PriceMaster
from .pricing import LayerPricing, Priced, Pricing, may_be_exact

#: The dual is solved when bound and master agree to this share; from the second share on prices are
#: no longer smoothed, and relaxations give way to exact pricing.
_CONVERGED, _SMOOTHED = 1e-6, 1e-3

#: First prices, the last one first, as multiples of a good placement's saving for each unit of
#: room.
_FIRST_PRICES = (0.25, 0.5, 1.0)

#: Weight of the master's prices in the next ones; the rest is the best prices so far.
_STEP = 0.5

#: Prices that differ by less, as a share of the largest, are the same.
_SAME_PRICES = 1e-9

#: Share of the gap that the relaxations' bounds may be too large by, all together.
_SLACK_SHARE = 0.05

#: Rounds in a row in which neither bound nor master moves.
_PATIENCE = 20

#: Rounds of exact pricing that run out of time: more of them would, too.
_STOPPED_ROUNDS = 2

#: Share of the time left that one round of integer programs may take, and what a single layer may
#: take, in equal shares of the layers.
_ROUND_SHARE, _LARGEST_SHARE = 0.3, 4.0


class Round(NamedTuple):
    """A certified round.

    Attributes
    ----------
    seconds : float
        Since the start.
    bound_s : float
        No placement's saving is larger; the best so far.
    master_s : float
        The bound cannot fall below this, but for heuristic columns of relaxations.
    pricing : dict
        How many layers were priced in which way.
    """

    seconds: float
    bound_s: float
    master_s: float
    pricing: dict[str, int]


class Within(NamedTuple):
    """What `Decomposition.within` found.

    Attributes
    ----------
    cached : bool array [N, I] or None
        The best placement it met; None if none loses so little.
    bound_s : float
        No placement saves more.
    """

    cached: BoolArray | None
    bound_s: float


class Decomposition:
    """Lagrangian relaxation of the capacities, by column generation.

    With a price ``p[n] >= 0`` on the storage of server n, no placement saves more than ::

        sum_n p[n] * room[n]  +  sum_l max_x (gain_l(x) - sum_n p[n] * weight[n, l] * used[n](x))

    and the maxima are independent of each other. The restricted master problem proposes prices
    (Dantzig, Wolfe 1960, doi:10.1287/opre.8.1.101; stabilised by smoothing, Wentges 1997,
    doi:10.1016/S0969-6016(97)00001-4). Layers are priced by their relaxations, no further than the
    gap needs, until these have little more to give, then exactly. A context manager: it may hold
    processes.

    Parameters
    ----------
    instance : Instance
    threads : int
        Processes that price layers.
    """

    def __init__(self, instance: Instance, threads: int = 1) -> None:
        self.instance = instance
        self.terms = coverage_terms(instance)
        self.layers = split_layers(instance, self.terms)
        self.master = PriceMaster(instance, self.layers)
        self.threads = min(threads, max(1, len(self.layers)))
        self._pool = _workers(self.layers, self.threads)
        #: The bound at the best prices so far, in seconds.
        self.dual_s = np.inf
        self._total_s = float(self.terms.weight_s.sum())
        self.converged = not self.layers
        self.pricing: dict[str, int] = {}
        self._integer = False
        self._priced_at, self._slack_s = np.full(instance.servers, np.nan), np.inf
        self._priced: dict[int, Priced] = {}
        self._best_prices, self._best_priced = self._priced_at, self._priced

    @property
    def bound_s(self) -> float:
        """No placement saves more, in seconds."""
        return min(self.dual_s, self._total_s)

    def __enter__(self) -> Self:
        self._run = self._pool.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._pool.__exit__(*error)

    def add(self, cached: BoolArray) -> None:
        """Make the layers of a placement [N, I] known to the master."""
        for number, layer in enumerate(self.layers):
            self.master.add(number, cached[:, layer.own])

    def rounds(self, deadline: Deadline) -> Iterator[Round]:
        """Improve the bound, round by round, until it is as good as it gets or time is over."""
        if not self.layers:
            return
        began = time.monotonic()
        density = self.master.prices()[1] / max(float(self.master.room.sum()), 1e-300)
        ahead = [np.full(self.instance.servers, factor * density) for factor in _FIRST_PRICES]
        prices = ahead.pop()
        idle, stopped, known = 0, 0, (np.inf, 0.0)
        gap, tight = self._total_s, False
        while not self.converged and not deadline.passed():
            exactly = tight or self._integer
            slack = 0.0 if exactly else _SLACK_SHARE * gap / len(self.layers)
            added = self._certified(prices, slack, deadline)
            proposed, value = self.master.prices()
            step = max(known[0] - self.dual_s, value - known[1])
            idle = 0 if step > _CONVERGED * self.bound_s else idle + 1
            known = self.dual_s, value
            gap = self.bound_s - value
            moved = np.abs(proposed - prices).max()
            stuck = not added and moved <= _SAME_PRICES * max(prices.max(), density)
            if stuck and not exactly:
                tight, proposed = True, prices
            elif gap <= _SMOOTHED * self.bound_s or stuck or idle >= _PATIENCE:
                if not self._integer and self._begin_integer():
                    idle, proposed = 0, self.master.prices()[0]
                elif gap <= _CONVERGED * self.bound_s:
                    self.converged = True
                elif stuck:
                    # Nothing is left but rounding, or layers that need more time.
                    self.converged = Pricing.STOPPED not in self._pricings()
                    proposed = prices
            elif added and not self._integer:
                # Without new columns the master knows better than the best prices so far.
                proposed = _STEP * proposed + (1 - _STEP) * self._best_prices
            yield Round(time.monotonic() - began, self.bound_s, value, self.pricing)
            stopped += self._integer and Pricing.STOPPED in self._pricings()
            if idle >= _PATIENCE or stopped >= _STOPPED_ROUNDS:
                return
            prices = ahead.pop() if ahead else proposed

    def _pricings(self) -> set[Pricing]:
        """How the layers were priced last."""
        return {priced.pricing for priced in self._priced.values()}

    def _begin_integer(self) -> bool:
        """Price exactly from now on; whether that can change anything."""
        self._integer = True
        relaxed = [n for n, p in self._best_priced.items() if p.pricing is not Pricing.EXACT]
        for number in range(len(self.layers)):
            if may_be_exact(self.layers[number]):
                self.master.drop_fractional(number)
        return any(may_be_exact(self.layers[number]) for number in relaxed)

    def within(self, loss_s: float, most_s: float, deadline: Deadline) -> Within | None:
        """Look at all placements in which no layer loses more than `loss_s` against the bound.

        At the bound's prices a placement loses, against the bound, what each layer's part is worth
        less than the layer's best, and the price of unused room. So no layer's part may lose more
        than the whole (reduced-cost enumeration, as Baldacci, Christofides, Mingozzi 2008,
        doi:10.1007/s10107-007-0178-5, for routes): `good_placements` lists all those, and
        `best_columns` puts them together.

        Parameters
        ----------
        loss_s : float
            Of a single layer's part.
        most_s : float
            Of a whole placement.
        deadline : Deadline

        Returns
        -------
        Within or None
            None if a layer is too large, or was priced without an end, or time was over.
        """
        weight, priced = self.master.weight, self._best_priced
        stopped = any(p.pricing is Pricing.STOPPED for p in priced.values())
        if len(priced) < len(self.layers) or stopped or (weight != np.floor(weight)).any():
            return None
        found = self._good(loss_s, deadline, None)
        if found is None:
            return None
        choice = best_columns(self._columns(found), most_s, deadline)
        known = min(choice.least_loss, loss_s)
        most_s = min(choice.loss, most_s)
        if known == loss_s < most_s <= 2 * loss_s:
            # No two layers lose more than half each: if one does, the others' parts are known.
            allowed = allowed_losses(self._columns(found), most_s, deadline)
            more = None if allowed is None else self._good(most_s, deadline, allowed)
            if more is not None:
                both = [Good.join(parts) for parts in zip(found, more, strict=True)]
                last = best_columns(self._columns(both), most_s, deadline)
                known = last.least_loss
                if last.columns is not None:
                    found, choice = both, last
        bound = self.dual_s - known
        if choice.columns is None:
            return Within(None, bound)
        cached = np.zeros((self.instance.servers, self.instance.items), dtype=np.bool_)
        for layer, good, column in zip(self.layers, found, choice.columns, strict=True):
            cached[:, layer.own] = good.cached(column)
        return Within(cached, bound)

    def _good(
        self, loss_s: float, deadline: Deadline, allowed: list[Allowed] | None
    ) -> list[Good] | None:
        """Placements of each layer that lose at most so much, and perhaps less for some counts."""
        weight = self.master.weight.astype(np.int64)
        tasks = []
        for n in range(len(self.layers)):
            beyond = None
            if allowed is not None:
                short = np.maximum(loss_s - allowed[n].loss, 0.0)
                beyond = Beyond(weight[:, n], allowed[n].modulus, short)
            least = self._best_priced[n].bound_s - loss_s
            tasks.append((n, weight[:, n] * self._best_prices, least, deadline, beyond))
        found: list[Good] = []
        for good in self._run(_list_good, tasks):
            if good is None:
                return None
            found.append(good)
        return found

    def _columns(self, found: list[Good]) -> Columns:
        """What placements take and lose."""
        weight, priced = self.master.weight.astype(np.int64), self._best_priced
        lost = [priced[n].bound_s - good.value_s for n, good in enumerate(found)]
        return Columns(
            [good.counts * weight[:, n] for n, good in enumerate(found)],
            [np.maximum(loss, 0.0) for loss in lost],
            np.floor(self.master.room).astype(np.int64),
            self._best_prices,
        )

    def _certified(self, prices: FloatArray, slack_s: float, deadline: Deadline) -> int:
        """Price all layers with certificates; the number of columns that were new."""
        if slack_s < self._slack_s or not np.array_equal(prices, self._priced_at):
            self._priced_at, self._slack_s, self._priced = prices, slack_s, {}
        todo = [
            number
            for number in range(len(self.layers))
            if number not in self._priced
            or self._priced[number].pricing is Pricing.STOPPED
            or (self._priced[number].pricing is Pricing.LP and self._integer)
        ]
        # Most layers take far less than an equal share of the time.
        share = _LARGEST_SHARE * deadline.remaining_s() * self.threads / max(1, len(todo))
        until = deadline.part(_ROUND_SHARE)
        tasks = [
            (
                number,
                self.master.weight[:, number] * prices,
                self.master.best(number, prices, 1)[0],
                slack_s,
                deadline,
                until if self._integer else None,
                share,
            )
            for number in todo
        ]
        added, bound = 0, float(prices @ self.master.room)
        for number, priced in zip(todo, self._run(_price_layer, tasks), strict=True):
            self._priced[number] = priced
            added += self.master.add(number, priced.cached)
            if priced.fractional is not None:
                added += self.master.add_fractional(number, *priced.fractional)
        bound += sum(priced.bound_s for priced in self._priced.values())
        # Room for the rounding of this very sum.
        bound *= 1 + 1e-12
        if bound < self.dual_s:
            self.dual_s = bound
            self._best_prices, self._best_priced = prices, dict(self._priced)
            self.pricing = dict(Counter(p.pricing.value for p in self._priced.values()))
        return added


_Run = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]
_Work = dict[int, LayerPricing]

#: The layers of a worker process.
_WORK: _Work = {}


@contextmanager
def _workers(layers: list[Layer], threads: int) -> Iterator[_Run]:
    """Run jobs on layers, here or in processes that hold them.

    A job's task begins with the number of its layer. Every layer stays with one process: what its
    relaxation has learnt stays, too, and does not depend on which process is free.
    """
    numbered = dict(enumerate(layers))
    if threads == 1:
        work = {number: LayerPricing(layer) for number, layer in numbered.items()}
        yield lambda job, tasks: [job(work, *task) for task in tasks]
        return
    # Not forked: HiGHS' threads do not survive that.
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pools = []
        for k in range(threads):
            own = {number: layer for number, layer in numbered.items() if number % threads == k}
            pool = ProcessPoolExecutor(1, context, _begin, (own,))
            pools.append(stack.enter_context(pool))

        def run(job: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
            try:
                jobs = [pools[task[0] % threads].submit(_perform, job, task) for task in tasks]
                return [each.result() for each in jobs]
            except BrokenProcessPool:
                raise MemoryError("a pricing process has died") from None

        yield run


def _begin(layers: dict[int, Layer]) -> None:
    # Ctrl-C ends a worker without a word; the main process says what there is to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    discard_stdout()
    _WORK.update((number, LayerPricing(layer)) for number, layer in layers.items())


def _perform(job: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    return job(_WORK, *task)


def _price_layer(
    work: _Work,
    number: int,
    prices: FloatArray,
    best: BoolArray,
    slack_s: float,
    deadline: Deadline,
    until: Deadline | None,
    share_s: float,
) -> Priced:
    integer = None if until is None else Limits(min(until.remaining_s(), share_s)).deadline()
    return work[number].price(prices, best, slack_s, deadline, integer)


def _list_good(
    work: _Work,
    number: int,
    prices: FloatArray,
    least_s: float,
    deadline: Deadline,
    beyond: Beyond | None,
) -> Good | None:
    return work[number].good(prices, least_s, deadline, beyond)
