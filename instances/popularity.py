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
from .generate import build_instance, check_size, scenario_fields
from .geography import Geography, at_geography, drawn_geography
from .links import rounded
from .model_table import ModelCard, model_table
from .scenario import Scenario
from .set_law import max_entropy_law
from .streams import random_stream

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
    geography: Geography | None = None,
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
    geography : Geography, optional
        See `read_geography`; otherwise drawn in the scenario's area.
    name : str, optional

    Raises
    ------
    InputError
        If the counts do not fit the model, or one expert would be used more than once per token.
    """
    if not counts or len(counts) != len(names):
        raise InputError("popularity: at least one file of counts, and a name for each")
    if len(scenario.models) != 1:
        raise InputError("models: popularity counts are of one model")
    layers = counted_layers(counts, scenario.cards()[0], scenario.layers)
    scenario = dataclasses.replace(scenario, layers=layers)
    if geography is not None:
        scenario = at_geography(scenario, geography)
    check_size(scenario)
    card = scenario.cards()[0]
    geography = geography or drawn_geography(scenario, seed)
    kinds = [u % len(counts) for u in range(scenario.users)]
    return build_instance(
        scenario,
        geography,
        requests=counted_requests(
            counts, names, card, kinds, max_sets=scenario.max_sets, rng=random_stream(seed, 3)
        ),
        name=name or f"{card.name}-popularity-n{scenario.servers}-u{scenario.users}-s{seed}",
        description=f"Recorded expert popularity of {card.name}; the law of the sets is assumed",
        meta={
            "generator": "popularity",
            "seed": seed,
            "popularity": {"sources": list(names), "user_source": [names[k] for k in kinds]},
            "law": LAW,
            "geography": geography.meta,
            "scenario": scenario_fields(scenario),
        },
    )


def counted_requests(
    counts: Sequence[FloatArray],
    names: Sequence[str],
    card: ModelCard,
    kinds: Sequence[int],
    *,
    max_sets: int,
    rng: np.random.Generator,
) -> Requests:
    """Turn counts into requests.

    Parameters
    ----------
    counts : sequence of float arrays [layers, experts]
    names : sequence of str
        One for each array, for messages.
    card : ModelCard
        Its layers are the first ones of the counts.
    kinds : sequence of int
        Which counts each of the U users follows.
    max_sets : int
        See `max_entropy_law`.
    rng : numpy.random.Generator

    Returns
    -------
    Requests
        User by user. The rates of each layer sum to 1.

    Raises
    ------
    InputError
        If one expert would be used more than once per token.
    """
    experts, rate, layer_of = [], [], []
    kind_rows = []
    for number, table in enumerate(counts):
        rows = 0
        for layer in range(card.layers):
            marginals = table[layer] / table[layer].sum() * card.top_k
            try:
                law = max_entropy_law(marginals, card.top_k, max_sets=max_sets, rng=rng)
            except InputError as error:
                raise InputError(f"{names[number]}: layer {layer}: {error}") from None
            experts.append(law.sets)
            rate.append(law.probability / len(kinds))
            layer_of.append(np.full(len(law.sets), layer))
            rows += len(law.sets)
        kind_rows.append(rows)
    first = np.concatenate([[0], np.cumsum(kind_rows)])
    row = np.concatenate([np.arange(first[k], first[k + 1]) for k in kinds])
    return Requests(
        user=np.repeat(np.arange(len(kinds)), np.array(kind_rows)[list(kinds)]).astype(np.int32),
        model=np.zeros(len(row), dtype=np.int32),
        layer=np.concatenate(layer_of)[row].astype(np.int32),
        experts=np.concatenate(experts)[row].astype(np.int32),
        rate=rounded(np.concatenate(rate))[row],
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


def counted_layers(counts: Sequence[FloatArray], card: ModelCard, layers: int | None) -> int:
    """Check that counts are of a model, and say how many of their layers are wanted.

    Parameters
    ----------
    counts : sequence of float arrays [layers, experts]
    card : ModelCard
    layers : int, optional
        The first so many; by default those of the first counts.

    Raises
    ------
    InputError
    """
    found = counts[0].shape[0]
    if layers is None and found > card.layers:
        raise InputError(f"expert_popularity: {found} layers, but {card.name} has {card.layers}")
    wanted = layers or found
    for table in counts:
        if table.shape[0] < wanted:
            raise InputError(f"layers: the counts have {table.shape[0]}, not {wanted}")
        if table.shape[1] != card.experts:
            raise InputError(
                f"expert_popularity: {table.shape[1]} experts, but {card.name} has {card.experts}"
            )
    return wanted
