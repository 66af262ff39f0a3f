"""Instances from recorded popularity: how often each expert of each layer was used."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.files import decode, read_bytes
from ..problem.instance import FloatArray, Instance, Requests
from ..routing.imatrix import is_imatrix, read_imatrix
from ..routing.logical_count import read_logical_count
from ..routing.recording import Counts
from .generate import (
    build_instance,
    check_size,
    drawn_positions,
    random_stream,
    scenario_fields,
)
from .links import rounded
from .model_table import model_table
from .scenario import Scenario
from .set_law import max_entropy_law
from .sites import Geography, draw_geography

LAW = (
    "assumed: the expert sets follow the maximum-entropy (conditional Poisson) law with the "
    "counted marginals; how experts come together was not recorded"
)


class _Counts(msgspec.Struct):
    expert_popularity: list[list[float]] | None = None
    logical_count: Any = None


def read_popularity(path: str | Path) -> FloatArray:
    """Counts [layers, experts] of a file, see `read_counts`."""
    return read_counts(path).table


def read_counts(path: str | Path) -> Counts:
    """Counts of a file, and how many layers without any they leave out.

    Parameters
    ----------
    path : path
        JSON: a list of lists [layers][experts], or ``expert_popularity`` of an object, where every
        layer must have counts; or ``logical_count`` as SGLang takes it. Or an importance matrix of
        llama.cpp in GGUF. Of the last two, layers without any count are left out: they are dense.

    Raises
    ------
    InputError
        If the counts are no rectangle, negative, infinite, or a layer has none.
    """
    path = Path(path)
    if is_imatrix(path):
        return read_imatrix(path)
    content = decode(path, read_bytes(path), _Counts | list[list[float]])  # type: ignore[arg-type]
    if isinstance(content, _Counts) and content.logical_count is not None:
        return read_logical_count(path)
    rows = content.expert_popularity if isinstance(content, _Counts) else content
    if rows is None:
        raise InputError(f"{path}: has neither expert_popularity nor logical_count")
    if not rows or not rows[0]:
        raise InputError(f"{path}: no counts")
    for layer, row in enumerate(rows):
        where = f"{path}: layer {layer}"
        if len(row) != len(rows[0]):
            raise InputError(f"{where}: expected {len(rows[0])} counts, got {len(row)}")
        if min(row) < 0 or not 0 < sum(row) < math.inf:
            raise InputError(f"{where}: counts must be >= 0, finite and not all 0")
    return Counts(np.array(rows, dtype=np.float64), 0)


def import_popularity(
    counts: Sequence[FloatArray],
    names: Sequence[str],
    scenario: Scenario,
    *,
    seed: int,
    sites: str | Path | None = None,
    points: str | Path | None = None,
    name: str | None = None,
) -> Instance:
    """Build an instance from counts of the experts' use.

    User u follows the counts number ``u mod len(counts)``. Each layer's expert sets follow the
    maximum-entropy law with the counted marginals; this assumption is recorded in ``meta``.

    Parameters
    ----------
    counts : sequence of float arrays [layers, experts]
    names : sequence of str
        One for each array, for ``meta``.
    scenario : Scenario
        With one model; its `layers` cut the counts to their first layers. Fields about popularity
        are not used, but for `max_sets`, see `max_entropy_law`.
    seed : int
    sites, points : path, optional
        Recorded positions, see `draw_geography`; otherwise drawn in the scenario's area.
    name : str, optional

    Raises
    ------
    InputError
        If the counts do not fit the model, or one expert would be used more than once per token.
    """
    if not counts or len(counts) != len(names):
        raise InputError("popularity: at least one file of counts, and a name for each")
    scenario = _fitted(scenario, counts)
    check_size(scenario)
    card = scenario.cards()[0]
    geography = _geography(scenario, sites, points, seed)
    rng = random_stream(seed, 3)
    experts, rate, layer_of = [], [], []
    kind_rows = []
    for number, table in enumerate(counts):
        rows = 0
        for layer in range(card.layers):
            marginals = table[layer] / table[layer].sum() * card.top_k
            try:
                law = max_entropy_law(marginals, card.top_k, max_sets=scenario.max_sets, rng=rng)
            except InputError as error:
                raise InputError(f"{names[number]}: layer {layer}: {error}") from None
            experts.append(law.sets)
            rate.append(law.probability / scenario.users)
            layer_of.append(np.full(len(law.sets), layer))
            rows += len(law.sets)
        kind_rows.append(rows)
    first = np.concatenate([[0], np.cumsum(kind_rows)])
    kinds = [u % len(counts) for u in range(scenario.users)]
    row = np.concatenate([np.arange(first[k], first[k + 1]) for k in kinds])
    requests = Requests(
        user=np.repeat(np.arange(scenario.users), np.array(kind_rows)[kinds]).astype(np.int32),
        model=np.zeros(len(row), dtype=np.int32),
        layer=np.concatenate(layer_of)[row].astype(np.int32),
        experts=np.concatenate(experts)[row].astype(np.int32),
        rate=rounded(np.concatenate(rate))[row],
    )
    return build_instance(
        scenario,
        geography.server_position_m,
        geography.user_position_m,
        requests=requests,
        name=name or f"{card.name}-popularity-n{scenario.servers}-u{scenario.users}-s{seed}",
        description=f"Recorded expert popularity of {card.name}; the law of the sets is assumed",
        server_names=geography.server_names,
        meta={
            "generator": "popularity",
            "seed": seed,
            "popularity": {"sources": list(names), "user_source": [names[k] for k in kinds]},
            "law": LAW,
            "geography": geography.meta,
            "scenario": scenario_fields(scenario),
        },
    )


def matching_popularity_model(counts: FloatArray) -> str:
    """Name the model of the table with these layers and experts.

    Raises
    ------
    InputError
        If there is none or more than one.
    """
    layers, experts = counts.shape
    fitting = [c.name for c in model_table().values() if (c.layers, c.experts) == counts.shape]
    if len(fitting) != 1:
        found = f"fits {', '.join(fitting)}" if fitting else "fits no known model"
        raise InputError(f"{layers} layers of {experts} experts {found}; name one with --model")
    return fitting[0]


def _fitted(scenario: Scenario, counts: Sequence[FloatArray]) -> Scenario:
    if len(scenario.models) != 1:
        raise InputError("models: popularity counts are of one model")
    card = scenario.cards()[0]
    if scenario.layers is None and counts[0].shape[0] > card.layers:
        raise InputError(
            f"expert_popularity: {counts[0].shape[0]} layers, but {card.name} has {card.layers}"
        )
    layers = scenario.layers or counts[0].shape[0]
    for table in counts:
        if table.shape[0] < layers:
            raise InputError(f"layers: the counts have {table.shape[0]}, not {layers}")
        if table.shape[1] != card.experts:
            raise InputError(
                f"expert_popularity: {table.shape[1]} experts, but {card.name} has {card.experts}"
            )
    return dataclasses.replace(scenario, layers=layers)


def _geography(
    scenario: Scenario, sites: str | Path | None, points: str | Path | None, seed: int
) -> Geography:
    if sites is not None and points is not None:
        return draw_geography(
            sites, points, servers=scenario.servers, users=scenario.users, seed=seed
        )
    if sites is not None or points is not None:
        raise InputError("sites and points: give both or neither")
    servers = drawn_positions(seed, 1, scenario.servers, scenario.area_m)
    users = drawn_positions(seed, 2, scenario.users, scenario.area_m)
    return Geography(servers, users, (), {"drawn": "uniform in the scenario's square"})
