"""Instances from recorded routing on the GPUs of a machine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..problem.instance import FloatArray, Instance, Requests
from .links import expert_s, rounded
from .machine import Machine
from .model_table import ModelCard, model_card
from .trace import Trace, fitted_layers
from .trace_requests import follow


def import_machine(
    trace: Trace,
    machine: Machine,
    model: str,
    *,
    max_sets: int | None = None,
    source: str = "",
    name: str | None = None,
    split: Mapping[str, Any] | None = None,
) -> Instance:
    """Build an instance from a trace on a machine with GPUs.

    An expert in the memory of a user's own GPU takes the larger of its arithmetic and of reading
    its weights once; on another GPU also the way of the hidden state there and back; elsewhere
    ``host_s + bytes / host_bytes_per_s``. Every user follows the whole trace.

    Where missing experts come one after the other (`Machine.serial`), a token that misses m of a
    layer's K experts waits ``host_s + m * bytes / host_bytes_per_s``. That is a sum over its sets:
    a row with all K experts has the share ``host_s / (host_s + bytes / host_bytes_per_s)`` of its
    rate, and K rows of one expert each have the rest. What the experts on the GPU take is off by
    that share at most.

    Parameters
    ----------
    trace : Trace
        Of one kind of user: read without the categories of its sequences.
    machine : Machine
    model : str
        Name in the model table.
    max_sets : int, optional
        Keep only so many sets of each layer, the most frequent ones.
    source, name : str, optional
    split : mapping, optional
        How the trace was split, for ``meta``; see `split_trace`.

    Raises
    ------
    InputError
        If the trace does not fit the model, or `max_sets` is less than 1.
    """
    card = model_card(model)
    layers = fitted_layers(trace, card, machine.layers)
    card = dataclasses.replace(card, layers=layers)
    spec = card.model(machine.precision)
    server, cloud = _latencies_s(machine, card)
    followed = follow(trace, layers, np.zeros(machine.gpus, dtype=np.int64), max_sets)
    requests = followed.requests
    told = followed.meta(trace, source, split)
    if machine.serial:
        requests = _one_after_the_other(requests, machine.host_s / cloud)
        # A replay walks layers that wait for their slowest expert.
        del told["user_category"]
    users = (machine.gpus, 1)
    return Instance(
        models=(spec,),
        capacity_bytes=np.full(machine.gpus, _bytes(machine.memory_gib)),
        server_latency_s=server[:, :, None],
        cloud_latency_s=np.full(users, cloud),
        local_latency_s=np.full(users, cloud),
        local=np.zeros((machine.gpus, spec.items), dtype=np.bool_),
        requests=requests,
        name=name or f"{model}-machine-g{machine.gpus}",
        description=f"Recorded routing of {model} on {machine.gpus} GPUs",
        server_names=_names(machine),
        meta={
            "generator": "machine",
            "trace": told,
            "assumed": "missing experts of a layer come "
            + ("one after the other" if machine.serial else "at the same time")
            + "; no batches, no prefetching; GPUs are never busy with other tokens",
            "machine": dataclasses.asdict(machine),
        },
    )


def _bytes(gib: float) -> int:
    # As the decimal that was given.
    return math.floor(Fraction(repr(gib)) * 2**30)


def _names(machine: Machine) -> tuple[str, ...]:
    """As engines call them."""
    own = machine.gpus // machine.nodes
    if machine.nodes == 1:
        return tuple(f"CUDA{gpu}" for gpu in range(own))
    return tuple(f"node{gpu // own}-CUDA{gpu % own}" for gpu in range(machine.gpus))


def _latencies_s(machine: Machine, card: ModelCard) -> tuple[FloatArray, float]:
    """Of an expert of each GPU for each user [gpus, gpus], and of one on no GPU; in seconds."""
    here = expert_s(card, machine.precision, machine.gpu_flops, machine.gpu_bytes_per_s)
    state = 2 * card.hidden * machine.activation_bits / 8
    node = np.arange(machine.gpus) // (machine.gpus // machine.nodes)
    near: FloatArray = np.where(
        node[:, None] == node,
        machine.peer_s + state / machine.peer_bytes_per_s,
        machine.node_s + state / machine.node_bytes_per_s,
    )
    np.fill_diagonal(near, 0.0)
    cloud = machine.host_s + card.expert_bytes(machine.precision) / machine.host_bytes_per_s
    return rounded(here + near), float(rounded(np.array([cloud]))[0])


def _one_after_the_other(requests: Requests, share: float) -> Requests:
    """Rows of the whole sets with a share of their rates, and a row of the rest for each expert."""
    rows, K = requests.experts.shape
    layers = int(requests.layer.max(initial=0)) + 1
    experts = int(requests.experts.max(initial=0)) + 1
    code = (requests.layer.astype(np.int64)[:, None] * experts + requests.experts).ravel()
    rate = np.bincount(code, weights=np.repeat(requests.rate, K), minlength=layers * experts)
    used = np.flatnonzero(rate)
    single = np.full((len(used), K), -1, dtype=np.int32)
    single[:, 0] = used % experts
    zeros = np.zeros(rows + len(used), dtype=np.int32)
    return Requests(
        user=zeros,
        model=zeros,
        layer=np.concatenate([requests.layer, (used // experts).astype(np.int32)]),
        experts=np.concatenate([requests.experts, single]),
        rate=np.concatenate([share * requests.rate, (1 - share) * rate[used]]),
    )
