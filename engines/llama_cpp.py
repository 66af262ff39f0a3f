"""llama.cpp: the argument of ``--override-tensor``."""

from __future__ import annotations

import re

import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from .model_placement import ModelPlacement, Written

_FILE = FileKind("tensor override of llama.cpp", rb"blk\\\.\(")

#: Buffers as the engine calls them: neither the pattern nor the name may have its separators.
_BUFFER = re.compile(r"[^\s,=]+")

#: The tensors of a layer's routed experts, as in the engine's own ``--n-cpu-moe``.
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


def write_llama_cpp(placed: ModelPlacement) -> Written:
    """One line ``PATTERN=BUFFER,...``: whole layers on the servers, the other layers in the CPU.

    A layer's experts are one tensor, so a layer is on one server or on none. Servers are buffers:
    their names are those that the engine prints, such as ``CUDA0`` or ``RPC[host:port]``.

    Raises
    ------
    InputError
        If a layer is cached in part or on several servers, or a name is none of a buffer.
    """
    for name in placed.servers:
        if not _BUFFER.fullmatch(name):
            raise InputError(f"llama.cpp: {name!r} is no name of a buffer, such as CUDA0")
    count = placed.cached.sum(axis=2)
    E = placed.model.experts
    server, layer = np.nonzero((count > 0) & (count < E))
    if len(layer):
        n, k = server[0], layer[0]
        raise InputError(
            f"llama.cpp: {placed.servers[n]} has {count[n, k]} of the {E} experts of layer {k}; "
            "the experts of a layer are one tensor, which has one place"
        )
    whole = count == E
    twice = np.flatnonzero(whole.sum(axis=0) > 1)
    if len(twice):
        names = " and ".join(placed.servers[n] for n in np.flatnonzero(whole[:, twice[0]]))
        raise InputError(
            f"llama.cpp: layer {twice[0]} is on {names}; a tensor has one place, and no copies"
        )
    places = [*zip(placed.servers, whole, strict=True), ("CPU", ~whole.any(axis=0))]
    number = placed.layer_numbers()
    patterns = [
        rf"blk\.({'|'.join(map(str, number[own].tolist()))})"
        f"{_EXPERTS}={name}"
        for name, own in places
        if own.any()
    ]
    line = ",".join(patterns)
    return Written((line + "\n").encode(), _FILE, ("--override-tensor", line))
