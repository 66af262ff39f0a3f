"""Lower bounds on the latency of every placement, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..method import Limits
from ..problem.errors import InputError
from ..problem.instance import Instance
from ..problem.solution import Status, StoppedBy

#: Module of each bound; imported only when it is used.
BOUNDS = {"lp": "formulations.lp_bound", "decomposition": "decomposition.dual_bound"}


@dataclass(frozen=True)
class Bound:
    """A lower bound on the latency of every placement.

    Attributes
    ----------
    method : str
    bound_latency_s : float
        In seconds.
    status : Status
        OPTIMAL if the bounding problem itself was solved, FEASIBLE for a valid but weaker bound
        from where it stopped.
    stopped_by : StoppedBy
    seconds : float
        Wall time.
    pricing : dict
        Of the decomposition: how many layers were bounded in which way, see `layer_pricing`.
    log : list of dict
        Of the decomposition: the bound against time.
    """

    method: str
    bound_latency_s: float
    status: Status
    stopped_by: StoppedBy
    seconds: float
    pricing: dict[str, int] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)


def find_bound(name: str) -> Callable[..., Bound]:
    """Look a bound up: ``bound(instance, *, limits, progress=False) -> Bound``.

    Raises
    ------
    InputError
        If the name is unknown; the message lists the known ones.
    """
    if name not in BOUNDS:
        raise InputError(f"unknown bound {name!r}, known: {', '.join(BOUNDS)}")
    module = import_module(f"..{BOUNDS[name]}", __package__)
    return getattr(module, f"{name}_bound")  # type: ignore[no-any-return]


def bound(
    instance: Instance,
    method: str = "lp",
    *,
    limits: Limits | None = None,
    progress: bool = False,
) -> Bound:
    """Bound the latency of every placement from below.

    Parameters
    ----------
    instance : Instance
    method : {"lp", "decomposition"}
    limits : Limits, optional
        Time, and threads: for ``decomposition`` the number of processes.
    progress : bool
        Show progress on stderr if that is a terminal.

    Raises
    ------
    InputError
        If the method is unknown.
    UnsupportedError
        If the method cannot treat the instance.
    """
    return find_bound(method)(instance, limits=limits or Limits(), progress=progress)
