"""Machines with GPUs: the memory of each is a server, the host's memory or disk is the cloud."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..problem.errors import InputError
from .model_table import check_precision


@dataclass(frozen=True)
class Machine:
    """GPUs, in one machine or several, and what stands behind them.

    "Assumed" marks a default without a published source. One user for each GPU: the tokens whose
    attention that GPU computes.

    Parameters
    ----------
    precision : str
        Of the experts' weights: bf16, fp8, mxfp4, int4 or fp32.
    layers : int, optional
        The first so many MoE layers of the model, by default all.
    gpus : int
        How many there are.
    nodes : int
        Machines over which they are spread evenly.
    memory_gib : float
        Memory of each GPU for experts, in GiB: without attention, KV cache and activations
        (assumed).
    parallel : bool
        Whether the missing experts of one layer come at the same time. One GPU gets them one after
        the other, over one link; several GPUs always work at the same time.
    gpu_flops, gpu_bytes_per_s : float
        Arithmetic in FLOP/s and memory bandwidth in B/s (data sheet of the NVIDIA RTX 4090: 165e12
        FLOP/s dense fp16, 1008 GB/s).
    host_s, host_bytes_per_s : float
        Delay of the way to the host in seconds, once for each layer that misses an expert, and
        bytes of experts a second (assumed; 25 GB/s is what 16 lanes of PCIe 4.0 reach). Where the
        CPU computes missing experts, as in ktransformers: what its memory delivers. Behind a disk:
        what the disk does.
    peer_s, peer_bytes_per_s : float
        Delay to another GPU of the same node and back in seconds, and its rate in B/s (assumed).
    node_s, node_bytes_per_s : float
        The same between nodes (assumed; 50 GB/s is 400 Gbit/s).
    activation_bits : int
        Bits for one value of the hidden state between GPUs (bf16).
    """

    precision: str = "bf16"
    layers: int | None = None
    gpus: int = 1
    nodes: int = 1
    memory_gib: float = 16.0
    parallel: bool = False
    gpu_flops: float = 165e12
    gpu_bytes_per_s: float = 1008e9
    host_s: float = 10e-6
    host_bytes_per_s: float = 25e9
    peer_s: float = 10e-6
    peer_bytes_per_s: float = 25e9
    node_s: float = 30e-6
    node_bytes_per_s: float = 50e9
    activation_bits: int = 16

    def __post_init__(self) -> None:
        check_precision(self.precision)
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, str | bool) or value is None:
                continue
            if not 0 < value < 1e18:
                raise InputError(f"{spec.name}: must be > 0 and finite, got {value:g}")
        if self.gpus > 1024:
            raise InputError(f"gpus: must be <= 1024, got {self.gpus}")
        if self.gpus % self.nodes:
            raise InputError(f"nodes: {self.gpus} GPUs cannot be spread evenly over {self.nodes}")

    @property
    def serial(self) -> bool:
        """Whether the missing experts of a layer come one after the other."""
        return self.gpus == 1 and not self.parallel

    def replace(self, **changes: Any) -> Machine:
        """Copy with some fields changed; values may be strings, as on a command line.

        Raises
        ------
        InputError
            If a field is unknown or a value does not fit it.
        """
        # Imported late: --help needs the fields alone.
        from ..problem.validation import with_fields

        return with_fields(self, changes, "field {!r} of a machine")
