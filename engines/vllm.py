"""vLLM: the file of the open change that adds ``initial_expert_map_path``."""

from __future__ import annotations

import msgspec

from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written
from .slots import slots_of

_FILE = FileKind("expert map of vLLM", rb"\[\[\d+[,\]]")


def write_vllm(placed: ModelPlacement) -> Written:
    """JSON [MoE layers][slots]: the expert in each slot, one rank after the other.

    Raises
    ------
    InputError
        See `slots_of`.
    """
    slots = slots_of(placed)
    layers, ranks, own = slots.shape
    redundant = ranks * own - placed.model.experts
    config = f'{{"num_redundant_experts":{redundant},"initial_expert_map_path":"FILE"}}'
    return Written(
        msgspec.json.encode(slots.reshape(layers, ranks * own).tolist()) + b"\n",
        _FILE,
        ("--enable-expert-parallel", "--enable-eplb", "--eplb-config", config),
    )
