"""Which engines a placement can be written for."""

from __future__ import annotations

from collections.abc import Callable

from ..problem.errors import InputError
from .ktransformers import write_ktransformers
from .llama_cpp import write_llama_cpp
from .model_placement import ModelPlacement, Written
from .rows import write_rows
from .sglang import write_sglang
from .vllm import write_vllm
from .vllm_ascend import write_vllm_ascend

#: A writer takes the placement of one model.
Writer = Callable[[ModelPlacement], Written]

TARGETS: dict[str, Writer] = {
    "sglang": write_sglang,
    "vllm": write_vllm,
    "vllm-ascend": write_vllm_ascend,
    "ktransformers": write_ktransformers,
    "llama.cpp": write_llama_cpp,
    "csv": write_rows,
}


def find_target(name: str) -> Writer:
    """Look a writer up by the engine's name.

    Raises
    ------
    InputError
    """
    if name not in TARGETS:
        raise InputError(f"engine: {name!r} is none of {', '.join(TARGETS)}")
    return TARGETS[name]
