"""A network in a TOML file: models, servers, users, and what was recorded."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..problem.errors import InputError
from ..problem.files import read_bytes
from ..problem.names import check_name
from ..problem.sizes import MAX_INT
from ..problem.validation import convert
from .places import Server, User, check_place
from .scenario import Scenario

_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_INT)]

#: Fields of a scenario that the rest of the file tells.
_TOLD = (
    "models", "layers", "experts", "top_k", "precision", "servers", "users", "area_m", "capacity",
    "local",
)  # fmt: skip


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that the users use.

    Attributes
    ----------
    model : str
        See `model_card`; paths are relative to the file.
    name : str or None
        What to call it; by default the card's name.
    precision : str
        Of the experts' weights.
    share : float or None
        Of all tokens. Given for all models or for none; they sum to 1.
    trace : str or tuple of str or None
        Recorded tokens: a trace (``.npz``), or files that `import_routing` reads.
    sequences : str or None
        Categories of the sequences, see `read_trace`.
    counts : str or dict or None
        Recorded use of every expert, see `read_counts`: a file, or files by the category of the
        users that follow them. Without trace and counts the requests are generated.
    layers : int or None
        The first layers only.
    sets : int or None
        The most frequent expert sets of each layer only.
    """

    model: str
    name: str | None = None
    precision: str = "bf16"
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    trace: str | tuple[str, ...] | None = None
    sequences: str | None = None
    counts: str | dict[str, str] | None = None
    layers: _Count | None = None
    sets: _Count | None = None


class Sites(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Servers from a table.

    Attributes
    ----------
    sites : str
        See `read_places`.
    count : int or None
        Draw so many; by default all, in their order.
    memory : str or number or None
        Of those that the table does not tell, see `Server`.
    """

    sites: str
    count: _Count | None = None
    memory: int | float | str | None = None


class Points(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users from a table, or drawn.

    Attributes
    ----------
    points : str or None
        See `read_places`; without it, users are drawn within the range of the servers.
    count : int or None
        Draw so many; by default all of the table, in their order.
    categories : tuple of str
        Of those that the table does not tell, one after the other.
    local : int or None
        Of those that the table does not tell, see `User`.
    """

    points: str | None = None
    count: _Count | None = None
    categories: tuple[str, ...] = ()
    local: Annotated[int, msgspec.Meta(ge=0)] | None = None


class NetworkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file.

    Attributes
    ----------
    models : tuple of ModelEntry
    servers : tuple of Server, or Sites
    users : tuple of User, or Points
    name, description : str
        Of the instance; the name is by default that of the file.
    seed : int
        Of everything that is drawn.
    latencies : str or None
        See `read_latencies`.
    scenario : dict
        Fields of `Scenario` about links, computing and generated requests.
    """

    models: tuple[ModelEntry, ...]
    servers: tuple[Server, ...] | Sites
    users: tuple[User, ...] | Points
    name: str | None = None
    description: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)] = 0
    latencies: str | None = None
    scenario: dict[str, Any] = {}


def read_network(path: str | Path) -> NetworkFile:
    """Read a network and check what can be checked without its other files.

    Raises
    ------
    InputError
        If the file is no TOML, has an unknown key, or a value does not fit; the message names the
        place.
    """
    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not TOML ({error})") from None
    file = convert(table, NetworkFile, str(path))
    try:
        _check(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return file


def network_scenario(file: NetworkFile) -> Scenario:
    """Scenario of what the rest of the file does not tell.

    Raises
    ------
    InputError
        If a field is unknown, told elsewhere, or its value does not fit.
    """
    for field in _TOLD:
        if field in file.scenario:
            raise InputError(f"scenario: {field}: is told by models, servers or users")
    try:
        return Scenario().replace(**file.scenario)
    except InputError as error:
        raise InputError(f"scenario: {error}") from None


def told_fields(fields: dict[str, object]) -> dict[str, object]:
    """Fields of a scenario that a network uses."""
    return {name: value for name, value in fields.items() if name not in _TOLD}


def shares_of(models: Sequence[ModelEntry]) -> list[float]:
    """Each model's share of the tokens; equal where none is told.

    Raises
    ------
    InputError
        If they are told for some only, or do not sum to 1.
    """
    told = [entry.share for entry in models if entry.share is not None]
    if not told:
        return [1 / len(models)] * len(models)
    if len(told) < len(models):
        raise InputError("models: share: give it for all models or for none")
    if not math.isclose(sum(told), 1, abs_tol=1e-9):
        raise InputError(f"models: share: they sum to {sum(told):.9g}, not to 1")
    return told


def _check(file: NetworkFile) -> None:
    network_scenario(file)
    if not file.models:
        raise InputError("models: at least one")
    shares_of(file.models)
    if file.name is not None:
        check_name(file.name, "name")
    for index, entry in enumerate(file.models):
        where = f"models[{index}]"
        if entry.name is not None:
            check_name(entry.name, f"{where}: name")
        if entry.trace is not None and entry.counts is not None:
            raise InputError(f"{where}: give one of trace and counts")
        if entry.trace == () or entry.counts == {}:
            raise InputError(f"{where}: trace and counts: at least one file")
        if entry.sequences is not None and entry.trace is None:
            raise InputError(f"{where}: sequences: are those of a trace")
    for kind in ("servers", "users"):
        places = getattr(file, kind)
        if not isinstance(places, tuple):
            continue
        if not places:
            raise InputError(f"{kind}: at least one")
        for index, place in enumerate(places):
            check_place(place, f"{kind}[{index}]")
    if isinstance(file.users, Points):
        if file.users.points is None and file.users.count is None:
            raise InputError("users: give points, a table, or how many to draw (count)")
        for category in file.users.categories:
            check_name(category, "users: categories")
