"""Servers and users as people write them down: rows of a table, or entries of a network's file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.instance import FloatArray
from ..problem.names import check_name
from ..problem.validation import convert
from .csv_table import read_table

_EARTH_RADIUS_M = 6_371_008.8

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_NonNegative = Annotated[float, msgspec.Meta(ge=0)]


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What servers and users have in common; columns of a table are called as the fields are.

    Attributes
    ----------
    name : str or None
    latitude, longitude : float or None
        In degrees.
    x, y : float or None
        In metres, instead of degrees.
    """

    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    x: float | None = None
    y: float | None = None


class Server(Place, frozen=True, kw_only=True):
    """An edge server; what is not told is as in the scenario.

    Attributes
    ----------
    memory : str or number or None
        For experts: bytes with a unit (``24GiB``, ``24 GB``), a share of the bytes of all experts
        (``20%``, or a number up to 1), or bytes.
    flops, bytes_per_s : float or None
        Arithmetic in FLOP/s and memory bandwidth in B/s.
    cloud_rtt_ms : float or None
        Measured round trip from here to the cloud in milliseconds, without computing; instead of
        twice the scenario's `cloud_s`.
    """

    memory: int | float | str | None = None
    flops: _Positive | None = None
    bytes_per_s: _Positive | None = None
    cloud_rtt_ms: _NonNegative | None = None


class User(Place, frozen=True, kw_only=True):
    """A user, or a group of users that is served as one.

    Attributes
    ----------
    category : str or None
        Of the recorded sequences that the user follows.
    local : int or None
        Experts of each layer that the device keeps: those its user needs most.
    """

    category: str | None = None
    local: Annotated[int, msgspec.Meta(ge=0)] | None = None


#: What columns may be called, where not as the field.
_SPELLINGS = {
    "name": ("name", "site_id"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng"),
    "memory": ("memory", "capacity"),
}

PlaceT = TypeVar("PlaceT", bound=Place)


def read_places(path: str | Path, kind: type[PlaceT]) -> tuple[tuple[PlaceT, ...], tuple[str, ...]]:
    """Read a table of servers or users.

    Parameters
    ----------
    path : path
        CSV with columns ``latitude`` (or ``lat``) and ``longitude`` (``lon``, ``lng``) in degrees,
        or ``x`` and ``y`` in metres, in any case. The other fields of `kind` are columns, too;
        ``site_id`` stands for a name, ``capacity`` for ``memory``.
    kind : type
        `Server` or `User`.

    Returns
    -------
    places : tuple of `kind`
    unused : tuple of str
        Columns that were not looked at.

    Raises
    ------
    InputError
        If the file is no such table, or a value is out of range; the message names the line.
    """
    fields = kind.__struct_fields__
    table = read_table(path, {field: _SPELLINGS.get(field, (field,)) for field in fields})
    places = []
    for row, line in zip(table.rows, table.line, strict=True):
        where = f"{path}: line {line}"
        places.append(convert(row, kind, where, strict=False))
        check_place(places[-1], where)
    return tuple(places), table.unused


def check_place(place: Place, where: str) -> None:
    """Refuse what no place can have.

    Raises
    ------
    InputError
    """
    if place.name is not None:
        check_name(place.name, where)
    if isinstance(place, User) and place.category is not None:
        check_name(place.category, f"{where}: category")
    for field in ("flops", "bytes_per_s", "cloud_rtt_ms"):
        if getattr(place, field, None) == math.inf:
            raise InputError(f"{where}: {field}: must be finite")
    for first, second in (("latitude", "longitude"), ("x", "y")):
        a, b = getattr(place, first), getattr(place, second)
        if (a is None) != (b is None):
            raise InputError(f"{where}: has no {first if a is None else second}")
    if place.latitude is not None and place.longitude is not None:
        if place.x is not None:
            raise InputError(f"{where}: has degrees and metres: give one of them")
        if not (abs(place.latitude) <= 90 and abs(place.longitude) <= 180):
            swapped = abs(place.longitude) <= 90 < abs(place.latitude) <= 180
            hint = ": are the two swapped?" if swapped else ""
            raise InputError(f"{where}: latitude or longitude out of range{hint}")
    elif place.x is not None and not math.isfinite(place.x + (place.y or 0.0)):
        raise InputError(f"{where}: x and y: must be finite")


class Projection(NamedTuple):
    """Where metres are counted from.

    Attributes
    ----------
    centre_degrees : float array [2] or None
        Latitude and longitude; None where the places are in metres, or nowhere.
    """

    centre_degrees: FloatArray | None

    @classmethod
    def around(cls, places: Sequence[Place]) -> Projection:
        """Projection whose origin is the middle of places."""
        degrees = _degrees(places)
        degrees = degrees[~np.isnan(degrees[:, 0])]
        if not len(degrees):
            return cls(None)
        first = degrees[0, 1]
        longitude = first + _wrapped(degrees[:, 1] - first).mean()
        return cls(np.array([degrees[:, 0].mean(), longitude]))

    def metres(self, places: Sequence[Place], where: str) -> FloatArray:
        """Positions [P, 2] in metres, NaN where a place tells none.

        Equirectangular, exact enough within a city; to the millimetre.

        Raises
        ------
        InputError
            If some places are in degrees and others in metres.
        """
        degrees = _degrees(places)
        in_degrees = ~np.isnan(degrees[:, 0])
        metres = np.array([_pair(place.x, place.y) for place in places]).reshape(-1, 2)
        in_metres = ~np.isnan(metres[:, 0])
        mixed = in_metres if self.centre_degrees is not None else in_degrees
        if mixed.any():
            names = (
                ("metres", "degrees") if self.centre_degrees is not None else ("degrees", "metres")
            )
            raise InputError(
                f"{where}: row {int(np.argmax(mixed)) + 1} is in {names[0]}, the servers are in "
                f"{names[1]}"
            )
        if self.centre_degrees is None:
            return metres
        east = np.radians(_wrapped(degrees[:, 1] - self.centre_degrees[1])) * math.cos(
            math.radians(self.centre_degrees[0])
        )
        north = np.radians(degrees[:, 0] - self.centre_degrees[0])
        return (_EARTH_RADIUS_M * np.column_stack([east, north])).round(3)


def _degrees(places: Sequence[Place]) -> FloatArray:
    rows = [_pair(place.latitude, place.longitude) for place in places]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _pair(first: float | None, second: float | None) -> tuple[float, float]:
    return (math.nan, math.nan) if first is None or second is None else (first, second)


def _wrapped(degrees: FloatArray) -> FloatArray:
    """Differences of longitudes across the date line."""
    return (degrees + 180) % 360 - 180
