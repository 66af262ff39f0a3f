"""The table of published MoE models: what their experts cost in bytes and arithmetic."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..problem.errors import InputError

if TYPE_CHECKING:
    from ..problem.instance import Model

#: Bits per parameter. mxfp4 holds 32 values of 4 bits and a shared scale of 8 bits.
PRECISION_BITS = {"fp32": 32.0, "bf16": 16.0, "fp8": 8.0, "mxfp4": 4.25, "int4": 4.0}


def check_precision(precision: str) -> None:
    """Refuse a precision that is none of `PRECISION_BITS`.

    Raises
    ------
    InputError
    """
    if precision not in PRECISION_BITS:
        raise InputError(f"precision: unknown {precision!r}, known: {', '.join(PRECISION_BITS)}")


@dataclass(frozen=True)
class ModelCard:
    """One row of the table, from the model's published configuration.

    Attributes
    ----------
    name : str
    layers, experts, top_k : int
        MoE layers, routed experts of each layer, experts that one token activates.
    hidden, expert_ffn : int
        Width of the residual stream and inner width of one expert.
    gated : bool
        Three matrices (gate, up, down) rather than two.
    params_per_expert : int
        Parameters, biases included; shared experts are not counted, they stay on the device.
    dense_layers : int
        Layers without experts before the first MoE layer.
    layer_step : int
        Layers from one MoE layer to the next; 0 where that differs.
    note, source : str
    """

    name: str
    layers: int
    experts: int
    top_k: int
    hidden: int
    expert_ffn: int
    gated: bool
    params_per_expert: int
    dense_layers: int
    layer_step: int
    note: str
    source: str

    def expert_bytes(self, precision: str = "bf16") -> int:
        """Bytes of one expert at a precision of `PRECISION_BITS`."""
        if precision not in PRECISION_BITS:
            raise InputError(f"unknown precision {precision!r}, known: {', '.join(PRECISION_BITS)}")
        return -int(-self.params_per_expert * PRECISION_BITS[precision] // 8)

    def model(self, precision: str = "bf16") -> Model:
        """The model as an instance needs it."""
        # Imported late, as in `Scenario.replace`: the command line's help answers without NumPy.
        from ..problem.instance import Model

        return Model(self.name, self.layers, self.experts, self.top_k, self.expert_bytes(precision))


@cache
def model_table() -> dict[str, ModelCard]:
    """All models by name, in the table's order."""
    text = files(__package__).joinpath("models.csv").read_text(encoding="utf-8")
    counts = (
        "layers", "experts", "top_k", "hidden", "expert_ffn", "params_per_expert", "dense_layers",
        "layer_step",
    )  # fmt: skip
    cards = {}
    for row in csv.DictReader(text.splitlines()):
        numbers = {name: int(row[name]) for name in counts}
        cards[row["name"]] = ModelCard(
            name=row["name"],
            gated=row["gated"] == "yes",
            note=row["note"],
            source=row["source"],
            **numbers,
        )
    return cards


@cache
def published_names() -> dict[str, str]:
    """Names in the table by the names on Hugging Face, in lower case."""
    text = files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["published"].lower(): row["name"] for row in rows}


def same_model(one: str, other: str) -> bool:
    """Whether two names, in the table or published, in any case, are of one model."""
    names = [published_names().get(name.lower(), name.lower()) for name in (one, other)]
    return names[0] == names[1]


def model_card(name: str, folder: str | Path = "") -> ModelCard:
    """Look a model up.

    Parameters
    ----------
    name : str
        In the table; as published on Hugging Face, such as ``mistralai/Mixtral-8x7B-v0.1``; or the
        path of a ``config.json`` or of a folder with one.
    folder : path
        Paths are relative to it; by default to the current one.

    Raises
    ------
    InputError
        If the name is unknown, the message lists the known ones; or the configuration is unusable.
    """
    table = model_table()
    known = published_names().get(name.lower(), name)
    if known in table:
        return table[known]
    path = Path(folder) / name
    # Path.exists raises on names that are too long for a path.
    if os.path.exists(path):  # noqa: PTH110
        from .model_config import read_model_config

        return read_model_config(path)
    raise InputError(
        f"unknown model {name!r}, known: {', '.join(table)}; and paths of a config.json"
    )
