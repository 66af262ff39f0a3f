"""SGLang: the file of ``--init-expert-location``."""

from __future__ import annotations

import msgspec
import numpy as np

from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written
from .slots import slots_of

_FILE = FileKind("expert location of SGLang", rb'\{"physical_to_logical_map":')


def write_sglang(placed: ModelPlacement) -> Written:
    """JSON ``{"physical_to_logical_map": [layers][slots]}``: the expert in each slot.

    Rank r owns as many slots as the others, one rank after the other. All layers of the model are
    counted; dense ones get the experts in their order, and nothing looks at them.

    Raises
    ------
    InputError
        See `slots_of`.
    """
    slots = slots_of(placed)
    layers, ranks, own = slots.shape
    table = slots.reshape(layers, ranks * own)
    number = placed.layer_numbers()
    rows = np.tile(np.arange(ranks * own) % placed.model.experts, (number[-1] + 1, 1))
    rows[number] = table
    content = {"physical_to_logical_map": rows.tolist()}
    redundant = ranks * own - placed.model.experts
    return Written(
        msgspec.json.encode(content) + b"\n",
        _FILE,
        (
            "--ep-size",
            str(ranks),
            "--ep-num-redundant-experts",
            str(redundant),
            "--init-expert-location",
            "FILE",
        ),
    )
