"""Responses of SGLang with ``--enable-return-routed-experts``: one sequence a response.

``meta_info.routed_experts`` of ``/generate``, or ``sglext`` beside or in the choices of the
OpenAI interface: base64 of numbers [prompt + generated - 1, all layers, K], int32 unless
``routed_experts_dtype`` says otherwise. Dense layers are zeros. The shape is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from .one_model import IsWanted
from .recording import Integers, Shape, Tokens
from .responses import from_base64, sequences

#: Keys that hold the routing of a response or of a choice.
HOLDERS = ("meta_info", "sglext", "sgl_ext")


def read_sglang(path: Path, shape: Shape, *, model: IsWanted | None = None) -> Tokens:
    """Tokens of a file of responses, of one model where several are told.

    Raises
    ------
    InputError
        If the shape is not given.
    """
    if shape.layers is None or shape.top_k is None:
        raise InputError(
            f"{path}: SGLang's responses do not tell their shape: give --layers (all layers of the "
            "model, dense ones as well) and --top-k"
        )
    return sequences(path, partial(_arrays, layers=shape.layers, top_k=shape.top_k), model)


def _arrays(response: dict[str, Any], where: str, *, layers: int, top_k: int) -> Iterator[Integers]:
    choices = response.get("choices")
    for holder in (response, *(choices if isinstance(choices, list) else [])):
        for key in HOLDERS:
            found = holder.get(key) if isinstance(holder, dict) else None
            if isinstance(found, dict) and found.get("routed_experts") is not None:
                yield _array(found, f"{where}: {key}.routed_experts", layers, top_k)
                break


def _array(found: dict[str, Any], where: str, layers: int, top_k: int) -> Integers:
    try:
        dtype = np.dtype(found.get("routed_experts_dtype", "int32"))
    except (TypeError, ValueError):
        raise InputError(f"{where}_dtype: unknown type of numbers") from None
    if dtype.kind not in "iu":
        raise InputError(f"{where}_dtype: expected whole numbers, got {dtype}")
    data = from_base64(found["routed_experts"], where)
    if len(data) % (dtype.itemsize * layers * top_k):
        raise InputError(
            f"{where}: {len(data)} bytes are no whole number of tokens with {layers} layers of "
            f"{top_k} experts of type {dtype}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(-1, layers, top_k)
