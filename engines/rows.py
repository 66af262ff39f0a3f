"""A plain table, for engines that are not here."""

from __future__ import annotations

import csv
import io

import numpy as np

from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written

_HEADER = ("server", "model", "layer", "expert", "bytes")
_FILE = FileKind("table of a placement", b"server,model,layer,expert,bytes\n")


def write_rows(placed: ModelPlacement) -> Written:
    """CSV with a row for each cached expert: names, the numbers of layer and expert, bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    model = placed.model
    number = placed.layer_numbers().tolist()
    for n, layer, expert in np.argwhere(placed.cached).tolist():
        row = (placed.servers[n], model.name, number[layer], expert)
        writer.writerow((*row, model.expert_bytes))
    return Written(text.getvalue().encode(), _FILE)
