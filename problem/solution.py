"""A solved instance: placement, value, bound, status, and its file, version 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from .errors import InputError
from .file_kind import json_kind
from .files import check_header, converted, decode, read_bytes, write_bytes
from .names import check_name
from .placement import Placement

FORMAT = "expertcache/solution"
SOLUTION_FILE = json_kind(FORMAT)._replace(to_stdout=True)

#: A proof holds up to this share of the best saving, and what rounding may add to it as a share of
#: the saving without any capacities.
PROOF_TOLERANCE = 1e-6
ROUNDING = 1e-9


class Status(StrEnum):
    """What is in hand."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    NONE = "none"


class StoppedBy(StrEnum):
    """Why a method stopped."""

    PROOF = "proof"
    TIME = "time"
    NODES = "nodes"
    GAP = "gap"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    INFEASIBLE = "infeasible"
    ERROR = "error"


_NonNegative = Annotated[float, msgspec.Meta(ge=0)]


class Solution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Result of one method on one instance; the fields are those of the file, in its order.

    Attributes
    ----------
    instance, method : str
        Names of the instance and of the method.
    options : dict
        Options given to the method.
    seed : int or None
        Seed, None where nothing is random.
    status : Status
        What is in hand.
    stopped_by : StoppedBy
        Why the method stopped.
    latency_s, latency_empty_s, saving_s : float
        Values of the evaluator, in seconds; None without a placement, but for the second.
    bound_latency_s : float or None
        Lower bound on the latency of every placement.
    gap : float or None
        ``latency_s / bound_latency_s - 1``.
    seconds : float
        Wall time.
    placement : Placement or None
    meta : dict
        What else the method tells; and ``instance_sha256`` and ``bound_saving_s``, see there.
    """

    instance: str
    method: str
    options: dict[str, Any] = {}
    seed: int | None = None
    status: Status
    stopped_by: StoppedBy
    latency_s: _NonNegative | None = None
    latency_empty_s: _NonNegative
    saving_s: float | None = None
    bound_latency_s: float | None = None
    gap: float | None = None
    seconds: _NonNegative
    placement: Placement | None = None
    meta: dict[str, Any] = {}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Solution:
        """Solution of the content of a solution file, checked as `read_solution` does it.

        Raises
        ------
        InputError
            If it breaks the format; the message names the field and the row.
        """
        return _solution(converted(content, _File, "solution", FORMAT), "solution")

    def to_dict(self) -> dict[str, Any]:
        """Content of the solution's file: lists, numbers and texts."""
        rows = [] if self.placement is None else sorted(self.placement.rows.tolist())
        values = msgspec.structs.asdict(self) | {"placement": rows}
        content: dict[str, Any] = msgspec.to_builtins({"format": FORMAT, "version": 1} | values)
        return content

    @property
    def instance_sha256(self) -> str | None:
        """Check sum of the instance, see `Instance.sha256`; None where it was not written."""
        found = self.meta.get("instance_sha256")
        return found if isinstance(found, str) else None

    @property
    def bound_saving_s(self) -> float | None:
        """Upper bound on the saving of every placement.

        The same bound as `bound_latency_s`, with all its digits where most of the latency is the
        same for all placements.
        """
        found = self.meta.get("bound_saving_s")
        if isinstance(found, float) or self.bound_latency_s is None:
            return found if isinstance(found, float) else None
        return self.latency_empty_s - self.bound_latency_s

    @property
    def certified_ratio(self) -> float | None:
        """Saving as a share of the largest that the bound leaves open.

        None without a bound, and where nothing can be saved.
        """
        if self.saving_s is None or self.bound_saving_s is None or self.bound_saving_s <= 0:
            return None
        return self.saving_s / self.bound_saving_s

    def __repr__(self) -> str:
        parts = [f"<Solution of {self.instance!r} by {self.method}: {self.status}"]
        parts += [] if self.latency_s is None else [f"latency {_seconds(self.latency_s)}"]
        parts += [f"lower bound {_seconds(self.bound_latency_s)}>"]
        return ", ".join(parts)

    def summary(self) -> str:
        """Return a few lines for a person."""
        return "\n".join(f"{name:<23} {value}" for name, value in self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person."""
        return [
            ("instance", self.instance),
            ("method", self.method),
            ("status", f"{self.status} (stopped by: {self.stopped_by})"),
            *([("  what went wrong", str(self.meta["error"]))] if "error" in self.meta else []),
            ("latency without cache", _seconds(self.latency_empty_s)),
            ("latency", _seconds(self.latency_s)),
            ("saving", _seconds(self.saving_s)),
            ("lower bound on latency", _seconds(self.bound_latency_s)),
            ("gap", self._gap()),
            ("share of best saving", self._share()),
            ("  proven in advance", _promise(self.meta.get("guarantee"))),
            ("    for the latency", _times(self.meta.get("guarantee"))),
            ("cached experts", str(len(self.placement or ()))),
            ("time", f"{self.seconds:.3g} s"),
        ]

    def _repr_html_(self) -> str:
        # Late and upwards: notebooks alone draw, and Matplotlib takes its time.
        from ..reports.notebook import solution_html

        return solution_html(self)

    def _gap(self) -> str:
        if self.status is Status.OPTIMAL:
            return "0 %"
        return "unknown" if self.gap is None else f"{100 * self.gap:.4g} %"

    def _share(self) -> str:
        if self.bound_saving_s is not None and self.bound_saving_s <= 0:
            return "nothing can be saved"
        if self.status is Status.OPTIMAL:
            return "100 %"
        return _at_least(self.certified_ratio)


def latency_gap(latency_s: float | None, bound_latency_s: float | None) -> float | None:
    """``latency_s / bound_latency_s - 1``, 0 where both agree, None where it means nothing."""
    if latency_s is None or bound_latency_s is None:
        return None
    if latency_s == bound_latency_s:
        return 0.0
    gap = latency_s / bound_latency_s - 1 if bound_latency_s > 0 else math.inf
    return gap if math.isfinite(gap) else None


def closes(saving_s: float, bound_saving_s: float, limitless_saving_s: float) -> bool:
    """Whether an upper bound on every saving proves a placement optimal.

    Latency that no server can change plays no part: a proof is about the saving.

    Parameters
    ----------
    saving_s, bound_saving_s : float
        Of the placement, and the bound.
    limitless_saving_s : float
        See `evaluate.limitless_saving_s`.
    """
    bound = min(bound_saving_s, limitless_saving_s)
    return bound - saving_s <= PROOF_TOLERANCE * bound + ROUNDING * limitless_saving_s


class _File(Solution, frozen=True, kw_only=True):
    format: str
    version: int
    placement: list[tuple[int, int, int, int]]  # type: ignore[assignment]


def solution_bytes(solution: Solution) -> bytes:
    """Content of the (uncompressed) solution file."""
    return msgspec.json.encode(solution.to_dict()) + b"\n"


def write_solution(solution: Solution, path: str | Path) -> None:
    """Write a solution to a ``.json`` or ``.json.gz`` file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_bytes(path, solution_bytes(solution), SOLUTION_FILE)


def read_solution(path: str | Path) -> Solution:
    """Read a solution; its placement is checked against an instance by `Placement.cached`.

    Raises
    ------
    InputError
        If the file cannot be read or breaks the format; the message names the field and the row.
    """
    data = read_bytes(path)
    check_header(path, data, FORMAT)
    return _solution(decode(path, data, _File), path)


def _solution(file: _File, path: str | Path) -> Solution:
    check_name(file.instance, f"{path}: instance")
    check_name(file.method, f"{path}: method")
    if file.status is Status.NONE and file.placement:
        raise InputError(f"{path}: placement: must be empty where status is none")
    values = {name: getattr(file, name) for name in Solution.__struct_fields__}
    try:
        placement = None if file.status is Status.NONE else Placement(file.placement)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Solution(**values | {"placement": placement})


def _at_least(share: float | None) -> str:
    # Rounded down: what is printed must be true.
    return "unknown" if share is None else f"at least {math.floor(1e4 * share) / 100:g} %"


def _promise(guarantee: object) -> str:
    if not isinstance(guarantee, dict):
        return "unknown"
    because, ratio = guarantee.get("because"), guarantee.get("ratio")
    return f"{_at_least(ratio) if ratio else 'nothing'} ({because})"


def _times(guarantee: object) -> str:
    factor = guarantee.get("latency_factor") if isinstance(guarantee, dict) else None
    if not isinstance(factor, float) or not math.isfinite(factor):
        return "unknown"
    # Rounded up: what is printed must be true.
    return f"at most {math.ceil(1e4 * factor) / 1e4:g} times the best one"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g} s"
