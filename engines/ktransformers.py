"""ktransformers: counts of which its strategy ``frequency`` takes the highest onto the GPU."""

from __future__ import annotations

import io

import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written

_FILE = FileKind("file of counts by torch", rb"PK\x03\x04.{26}archive/data\.pkl")


def write_ktransformers(placed: ModelPlacement) -> Written:
    """A file of torch, ``{"logical_count": [1, layers, experts]}``: 1 on the GPU, 0 elsewhere.

    The engine keeps as many experts as it is told, those of the highest counts over all layers; so
    these counts and the number of ones say exactly which. All layers of the model are counted.

    Raises
    ------
    InputError
        If there is not exactly one server, it caches nothing, or torch is missing.
    """
    if len(placed.servers) != 1:
        raise InputError(f"ktransformers: has one GPU memory, not {len(placed.servers)} servers")
    held = placed.cached[0]
    if not held.any():
        raise InputError("ktransformers: nothing is cached, which needs no file")
    try:
        import torch
    except ImportError:
        raise InputError("ktransformers: needs torch: pip install 'expertcache[torch]'") from None
    number = placed.layer_numbers()
    counts = np.zeros((1, number[-1] + 1, held.shape[1]), dtype=np.int64)
    counts[0, number] = held
    file = io.BytesIO()
    torch.save({"logical_count": torch.from_numpy(counts)}, file)
    return Written(
        file.getvalue(),
        _FILE,
        (
            "--kt-expert-placement-strategy",
            "frequency",
            "--init-expert-location",
            "FILE",
            *gpu_experts_option(int(held.sum()), *held.shape),
        ),
    )


def gpu_experts_option(count: int, layers: int, experts: int) -> tuple[str, str]:
    """Option that makes the engine keep so many experts.

    Parameters
    ----------
    count : int
        On the GPU, over all layers.
    layers, experts : int
        MoE layers, and experts of each.
    """
    if count % layers == 0:
        return "--kt-num-gpu-experts", str(count // layers)
    # The engine rounds its product with all experts down: half an expert more keeps it exact.
    return "--kt-gpu-experts-ratio", f"{(count + 0.5) / (layers * experts):.10f}"
