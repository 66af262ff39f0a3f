"""vllm-ascend: the file of ``expert_map_path``."""

from __future__ import annotations

import msgspec

from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written
from .slots import slots_of

_FILE = FileKind("expert map of vllm-ascend", rb'\{"moe_layer_count":')


def write_vllm_ascend(placed: ModelPlacement) -> Written:
    """JSON with the experts of each device in each MoE layer.

    Raises
    ------
    InputError
        See `slots_of`.
    """
    slots = slots_of(placed)
    layers, ranks, _ = slots.shape
    content = {
        "moe_layer_count": layers,
        "layer_list": [
            {
                "layer_id": number,
                "device_count": ranks,
                "device_list": [
                    {"device_id": rank, "device_expert": experts}
                    for rank, experts in enumerate(layer)
                ],
            }
            for number, layer in enumerate(slots.tolist())
        ],
    }
    return Written(
        msgspec.json.encode(content) + b"\n",
        _FILE,
        (
            "--enable-expert-parallel",
            "--additional-config",
            '{"eplb_config":{"expert_map_path":"FILE"}}',
        ),
    )
