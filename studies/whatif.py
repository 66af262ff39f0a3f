"""What the servers' memory is worth: more of it on a server, and the loss of a server."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..decomposition.capacity_prices import capacity_prices
from ..method import Limits, Method
from ..problem.errors import InputError, UnsupportedError
from ..problem.evaluate import evaluate, latency_empty_s
from ..problem.file_kind import FileKind
from ..problem.instance import FloatArray, Instance
from ..problem.placement import Placement
from ..problem.sizes import check_seed
from ..problem.solution import Solution, StoppedBy
from ..solver import find_method
from ..watch import Watch, stopped_by_signals
from .bracket_solves import BracketSolves, part_of
from .brackets import Brackets
from .memory_changes import MORE, MemoryChange, changed_capacities, memory_changes

#: The table of all changes, as a file.
CHANGES_FILE = FileKind("table of changes", rb"change,server,memory_bytes,")

#: Columns of the table, and their types.
_TYPES = {
    "change": "str",
    "server": "str",
    "memory_bytes": "int64",
    **dict.fromkeys(
        (
            "value_s", "value_least_s", "value_most_s", "priced_most_s", "as_it_stands_s",
            "latency_s", "bound_latency_s",
        ),
        "float64",
    ),
    "proven": "bool",
}  # fmt: skip

#: Share of the time for the prices.
_PRICES_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What changes of the servers' memory are worth.

    All latencies are in the instance's unit: seconds per token, if the rates of each layer sum
    to 1.

    Attributes
    ----------
    instance, method : str
        Names of the instance, and of the method of the solves.
    seed : int
    given_latency_s : float
        Of the placement given.
    latency_s, bound_latency_s : float
        Of the best placement found for the memory as it is, and its lower bound.
    proven : bool
        Whether that is proved to be the least latency.
    changes : DataFrame
        A row for each change, the most valuable first.

        - ``change``: "more" or "lost"; ``server``: its name; ``memory_bytes``: added to the server,
          or lost with it.
        - ``value_s``: how much less the least latency becomes, as far as found; below 0 for a loss.
        - ``value_least_s``, ``value_most_s``: the true value lies between these for certain.
        - ``priced_most_s``: no less than the value, by the prices alone.
        - ``as_it_stands_s``: the value where the placement given stays as it is.
        - ``latency_s``, ``bound_latency_s``: after the change.
        - ``proven``: whether the least latency is proved, before and after the change.
    stopped_by : StoppedBy
        `StoppedBy.FINISHED` if the method came to its end with each change.
    seconds : float
        Wall time.
    """

    instance: str
    method: str
    seed: int
    given_latency_s: float
    latency_s: float
    bound_latency_s: float
    proven: bool
    changes: pd.DataFrame
    stopped_by: StoppedBy
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as lists, numbers and texts."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {"changes": self.changes.to_dict("records")}

    def best_places(self, memory_bytes: int) -> list[str]:
        """Servers of which one is the best place for so much more memory, for certain."""
        amount = self.changes["memory_bytes"] == memory_bytes
        rows = self.changes[amount & (self.changes["change"] == MORE)]
        reached = rows["value_most_s"] >= rows["value_least_s"].max()
        return [str(name) for name in rows.loc[reached, "server"]]


