"""Responses of vLLM with ``--enable-return-routed-experts``: one sequence a choice.

0.21: nested lists, ``choices[].routed_experts`` of the generated tokens and
``prompt_routed_experts`` of the prompt, which all choices share. From 0.22: base64 of an ``.npy``
file with both. Positions of a cached prefix are -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from .numpy_file import array_of
from .one_model import IsWanted
from .recording import Integers, Tokens
from .responses import from_base64, sequences


def read_vllm(path: Path, *, model: IsWanted | None = None) -> Tokens:
    """Tokens of a file of responses, of one model where several are told."""
    return sequences(path, _arrays, model)


def _arrays(response: dict[str, Any], where: str) -> Iterator[Integers]:
    choices = response.get("choices")
    if not isinstance(choices, list):
        raise InputError(f"{where}: choices: expected a list")
    prompt = _array(response.get("prompt_routed_experts"), f"{where}: prompt_routed_experts")
    for number, choice in enumerate(choices):
        name = f"{where}: choices[{number}]"
        if not isinstance(choice, dict):
            raise InputError(f"{name}: expected an object")
        ids = _array(choice.get("routed_experts"), f"{name}.routed_experts")
        if ids is None:
            continue
        # The prompt was computed once, for all choices.
        if prompt is not None:
            if prompt.shape[1:] != ids.shape[1:]:
                raise InputError(f"{name}.routed_experts: other layers or K than the prompt's")
            ids, prompt = np.concatenate([prompt, ids]), None
        yield ids


def _array(value: object, where: str) -> Integers | None:
    if value is None or value == []:
        return None
    if isinstance(value, str):
        return array_of(from_base64(value, where), where)
    try:
        ids = np.array(value)
    except (ValueError, OverflowError):
        ids = np.empty(0)
    if ids.ndim != 3 or ids.dtype.kind not in "iu":
        raise InputError(f"{where}: expected whole numbers [tokens, layers, K]")
    return ids
