"""Instances from recorded routing: every token's experts in every layer."""

from __future__ import annotations

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.files import decode, read_bytes
from ..problem.instance import Instance, IntArray
from ..problem.names import check_name
from .generate import build_instance, scenario_fields
from .geography import Geography, at_geography
from .model_table import ModelCard, model_table
from .scenario import Scenario
from .streams import random_stream
from .trace_requests import follow

#: Bytes of a trace's arrays, which may be compressed in a file of `MAX_FILE_BYTES`.
_MAX_TRACE_BYTES = 8 * 2**30

#: What NumPy and zipfile raise on files that are damaged, encrypted, pickled or absurdly large.
_BROKEN_NPZ = (
    AttributeError, EOFError, MemoryError, OSError, RuntimeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trace:
    """A recorded trace.

    Attributes
    ----------
    expert_ids : int array [T, L, K]
        Experts of every token in every layer, distinct inside a row.
    category : int array [T]
        Category of every token.
    categories : tuple of str
    has_sequences : bool
        Whether the file tells the sequence of each token.
    sequence : int array [T] or None
        Sequence of every token.
    """

    expert_ids: IntArray
    category: IntArray
    categories: tuple[str, ...]
    has_sequences: bool = True
    sequence: IntArray | None = None


class _Sequence(msgspec.Struct):
    category: str


def read_trace(path: str | Path, sequences: str | Path | None = None) -> Trace:
    """Read a trace and the categories of its sequences.

    Parameters
    ----------
    path : path
        ``.npz`` with ``expert_ids`` [tokens, layers, K] and, optionally, ``sequence`` [tokens].
    sequences : path, optional
        JSON list of objects with a ``category``; the position in the list is the sequence number.
        Without it, or without ``sequence`` in the trace, all tokens are of one category, ``all``.

    Raises
    ------
    InputError
        If a file is unusable; the message names the array, the token and the layer.
    """
    arrays = _load(path)
    ids = arrays["expert_ids"]
    if ids.ndim != 3 or ids.dtype.kind not in "iu" or 0 in ids.shape:
        raise InputError(f"{path}: expert_ids: expected whole numbers [tokens, layers, K]")
    if ids.min() < 0:
        raise InputError(f"{path}: expert_ids: a negative expert")
    ordered = np.sort(ids, axis=2)
    repeated = np.argwhere((ordered[:, :, 1:] == ordered[:, :, :-1]).any(axis=2))
    if len(repeated):
        token, layer = repeated[0]
        raise InputError(f"{path}: expert_ids[{token}, {layer}]: an expert is repeated")
    sequence = arrays.get("sequence")
    if sequence is None or sequences is None:
        whole = np.zeros(len(ids), dtype=np.int64)
        if sequence is not None:
            sequence = _checked(sequence, len(ids), path)
        return Trace(ids, whole, ("all",), sequence is not None, sequence)
    sequence = _checked(sequence, len(ids), path)
    rows = decode(sequences, read_bytes(sequences), list[_Sequence])
    if sequence.min() < 0 or sequence.max() >= len(rows):
        raise InputError(f"{path}: sequence: {sequences} has {len(rows)} sequences only")
    for number, row in enumerate(rows):
        check_name(row.category, f"{sequences}: [{number}].category")
    names, code = np.unique([row.category for row in rows], return_inverse=True)
    # Only categories that the trace really has.
    used, category = np.unique(code[sequence], return_inverse=True)
    return Trace(ids, category, tuple(str(name) for name in names[used]), True, sequence)


def import_trace(
    trace: Trace,
    scenario: Scenario,
    geography: Geography,
    *,
    seed: int,
    max_sets: int | None = None,
    source: str = "",
    name: str | None = None,
    split: Mapping[str, Any] | None = None,
) -> Instance:
    """Build an instance from a trace over recorded positions.

    Each user follows one category: the categories in random order, one user after the other,
    begun again when there are more users. A user's rates are the counted shares of the expert sets
    among the tokens of the category, divided by the number of users, so that each layer's rates sum
    to 1.

    Parameters
    ----------
    trace : Trace
    scenario : Scenario
        With one model; its `layers` cut the trace to its first layers. Fields about popularity
        are not used, and the geography tells how many servers and users there are.
    geography : Geography
        See `read_geography`.
    seed : int
    max_sets : int, optional
        Keep only so many sets of each layer, those most frequent over all users. Rates stay as
        they are, and ``meta`` records the share of the tokens that is covered.
    source, name : str, optional
    split : mapping, optional
        How the trace was split, for ``meta``; see `split_trace`.

    Raises
    ------
    InputError
        If the trace does not fit the model, or `max_sets` is less than 1.
    """
    if len(scenario.models) != 1:
        raise InputError("models: a trace is of one model")
    layers = fitted_layers(trace, scenario.cards()[0], scenario.layers)
    scenario = dataclasses.replace(at_geography(scenario, geography), layers=layers)
    rng = random_stream(seed, 3)
    user_category = np.resize(rng.permutation(len(trace.categories)), scenario.users)
    followed = follow(trace, layers, user_category, max_sets)
    model = scenario.cards()[0].name
    return build_instance(
        scenario,
        geography,
        requests=followed.requests,
        name=name or f"{model}-trace-n{scenario.servers}-u{scenario.users}-s{seed}",
        description=f"Recorded routing of {model} over recorded sites",
        meta={
            "generator": "trace",
            "seed": seed,
            "trace": followed.meta(trace, source, split),
            "geography": geography.meta,
            "assumed": "sites and points are drawn at random; users are equally active; link times "
            "and compute follow the scenario; fields of the scenario about popularity are unused",
            "scenario": scenario_fields(scenario),
        },
    )


def matching_model(trace: Trace) -> str:
    """Name the model of the table that a trace fits: same layers and K, fewest experts.

    Raises
    ------
    InputError
        If there is none, or more than one with as few experts.
    """
    _, layers, top_k = trace.expert_ids.shape
    experts = int(trace.expert_ids.max()) + 1
    fitting = [
        card
        for card in model_table().values()
        if card.layers == layers and card.top_k == top_k and card.experts >= experts
    ]
    if not fitting:
        raise InputError(
            f"no known model has {layers} layers, top-{top_k} and at least {experts} experts; "
            "name one with --model"
        )
    fewest = min(card.experts for card in fitting)
    names = [card.name for card in fitting if card.experts == fewest]
    if len(names) > 1:
        raise InputError(
            f"{layers} layers, top-{top_k} of {fewest} experts fits {', '.join(names)}; "
            "name one with --model"
        )
    return names[0]


def _checked(sequence: IntArray, tokens: int, path: str | Path) -> IntArray:
    if sequence.shape != (tokens,) or sequence.dtype.kind not in "iu":
        raise InputError(f"{path}: sequence: expected whole numbers [{tokens}]")
    return sequence


def _load(path: str | Path) -> dict[str, Any]:
    try:
        file = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: not an .npz file")
        with file:
            assert file.zip is not None
            if sum(entry.file_size for entry in file.zip.infolist()) > _MAX_TRACE_BYTES:
                raise InputError(f"{path}: larger than {_MAX_TRACE_BYTES} bytes")
            if "expert_ids" not in file.files:
                raise InputError(f"{path}: has no array 'expert_ids'")
            arrays: dict[str, Any] = {
                n: file[n] for n in ("expert_ids", "sequence") if n in file.files
            }
            # NumPy hands over a member without an array's header as bytes.
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise InputError(f"{path}: a member is not an array")
            return arrays
    except InputError:
        raise
    except _BROKEN_NPZ as error:
        raise InputError(f"{path}: not an .npz file of plain arrays ({error})") from None


def fitted_layers(trace: Trace, card: ModelCard, layers: int | None) -> int:
    """Check that a trace is one of a model, and say how many of its layers are wanted.

    Parameters
    ----------
    trace : Trace
    card : ModelCard
    layers : int, optional
        The first so many; by default all of the trace.

    Raises
    ------
    InputError
    """
    _, found, top_k = trace.expert_ids.shape
    if layers is not None and layers > found:
        raise InputError(f"layers: the trace has {found}, not {layers}")
    if layers is None and found > card.layers:
        raise InputError(f"expert_ids: {found} layers, but {card.name} has {card.layers}")
    if card.top_k != top_k:
        raise InputError(f"expert_ids: {top_k} experts a layer, but {card.name} has {card.top_k}")
    if trace.expert_ids.max() >= card.experts:
        raise InputError(
            f"expert_ids: expert {int(trace.expert_ids.max())}, but {card.name} has {card.experts}"
        )
    return layers or found
