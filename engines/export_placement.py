"""A placement becomes the file that a serving engine loads."""

from __future__ import annotations

from pathlib import Path

from ..problem.errors import InputError
from ..problem.files import write_bytes
from ..problem.instance import Instance
from ..problem.placement import Placement
from .model_placement import placement_of
from .targets import find_target

#: How the names of files must end by which engines tell what they are.
_ENDINGS = {"sglang": ".json", "ktransformers": ".pt"}


def export_placement(
    instance: Instance,
    placement: Placement,
    path: str | Path,
    *,
    engine: str,
    model: str | None = None,
    dense_layers: int = 0,
    layer_step: int = 1,
) -> str:
    """Write a placement as an engine loads it; docs/routing.md describes the files.

    Parameters
    ----------
    instance : Instance
    placement : Placement
    path : path
    engine : str
        One of `TARGETS`.
    model : str, optional
        Name of the model, needed where the instance has several.
    dense_layers : int
        Layers without experts before the model's first MoE layer: the instance counts MoE layers
        only, SGLang, ktransformers and llama.cpp count all.
    layer_step : int
        Layers of the model from one MoE layer to the next.

    Returns
    -------
    str
        Options with which the engine loads the file; may be empty.

    Raises
    ------
    InputError
        If the engine cannot do what the placement says, or the file cannot be written.
    """
    path = Path(path)
    write = find_target(engine)
    written = write(placement_of(instance, placement, model, dense_layers, layer_step))
    ending = _ENDINGS.get(engine, "")
    if not path.name.endswith(ending) or path.suffix.lower() == ".gz":
        raise InputError(f"{path}: {engine} takes {f'{ending} files' if ending else 'no .gz'}")
    write_bytes(path, written.data, written.kind)
    return written.usage_of(str(path))
