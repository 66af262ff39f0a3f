"""Recorded positions: base-station sites and user points in latitude and longitude."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..problem.errors import InputError
from ..problem.files import read_bytes
from ..problem.instance import FloatArray, Instance
from ..problem.names import check_name
from .generate import generate, random_stream
from .scenario import Scenario

_EARTH_RADIUS_M = 6_371_008.8

#: Columns that name a row, the better one first; and all that are read.
_NAMES = ("name", "site_id")
_COLUMNS = ("latitude", "longitude", *_NAMES)


@dataclass(frozen=True, eq=False)
class Geography:
    """Drawn servers and users of a scenario, in metres from the sites' centre.

    Attributes
    ----------
    server_position_m, user_position_m : float array [N, 2] and [U, 2]
    server_names : tuple of str
    meta : dict
        The files' names, the rows drawn and the centre.
    """

    server_position_m: FloatArray
    user_position_m: FloatArray
    server_names: tuple[str, ...]
    meta: dict[str, object]


def draw_geography(
    sites: str | Path, points: str | Path, *, servers: int, users: int, seed: int
) -> Geography:
    """Draw servers from recorded sites and users from recorded points, without repetition.

    Parameters
    ----------
    sites, points : path
        CSV files with columns ``latitude`` and ``longitude`` in degrees (in any case).
    servers, users : int
        How many to draw; every choice is equally likely.
    seed : int

    Raises
    ------
    InputError
        If a file is unusable or has too few rows.
    """
    site_degrees, site_names = read_positions(sites)
    point_degrees, _ = read_positions(points)
    for path, rows, wanted in ((sites, site_degrees, servers), (points, point_degrees, users)):
        if not 0 <= wanted <= len(rows):
            raise InputError(f"{path}: has {len(rows)} positions, cannot draw {wanted}")
    # The first rows of a permutation: more servers or users keep those that fewer have.
    site_rows = random_stream(seed, 1).permutation(len(site_degrees))[:servers]
    point_rows = random_stream(seed, 2).permutation(len(point_degrees))[:users]
    longitude = site_degrees[0, 1] + _wrapped(site_degrees[:, 1] - site_degrees[0, 1]).mean()
    centre = np.array([site_degrees[:, 0].mean(), longitude])
    return Geography(
        server_position_m=_project(site_degrees[site_rows], centre),
        user_position_m=_project(point_degrees[point_rows], centre),
        server_names=tuple(site_names[row] for row in site_rows),
        meta={
            "sites": Path(sites).name,
            "points": Path(points).name,
            "site_rows": site_rows.tolist(),
            "point_rows": point_rows.tolist(),
            "centre_degrees": centre.round(6).tolist(),
        },
    )


def read_positions(path: str | Path) -> tuple[FloatArray, list[str]]:
    """Latitude and longitude in degrees [rows, 2], and a name for each row.

    Other columns are not looked at.

    Raises
    ------
    InputError
        If the file has no such columns, no rows, a row that is too short or too long, or a value
        out of range.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        table = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if len(table) < 2:
        raise InputError(f"{path}: has no rows")
    header = [name.strip().lower() for name in table[0][1]]
    for column in _COLUMNS:
        if header.count(column) > 1:
            raise InputError(f"{path}: the column {column!r} is repeated")
        if column not in header and column not in _NAMES:
            raise InputError(f"{path}: has no column {column!r}")
    columns = header.index("latitude"), header.index("longitude")
    named = next((header.index(c) for c in _NAMES if c in header), None)
    degrees, names = [], []
    for number, (line, row) in enumerate(table[1:], start=1):
        if not row:
            continue
        where = f"{path}: line {line}"
        if any(row[len(header) :]):
            # A decimal comma makes two values of one.
            raise InputError(f"{where}: {len(row)} values, but {len(header)} columns")
        try:
            pair = float(row[columns[0]]), float(row[columns[1]])
            names.append(f"site-{number}" if named is None else row[named].strip())
        except (ValueError, IndexError):
            raise InputError(f"{where}: too short, or no numbers") from None
        check_name(names[-1], where)
        if not (abs(pair[0]) <= 90 and abs(pair[1]) <= 180):
            hint = ": are the two swapped?" if abs(pair[1]) <= 90 < abs(pair[0]) <= 180 else ""
            raise InputError(f"{where}: latitude or longitude out of range{hint}")
        degrees.append(pair)
    if not degrees:
        raise InputError(f"{path}: has no rows")
    return np.array(degrees).reshape(len(degrees), 2), names


def import_sites(
    scenario: Scenario, sites: str | Path, points: str | Path, *, seed: int, name: str | None = None
) -> Instance:
    """Generate an instance whose servers and users stand at recorded positions.

    The requests are generated as in `generate`.
    """
    geography = draw_geography(
        sites, points, servers=scenario.servers, users=scenario.users, seed=seed
    )
    instance = generate(
        scenario,
        seed,
        name=name,
        server_position_m=geography.server_position_m,
        user_position_m=geography.user_position_m,
    )
    meta = {**instance.meta, "generator": "sites", "geography": geography.meta}
    return instance.replace(meta=meta, server_names=geography.server_names)


def _wrapped(degrees: FloatArray) -> FloatArray:
    """Differences of longitudes across the date line."""
    return (degrees + 180) % 360 - 180


def _project(degrees: FloatArray, centre: FloatArray) -> FloatArray:
    """Equirectangular projection, exact enough within a city; metres, to the millimetre."""
    east = np.radians(_wrapped(degrees[:, 1] - centre[1])) * math.cos(math.radians(centre[0]))
    north = np.radians(degrees[:, 0] - centre[0])
    return (_EARTH_RADIUS_M * np.column_stack([east, north])).round(3)
