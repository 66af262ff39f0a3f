"""Instances of a network: one file tells models, servers, users and what was recorded."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.instance import FloatArray, Instance, Requests
from ..problem.names import printable
from ..problem.sizes import check_sizes
from .generate import build_instance, scenario_fields
from .geography import Geography, Taken, at_geography, take
from .links import Weights
from .network_file import (
    NetworkFile,
    Points,
    Sites,
    network_scenario,
    read_network,
    shares_of,
    told_fields,
)
from .network_traffic import Source, follow_categories, read_source
from .places import Projection, Server, User
from .scenario import Scenario
from .streams import random_stream


class Network(NamedTuple):
    """An instance, and what a person should know about how it came to be.

    Attributes
    ----------
    instance : Instance
    sources : tuple of Source
        Where the requests of each model come from.
    unused : dict
        Columns that were not looked at, by file.
    """

    instance: Instance
    sources: tuple[Source, ...]
    unused: dict[str, tuple[str, ...]]


def import_network(path: str | Path) -> Network:
    """Build the instance of a network's file.

    Every user uses every model, by the models' shares of the tokens, and all users are equally
    active: the rates of each layer of a model sum to its share, so that latencies come out in
    seconds per token of the mix.

    Parameters
    ----------
    path : path
        TOML, see `NetworkFile`; paths in it are relative to its folder.

    Raises
    ------
    InputError
        If the file, or one that it names, is unusable; the message names the place.
    """
    path = Path(path)
    file = read_network(path)
    scenario = network_scenario(file)
    try:
        sources = _read_sources(file, path.parent)
        if isinstance(file.users, Points) and file.users.count is not None:
            # Before so many are drawn.
            check_sizes(
                [card.model(precision) for card, precision in _weights(sources)], file.users.count
            )
        geography = _geography(file, path.parent, scenario)
        scenario = at_geography(scenario, geography)
        shares = shares_of(file.models)
        category = follow_categories(
            sources, [user.category for user in geography.users], file.seed
        )
        parts, told = [], []
        for number, (source, share) in enumerate(zip(sources, shares, strict=True)):
            try:
                requests, more = source.requests(scenario, category, file.seed, number)
            except InputError as error:
                raise InputError(f"models[{number}]: {error}") from None
            parts.append(requests)
            told.append(_told(source, share) | more)
        instance = build_instance(
            scenario,
            geography,
            requests=_mixed(parts, shares),
            weights=_weights(sources),
            name=printable(path.stem) if file.name is None else file.name,
            description=file.description,
            meta={
                "generator": "network",
                "seed": file.seed,
                "models": told,
                "geography": geography.meta,
                **({"user_category": category} if any(category) else {}),
                "assumed": "users are equally active and use all models by their shares; link "
                "times and compute follow the scenario where the network does not tell them",
                "scenario": told_fields(scenario_fields(scenario)),
                "network": msgspec.to_builtins(file),
            },
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Network(instance, tuple(sources), geography.unused)


def _read_sources(file: NetworkFile, folder: Path) -> list[Source]:
    sources: list[Source] = []
    for index, entry in enumerate(file.models):
        where = f"models[{index}]"
        try:
            source = read_source(entry, folder)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if source.card.name in [other.card.name for other in sources]:
            raise InputError(f"{where}: {source.card.name!r} is there already: give it a name")
        sources.append(source)
    return sources


def _weights(sources: Sequence[Source]) -> list[Weights]:
    return [Weights(source.card, source.entry.precision) for source in sources]


def _geography(file: NetworkFile, folder: Path, scenario: Scenario) -> Geography:
    servers = _servers(file, folder)
    latencies = None if file.latencies is None else folder / file.latencies
    projection = Projection.around(servers.places)
    position_m = servers.positions_m(projection, optional=latencies is not None)
    users, user_position_m, told = _users(file, folder, scenario, projection, position_m)
    for kind, names in (("servers", servers.names("server")), ("users", users.names("user"))):
        repeated = next((n for n, count in Counter(names).items() if count > 1), None)
        if repeated is not None:
            raise InputError(f"{kind}: several are called {repeated!r}")
    centre = projection.centre_degrees
    return Geography(
        server_position_m=position_m,
        user_position_m=user_position_m,
        servers=servers.taken(),
        users=users.taken(),
        server_names=servers.names("server"),
        user_names=users.names("user"),
        latencies=latencies,
        unused=servers.unused | users.unused,
        meta={
            "site_rows": servers.rows.tolist(),
            **told,
            **({} if centre is None else {"centre_degrees": centre.round(6).tolist()}),
        },
    )


def _servers(file: NetworkFile, folder: Path) -> Taken[Server]:
    if not isinstance(file.servers, Sites):
        told = Taken(file.servers, np.arange(len(file.servers)), "servers")
    else:
        sites = file.servers
        told = take(folder / sites.sites, Server, sites.count, file.seed, 1)
        told = told.completed(memory=sites.memory)
    for row in told.rows.tolist():
        if told.places[row].memory is None:
            raise InputError(f"{told.where}: row {row + 1}: memory is missing")
    return told


def _users(
    file: NetworkFile,
    folder: Path,
    scenario: Scenario,
    projection: Projection,
    server_position_m: FloatArray,
) -> tuple[Taken[User], FloatArray, dict[str, Any]]:
    """Users, their positions, and where these come from."""
    optional = file.latencies is not None
    if not isinstance(file.users, Points):
        told = Taken(file.users, np.arange(len(file.users)), "users")
        return told, told.positions_m(projection, optional=optional), {}
    points = file.users
    if points.points is not None:
        told = take(folder / points.points, User, points.count, file.seed, 2)
        position_m = told.positions_m(projection, optional=optional)
        meta: dict[str, Any] = {"point_rows": told.rows.tolist()}
    else:
        assert points.count is not None  # `read_network` has seen to it
        told = Taken((User(),) * points.count, np.arange(points.count), "users")
        position_m = drawn_in_range(server_position_m, scenario, points.count, file.seed)
        meta = {"drawn": "users: each in the range of a server, all servers equally likely"}
    told = told.completed(local=points.local)
    if points.categories:
        places = list(told.places)
        for place, row in enumerate(told.rows.tolist()):
            if places[row].category is None:
                category = points.categories[place % len(points.categories)]
                places[row] = msgspec.structs.replace(places[row], category=category)
        told = dataclasses.replace(told, places=tuple(places))
    return told, position_m, meta


def drawn_in_range(
    server_position_m: FloatArray, scenario: Scenario, count: int, seed: int
) -> FloatArray:
    """Draw users, each uniformly in the range of a server; [count, 2] in metres.

    Raises
    ------
    InputError
        If a server has no position, or the range has no end.
    """
    if np.isnan(server_position_m).any() or np.isinf(scenario.radius_m):
        raise InputError(
            "users: drawing them needs positions of all servers and a finite scenario radius_m"
        )
    rng = random_stream(seed, 2)
    home = rng.integers(0, len(server_position_m), count)
    distance = scenario.radius_m * np.sqrt(rng.random(count))
    angle = 2 * np.pi * rng.random(count)
    away = distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    position_m: FloatArray = (server_position_m[home] + away).round(3)
    return position_m


def _told(source: Source, share: float) -> dict[str, Any]:
    return {
        "name": source.card.name,
        "model": source.entry.model,
        "precision": source.entry.precision,
        "share": share,
    }


def _mixed(parts: Sequence[Requests], shares: Sequence[float]) -> Requests:
    """Requests of all models, user by user."""
    width = max(part.experts.shape[1] for part in parts)
    user = np.concatenate([part.user for part in parts])
    order = np.argsort(user, kind="stable")
    return Requests(
        user=user,
        model=np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32),
        layer=np.concatenate([part.layer for part in parts]),
        experts=np.concatenate(
            [
                np.pad(
                    part.experts,
                    ((0, 0), (0, width - part.experts.shape[1])),
                    constant_values=-1,
                )
                for part in parts
            ]
        ),
        rate=np.concatenate([part.rate * share for part, share in zip(parts, shares, strict=True)]),
    ).part(order)
