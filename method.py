"""What a solution method is: limits in, outcome out."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, get_type_hints

from .guarantees import Guarantee, no_guarantee
from .problem.errors import InputError
from .problem.instance import Instance
from .problem.placement import Placement
from .problem.sizes import MAX_INT
from .problem.solution import Solution, StoppedBy
from .problem.validation import convert
from .structure import Structure
from .watch import Watch

#: Keyword arguments of a method's function that are not options of its own.
_COMMON = ("limits", "seed", "start", "fetch")


@dataclass(frozen=True)
class Limits:
    """When a method has to stop, at the latest.

    Parameters
    ----------
    time_s : float
        Wall time in seconds.
    nodes : int, optional
        Nodes of a branch-and-bound tree.
    gap : float
        Relative gap between incumbent and dual bound at which a proof may stop.
    threads : int
        Threads of a solver; processes of ``decomposition``, for more than one of which a script
        needs ``if __name__ == "__main__":`` around what it does.
    watch : Watch
        Who is told how far the run is, and may ask it to stop; `expertcache.solve` brings its own,
        for which a wish to stop of this one holds, too.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    time_s: float = math.inf
    nodes: int | None = None
    gap: float = 0.0
    threads: int = 1
    watch: Watch = field(default_factory=Watch, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.time_s > 0:
            raise InputError(f"time limit: must be > 0 seconds, got {self.time_s}")
        if self.nodes is not None and not 0 <= self.nodes <= MAX_INT:
            raise InputError(f"node limit: must be between 0 and {MAX_INT}, got {self.nodes}")
        if not 0 <= self.gap < math.inf:
            raise InputError(f"gap: must be >= 0 and finite, got {self.gap}")
        if not 1 <= self.threads <= 1024:
            raise InputError(f"threads: must be between 1 and 1024, got {self.threads}")

    def deadline(self) -> Deadline:
        """Start the clock."""
        return Deadline(time.monotonic() + self.time_s, self.watch)


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock, or an earlier one at which the run is asked to stop."""

    at: float
    watch: Watch = field(default_factory=Watch, compare=False, repr=False)

    def remaining_s(self) -> float:
        """Seconds left, a millisecond when it is over: limits must be > 0."""
        return 1e-3 if self.watch.stopped else max(1e-3, self.at - time.monotonic())

    def part(self, share: float) -> Deadline:
        """Deadline after a share of the time left."""
        # No share of an endless time is nothing, too.
        seconds = share * self.remaining_s() if share > 0 else 0.0
        return Deadline(time.monotonic() + seconds, self.watch)

    def within(self, seconds: float) -> Deadline:
        """Deadline so many seconds from now, or this one if that is earlier."""
        return Deadline(min(self.at, time.monotonic() + seconds), self.watch)

    def passed(self) -> bool:
        """Whether the time is over."""
        return self.watch.stopped or time.monotonic() >= self.at

    def limits(self, *, nodes: int | None = None, threads: int = 1) -> Limits:
        """Limits of a part of the work: the time left, and the same wish to stop."""
        return Limits(self.remaining_s(), nodes, threads=threads, watch=self.watch.quiet())

    def __reduce__(self) -> tuple[type[Deadline], tuple[float]]:
        # Another process has the same clock, but nobody watches there.
        return Deadline, (self.at,)


@dataclass(frozen=True)
class Outcome:
    """What a method hands back; its value is left to the evaluator.

    Attributes
    ----------
    placement : Placement or None
    stopped_by : StoppedBy
        `StoppedBy.PROOF` claims optimality.
    bound_latency_s : float, optional
        A lower bound on the latency of every placement, in seconds.
    meta : mapping
        Anything else worth telling, as JSON values.
    bound_saving_s : float, optional
        An upper bound on the saving of every placement, in seconds: says the same, and keeps its
        digits where most of the latency is the same for all placements.
    """

    placement: Placement | None
    stopped_by: StoppedBy = StoppedBy.FINISHED
    bound_latency_s: float | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    bound_saving_s: float | None = None


@dataclass(frozen=True)
class Method:
    """A named method.

    Parameters
    ----------
    name, summary : str
    run : callable
        ``run(instance, *, limits, seed, **options) -> Outcome``. Its further keyword arguments are
        the method's options, with their types and defaults; ``start`` makes it accept a placement,
        ``fetch`` a `FetchLimit`.
        If ``parameters`` has a frozen dataclass for a default, its fields are options, too.
    unsupported : callable, optional
        Says what is wrong with an instance that the method cannot treat, or None.
    uses_seed : bool
        Whether the seed changes anything.
    guarantee : callable, optional
        ``guarantee(structure, solution) -> Guarantee``: what is proven about a placement that the
        method made; see `expertcache.guarantees`.
    bound : callable, optional
        ``bound(instance, *, limits) -> Outcome`` without a placement: nothing but the method's
        bound, as good as the limits allow. `StoppedBy.PROOF` says that no more time would make it
        better.
    """

    name: str
    summary: str
    run: Callable[..., Outcome]
    unsupported: Callable[[Instance], str | None] = lambda _: None
    uses_seed: bool = False
    guarantee: Callable[[Structure, Solution], Guarantee] = lambda *_: no_guarantee("none is known")
    bound: Callable[..., Outcome] | None = None

    @property
    def places(self) -> bool:
        """Whether it makes placements, and is not a bound alone."""
        return self.run is not self.bound

    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Keyword arguments of `run`."""
        return inspect.signature(self.run).parameters

    def option_defaults(self) -> dict[str, Any]:
        """Return the method's own options with their defaults."""
        other = _COMMON if self.tuning() is None else (*_COMMON, "parameters")
        own = list(self.parameters().values())[1:]
        return {p.name: p.default for p in own if p.name not in other}

    def tuning(self) -> Any:
        """Return the dataclass whose fields are options, too; None without one."""
        argument = self.parameters().get("parameters")
        return argument.default if argument and is_dataclass(argument.default) else None

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options converted to their types; values may be strings, as on a command line.

        Raises
        ------
        InputError
            If an option is unknown or its value does not fit.
        """
        tuning = self.tuning()
        if not given:
            # Looking types up takes as long as solving a tiny instance.
            return {} if tuning is None else {"parameters": tuning}
        try:
            types = get_type_hints(self.run)
        except NameError as error:
            raise InputError(f"{self.name}: unknown type of an option: {error}") from None
        own = self.option_defaults()
        known = dict(own)
        if tuning is not None:
            types |= get_type_hints(type(tuning), include_extras=True)
            known |= {each.name: getattr(tuning, each.name) for each in fields(tuning)}
        converted = {}
        for name, value in given.items():
            if name not in known:
                raise InputError(
                    f"{self.name} has no option {name!r}, it has: {', '.join(known) or 'none'}"
                )
            if isinstance(value, str) and isinstance(known[name], tuple):
                value = value.split(",") if value else []
            where = f"{self.name}: option {name}"
            # Without a type of its own an option has that of its default.
            kind = types.get(name, type(known[name]))
            converted[name] = convert(value, kind, where, strict=False)
        if tuning is not None:
            tuned = {name: converted.pop(name) for name in converted.keys() - own.keys()}
            converted["parameters"] = replace(tuning, **tuned)
        return converted
