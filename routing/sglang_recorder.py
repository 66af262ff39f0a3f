"""Files of SGLang's expert distribution recorder, written by ``torch.save``.

``stat`` and ``stat_approx``: ``logical_count`` [steps, layers, experts]. ``per_pass``: records with
``global_physical_count`` [layers, slots]. ``per_token``: records with ``topk_ids_of_layer``
[layers, tokens, 8], slots of experts padded with -1; requests are not told. Slots become experts by
``last_physical_to_logical_map`` [layers, slots].
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import FloatArray
from .recording import Block, Counts, Integers, Tokens


def read_sglang_recorder(path: Path) -> Tokens | Counts:
    """Tokens of a ``per_token`` file, counts of the others.

    Raises
    ------
    InputError
        If torch is missing, or the file holds anything else.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a file of SGLang's recorder")
    if "logical_count" in content:
        table = _array(content["logical_count"], f"{path}: logical_count", 3)
        return Counts.of(path, table.sum(axis=0, dtype=np.float64))
    records = content.get("records")
    if not isinstance(records, list) or not records:
        raise InputError(f"{path}: has neither logical_count nor records")
    if not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: records: expected objects")
    expert_of = _array(
        content.get("last_physical_to_logical_map"), f"{path}: last_physical_to_logical_map", 2
    )
    if expert_of.size == 0 or expert_of.min() < 0:
        raise InputError(f"{path}: last_physical_to_logical_map: expected an expert in each slot")
    if "topk_ids_of_layer" in records[0]:
        return Tokens(_blocks(path, records, expert_of))
    return Counts.of(path, _logical_counts(path, records, expert_of))


def _load(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{path}: files of torch need the extra: pip install 'expertcache[torch]'"
        ) from None
    try:
        # Mapped: only what is looked at is read.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (RuntimeError, ValueError, TypeError, KeyError, EOFError, pickle.UnpicklingError):
        raise InputError(
            f"{path}: not a file of torch with plain tensors only; nothing else is unpickled"
        ) from None


def _blocks(path: Path, records: list[dict[str, Any]], expert_of: Integers) -> Iterator[Block]:
    layers = np.arange(len(expert_of))[:, None, None]
    for number, record in enumerate(records):
        where = f"{path}: records[{number}].topk_ids_of_layer"
        slot = _array(record.get("topk_ids_of_layer"), where, 3)
        if len(slot) != len(expert_of):
            raise InputError(f"{where}: {len(slot)} layers, but the map has {len(expert_of)}")
        if slot.size and (slot.min() < -1 or slot.max() >= expert_of.shape[1]):
            raise InputError(f"{where}: the map has slots 0 to {expert_of.shape[1] - 1}")
        # -1 is no slot: what the map has last is not used.
        experts = np.where(slot < 0, -1, expert_of[layers, slot])
        yield Block(experts.transpose(1, 0, 2), None)


def _logical_counts(path: Path, records: list[dict[str, Any]], expert_of: Integers) -> FloatArray:
    slots = np.zeros(expert_of.shape)
    for number, record in enumerate(records):
        where = f"{path}: records[{number}].global_physical_count"
        count = _array(record.get("global_physical_count"), where, 2)
        if count.shape != slots.shape:
            raise InputError(f"{where}: {count.shape}, but the map is {slots.shape}")
        slots += count
    table = np.zeros((len(expert_of), int(expert_of.max()) + 1))
    np.add.at(table, (np.arange(len(table))[:, None], expert_of), slots)
    return table


def _array(value: Any, where: str, dimensions: int) -> Integers:
    """Array of a tensor of whole numbers."""
    import torch

    whole = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    if not isinstance(value, torch.Tensor) or value.dtype not in whole:
        raise InputError(f"{where}: expected a tensor of whole numbers")
    if value.ndim != dimensions or value.layout != torch.strided:
        raise InputError(f"{where}: expected {dimensions} dimensions, got {value.ndim}")
    return value.numpy()  # type: ignore[no-any-return]
