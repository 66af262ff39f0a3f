"""What every writer gets: the placement of one model."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.instance import BoolArray, Instance, IntArray, Model
from ..problem.placement import Placement


@dataclass(frozen=True, eq=False)
class ModelPlacement:
    """The placement of one model.

    Attributes
    ----------
    model : Model
    servers : tuple of str
        Names of the N servers; in their order they are the ranks of expert parallelism.
    cached : bool array [N, L, E]
        Which server caches which expert of which MoE layer.
    dense_layers : int
        Layers without experts before the first MoE layer, which some engines count.
    layer_step : int
        Layers from one MoE layer to the next.
    """

    model: Model
    servers: tuple[str, ...]
    cached: BoolArray
    dense_layers: int = 0
    layer_step: int = 1

    def layer_numbers(self) -> IntArray:
        """Where the MoE layers stand among all layers; [L]."""
        return self.dense_layers + self.layer_step * np.arange(self.model.layers)


@dataclass(frozen=True)
class Written:
    """Content of a file.

    Attributes
    ----------
    data : bytes
    kind : FileKind
    usage : tuple of str
        How the engine takes it, as words of its command line: FILE stands for the file's name,
        also inside of JSON; may be empty.
    """

    data: bytes
    kind: FileKind
    usage: tuple[str, ...] = ()

    def usage_of(self, path: str) -> str:
        """The usage with the file's name, for a shell."""
        in_json = msgspec.json.encode(path).decode()[1:-1]
        return shlex.join(
            word.replace("FILE", in_json if word.startswith("{") else path) for word in self.usage
        )


def placement_of(
    instance: Instance,
    placement: Placement,
    name: str | None,
    dense_layers: int = 0,
    layer_step: int = 1,
) -> ModelPlacement:
    """Take the placement of one model out of that of all.

    Parameters
    ----------
    instance : Instance
    placement : Placement
    name : str or None
        Of the model; may be left out where there is only one.
    dense_layers, layer_step : int
        See `ModelPlacement`.

    Raises
    ------
    InputError
        If the model is unknown, or not named where there are several, or its layers cannot be.
    """
    names = [model.name for model in instance.models]
    if not 0 <= dense_layers <= 1000:
        raise InputError(f"dense layers: must be between 0 and 1000, got {dense_layers}")
    if not 1 <= layer_step <= 1000:
        raise InputError(f"layer step: must be between 1 and 1000, got {layer_step}")
    if name is None and len(names) > 1:
        raise InputError(f"model: an engine serves one, name it: {', '.join(names)}")
    if name is not None and names.count(name) != 1:
        what = "several are called" if name in names else "there is no"
        raise InputError(f"model: {what} {name!r} among {', '.join(names)}")
    number = 0 if name is None else names.index(name)
    model = instance.models[number]
    own = slice(int(instance.item_offset[number]), int(instance.item_offset[number + 1]))
    cached = placement.cached(instance)[:, own]
    return ModelPlacement(
        model,
        instance.server_names,
        cached.reshape(instance.servers, model.layers, model.experts),
        dense_layers,
        layer_step,
    )