def whatif(
    instance: Instance,
    solution: Solution | Placement,
    memory_bytes: Sequence[int] = (2**30,),
    *,
    method: str | Method = "exact",
    limits: Limits | None = None,
    seed: int = 0,
    signals: Sequence[signal.Signals] = (signal.SIGINT,),
) -> WhatIf:
    """Value more memory on each server, and the loss of each server.

    The value of a change is the difference of two least latencies. Where the best placements known
    save ``S`` before and ``T`` after it, and no placement saves more than ``B`` and ``C``, it lies
    between ``T - B`` and ``C - S``. Prices bound all changes at once (`capacity_prices`); then the
    method solves one after the other, from the best placement known, each with an equal share of
    the time left.

    Parameters
    ----------
    instance : Instance
    solution : Solution or Placement
        To begin with; within the capacities.
    memory_bytes : sequence of int
        Amounts to add to each server.
    method : str or Method
        Of the solves, see `solve`. The better its bound, the narrower the intervals.
    limits : Limits, optional
        The time is that of all together; everything else counts for each solve.
    seed : int
        Of each solve.
    signals : sequence of signal
        The first of these ends the run with what is known, see `solve`.

    Returns
    -------
    WhatIf

    Raises
    ------
    InputError
        If the placement does not fit, an amount is out of range, or the method is unusable.
    """
    began = time.perf_counter()
    chosen = find_method(method) if isinstance(method, str) else method
    if reason := chosen.unsupported(instance):
        raise UnsupportedError(f"{chosen.name}: {reason}")
    check_seed(seed)
    placement = solution.placement if isinstance(solution, Solution) else solution
    if placement is None:
        raise InputError("solution: has no placement")
    given = evaluate(instance, placement)
    if not given.feasible:
        raise InputError("solution: the placement exceeds a capacity")
    changes = memory_changes(instance, memory_bytes)
    # First the memory as it is.
    now = instance.capacity_bytes[None]
    brackets = Brackets(instance, np.concatenate([now, changed_capacities(instance, changes)]))
    brackets.place(placement.cached(instance))
    watch = Watch()
    limits = dataclasses.replace(limits or Limits(), watch=watch)
    deadline = limits.deadline()
    with stopped_by_signals(watch, signals):
        prices = capacity_prices(
            instance,
            brackets.capacity_bytes,
            placement.cached(instance),
            part_of(limits, deadline, _PRICES_SHARE),
        )
        for number, most_s in enumerate(prices.bound_s(brackets.capacity_bytes).tolist()):
            brackets.bound(number, most_s)
        priced_s = brackets.most_s.copy()
        stopped_by = BracketSolves(brackets, chosen, limits, deadline, seed).run()
    empty_s = latency_empty_s(instance)
    return WhatIf(
        instance=instance.name,
        method=chosen.name,
        seed=seed,
        given_latency_s=given.latency_s,
        latency_s=float(empty_s - brackets.least_s[0]),
        bound_latency_s=float(max(0.0, empty_s - brackets.most_s[0])),
        proven=brackets.proved(0),
        changes=_table(brackets, changes, priced_s, placement),
        stopped_by=stopped_by,
        seconds=time.perf_counter() - began,
    )


def _table(
    brackets: Brackets, changes: Sequence[MemoryChange], priced_s: FloatArray, placement: Placement
) -> pd.DataFrame:
    """The values of all changes, see `WhatIf`."""
    instance, least_s, most_s = brackets.instance, brackets.least_s, brackets.most_s
    empty_s = latency_empty_s(instance)
    cached = placement.cached(instance)
    given_s = evaluate(instance, placement).saving_s
    rows = []
    for number, (kind, server, memory_bytes) in enumerate(changes, start=1):
        value = least_s[number] - least_s[0]
        lowest = least_s[number] - most_s[0]
        highest = np.array([most_s[number], priced_s[number]]) - least_s[0]
        as_it_stands = 0.0
        if kind == MORE:
            lowest = max(0.0, lowest)
        else:
            highest = np.minimum(0.0, highest)
            rest = cached.copy()
            rest[server] = False
            as_it_stands = evaluate(instance, Placement.of(instance, rest)).saving_s - given_s
        rows.append(
            {
                "change": kind,
                "server": instance.server_names[server],
                "memory_bytes": memory_bytes,
                "value_s": value,
                "value_least_s": lowest,
                "value_most_s": highest[0],
                "priced_most_s": highest[1],
                "as_it_stands_s": as_it_stands,
                "latency_s": empty_s - least_s[number],
                "bound_latency_s": max(0.0, empty_s - most_s[number]),
                "proven": brackets.proved(0) and brackets.proved(number),
            }
        )
    table = pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)
    return table.sort_values("value_s", ascending=False, kind="stable", ignore_index=True)
