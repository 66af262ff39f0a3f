"""Where servers and users stand: drawn, or read from files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import numpy as np
from msgspec.structs import replace

from ..problem.errors import InputError
from ..problem.instance import FloatArray, IntArray
from .places import PlaceT, Projection, Server, User, read_places
from .scenario import Scenario
from .streams import random_stream


@dataclass(frozen=True, eq=False)
class Geography:
    """Servers and users, in metres from the middle of the sites.

    Attributes
    ----------
    server_position_m, user_position_m : float array [N, 2] and [U, 2]
        NaN where unknown.
    meta : dict
        Where the positions come from: files, the rows taken, the centre.
    servers, users : tuple of Server and of User
        What else is told about them; empty where they are drawn.
    server_names, user_names : tuple of str
        Empty where nobody named them.
    latencies : path or None
        Table of measured latencies, see `read_latencies`.
    unused : dict
        Columns that were not looked at, by file.
    """

    server_position_m: FloatArray
    user_position_m: FloatArray
    meta: dict[str, Any]
    servers: tuple[Server, ...] = ()
    users: tuple[User, ...] = ()
    server_names: tuple[str, ...] = ()
    user_names: tuple[str, ...] = ()
    latencies: str | Path | None = None
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)


def drawn_geography(scenario: Scenario, seed: int) -> Geography:
    """Servers and users drawn uniformly in the scenario's square."""
    return Geography(
        drawn_positions(seed, 1, scenario.servers, scenario.area_m),
        drawn_positions(seed, 2, scenario.users, scenario.area_m),
        {"drawn": "uniform in the scenario's square"},
    )


def drawn_positions(seed: int, stream: int, count: int, area_m: float) -> FloatArray:
    """Uniform positions in a square, in metres, to the millimetre; [count, 2]."""
    return (area_m * random_stream(seed, stream).random((count, 2))).round(3)


def read_geography(
    sites: str | Path,
    points: str | Path,
    *,
    servers: int | None = None,
    users: int | None = None,
    seed: int = 0,
    latencies: str | Path | None = None,
) -> Geography:
    """Servers at recorded sites and users at recorded points.

    Parameters
    ----------
    sites, points : path
        Tables of `Server` and of `User`, see `read_places`.
    servers, users : int, optional
        Draw so many without repetition, every choice equally likely; by default, and where there
        are no more, all in their order.
    seed : int
        Of these draws.
    latencies : path, optional
        Table of measured latencies, see `read_latencies`.

    Raises
    ------
    InputError
        If a file is unusable or has too few rows.
    """
    site = take(sites, Server, servers, seed, 1)
    point = take(points, User, users, seed, 2)
    projection = Projection.around(site.places)
    centre = projection.centre_degrees
    optional = latencies is not None
    return Geography(
        server_position_m=site.positions_m(projection, optional=optional),
        user_position_m=point.positions_m(projection, optional=optional),
        servers=site.taken(),
        users=point.taken(),
        server_names=site.names("site"),
        user_names=point.names("user") if point.named else (),
        latencies=latencies,
        unused=site.unused | point.unused,
        meta={
            "sites": Path(sites).name,
            "points": Path(points).name,
            "site_rows": site.rows.tolist(),
            "point_rows": point.rows.tolist(),
            **({} if centre is None else {"centre_degrees": centre.round(6).tolist()}),
            **({} if latencies is None else {"latencies": Path(latencies).name}),
        },
    )


@dataclass(frozen=True, eq=False)
class Taken(Generic[PlaceT]):
    """Places that somebody wrote down, and which of them are taken.

    Attributes
    ----------
    places : tuple of Place
    rows : int array
    where : str
        Who wrote them down, for messages.
    unused : dict
        Columns that were not looked at, by file.
    """

    places: tuple[PlaceT, ...]
    rows: IntArray
    where: str
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether any has a name."""
        return any(place.name is not None for place in self.places)

    def taken(self) -> tuple[PlaceT, ...]:
        """The places that are taken, in the order of the rows."""
        return tuple(self.places[row] for row in self.rows.tolist())

    def names(self, default: str) -> tuple[str, ...]:
        """Names of the taken ones; those without one have their number, from 1."""
        given = ((row, self.places[row].name) for row in self.rows.tolist())
        return tuple(f"{default}-{row + 1}" if name is None else name for row, name in given)

    def positions_m(self, projection: Projection, *, optional: bool) -> FloatArray:
        """Positions of the taken ones in metres.

        Raises
        ------
        InputError
            If some are in degrees and others in metres, or a place has none and that is not
            optional.
        """
        position_m = projection.metres(self.places, self.where)
        unknown = np.flatnonzero(np.isnan(position_m[:, 0]))
        if len(unknown) and not optional:
            raise InputError(
                f"{self.where}: row {unknown[0] + 1}: has no position: give latitude and "
                "longitude, or x and y"
            )
        return position_m[self.rows]

    def completed(self, **values: object) -> Taken[PlaceT]:
        """With values for the fields that are not told."""
        places = [
            replace(
                place, **{name: v for name, v in values.items() if getattr(place, name) is None}
            )
            for place in self.places
        ]
        return dataclasses.replace(self, places=tuple(places))


def take(
    path: str | Path, kind: type[PlaceT], count: int | None, seed: int, stream: int
) -> Taken[PlaceT]:
    """Read a table of places and take all in their order, or fewer at random.

    Raises
    ------
    InputError
        If the file is unusable, or has not so many rows.
    """
    places, unused = read_places(path, kind)
    rows = np.arange(len(places))
    if count is not None and count != len(places):
        if not 0 <= count <= len(places):
            raise InputError(f"{path}: has {len(places)} positions, cannot draw {count}")
        # The first rows of a permutation: more servers or users keep those that fewer have.
        rows = random_stream(seed, stream).permutation(len(places))[:count]
    return Taken(places, rows, str(path), {str(path): unused} if unused else {})


def at_geography(scenario: Scenario, geography: Geography) -> Scenario:
    """Scenario with as many servers and users as there are."""
    return dataclasses.replace(
        scenario,
        servers=len(geography.server_position_m),
        users=len(geography.user_position_m),
    )
