"""What a generated instance is made from: every quantity with its unit and its source."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..problem.errors import InputError
from ..problem.sizes import MAX_INT
from .model_table import ModelCard, check_precision, model_card

#: Beyond this the number of possible expert sets takes minutes to compute.
MAX_TOP_K = 256

#: Beyond this `skew` and `coactivation` make the law of the sets overflow.
MAX_EXPONENT = 20


@dataclass(frozen=True)
class Scenario:
    """Parameters of generated instances.

    "Assumed" marks a default without a published source. Link times are those of `links`.

    Parameters
    ----------
    models : tuple of str
        Names in the model table; user u runs model ``u mod M``.
    layers, experts, top_k : int, optional
        Instead of the models' own, to make smaller instances.
    precision : str
        Of the experts' weights: bf16, fp8, mxfp4, int4 or fp32.
    servers, users : int
        How many there are.
    area_m : float
        Side of the square in which servers and users are drawn uniformly, in metres (assumed).
    capacity : float
        Storage of each server as a share of the bytes of all experts, at most 1 (assumed).
    local : int
        Experts of each layer that a device keeps: those its user needs most (assumed).
    skew : float
        Exponent of Zipf's law, which the experts' weights follow; 0 is uniform (assumed). With
        K >= 2 the popularity is flatter than the weights: one token uses an expert once.
    coactivation : float
        Strength c of experts coming together; 0 is by popularity only, 3 is strong (assumed).
        Every pair of the same random group of top_k experts multiplies a set's odds by exp(c),
        while the popularity of each expert stays the same (exactly where all sets are enumerated,
        see `max_sets`).
    user_concentration : float
        Likeness of the users: large is alike, ``inf`` is equal (assumed). The total mass of the
        Dirichlet law from which each user draws their own law of the sets, around the common one.
    max_sets : int
        Expert sets of a layer at most. Up to so many are enumerated; where there are more, this
        many draws make the support. A recorded gpt-oss layer has thousands: draw more for realism.
    tokens : int, optional
        Drawn for each user and layer, to count their sets instead of taking the probabilities:
        sparse sets.
    radius_m : float
        Range of the radio link in metres (assumed).
    carrier_hz, bandwidth_hz : float
        Band n78 at 3.5 GHz; 20 MHz for one user (assumed).
    user_power_dbm : float
        23 dBm, power class 3 of 3GPP TS 38.101-1.
    server_power_dbm : float
        33 dBm (assumed, a small cell).
    noise_figure_db : float
        7 dB over the thermal -174 dBm/Hz (assumed).
    access_s : float
        Scheduling delay of the radio access, each way, in seconds (assumed).
    fallback_bps : float
        Wide-area rate of a user with no server in range, in bit/s (assumed).
    backhaul_reach_m : float
        Servers this near to the user's nearest server are reached through it, in metres (assumed).
    backhaul_hop_s, backhaul_bps : float
        Delay of that hop each way, in seconds, and its rate in bit/s (assumed).
    cloud_s : float
        Delay from the network's edge to the cloud, each way, in seconds (assumed).
    activation_bits : int
        Bits for one value of the hidden state on the link (bf16).
    device_flops, device_bytes_per_s : float
        Arithmetic in FLOP/s and memory bandwidth in B/s of a user's device (assumed; 51.2 GB/s is
        LPDDR5-6400 with 64 bits).
    server_flops, server_bytes_per_s : float
        Of an edge server (data sheet of the NVIDIA L4: 121e12 FLOP/s dense bf16, 300 GB/s).
    cloud_flops, cloud_bytes_per_s : float
        Of the cloud (data sheet of the NVIDIA H100 SXM: 989e12 FLOP/s dense bf16, 3.35 TB/s).
    """

    models: tuple[str, ...] = ("mixtral-8x7b",)
    layers: int | None = None
    experts: int | None = None
    top_k: int | None = None
    precision: str = "bf16"
    servers: int = 5
    users: int = 20
    area_m: float = 1000.0
    capacity: float = 0.2
    local: int = 0
    skew: float = 0.8
    coactivation: float = 1.0
    user_concentration: float = 50.0
    max_sets: int = 300
    tokens: int | None = None
    radius_m: float = 300.0
    carrier_hz: float = 3.5e9
    bandwidth_hz: float = 20e6
    user_power_dbm: float = 23.0
    server_power_dbm: float = 33.0
    noise_figure_db: float = 7.0
    access_s: float = 1e-3
    fallback_bps: float = 20e6
    backhaul_reach_m: float = 600.0
    backhaul_hop_s: float = 2e-3
    backhaul_bps: float = 10e9
    cloud_s: float = 20e-3
    activation_bits: int = 16
    device_flops: float = 4e12
    device_bytes_per_s: float = 51.2e9
    server_flops: float = 121e12
    server_bytes_per_s: float = 300e9
    cloud_flops: float = 989e12
    cloud_bytes_per_s: float = 3.35e12

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("models: at least one")
        cards = self.cards()
        check_precision(self.precision)
        may_be_zero = {"capacity", "local", "skew", "coactivation", "backhaul_reach_m"}
        may_be_infinite = {"user_concentration", "radius_m", "backhaul_reach_m"}
        any_sign = {"user_power_dbm", "server_power_dbm", "noise_figure_db"}
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, str | tuple) or value is None:
                continue
            if isinstance(value, int) and value > MAX_INT:
                raise InputError(f"{spec.name}: must be <= {MAX_INT}")
            if math.isnan(value) or (math.isinf(value) and spec.name not in may_be_infinite):
                raise InputError(f"{spec.name}: must be finite")
            if spec.name not in any_sign and not (
                value > 0 or (value == 0 and spec.name in may_be_zero)
            ):
                least = ">=" if spec.name in may_be_zero else ">"
                raise InputError(f"{spec.name}: must be {least} 0")
        for card in cards:
            if card.top_k > MAX_TOP_K:
                raise InputError(f"top_k: must be <= {MAX_TOP_K}, got {card.top_k}")
            if card.top_k > card.experts:
                raise InputError(f"top_k: {card.top_k} exceeds the {card.experts} experts")
            if self.local > card.experts:
                raise InputError(f"local: {self.local} exceeds the {card.experts} experts")
        if max(self.skew, self.coactivation) > MAX_EXPONENT:
            raise InputError(f"skew and coactivation: must be <= {MAX_EXPONENT}")
        if self.capacity > 1:
            raise InputError("capacity: must be <= 1, a share of the bytes of all experts")

    def cards(self) -> tuple[ModelCard, ...]:
        """The models' cards with `layers`, `experts` and `top_k` replaced where given."""
        changes = {
            name: value
            for name in ("layers", "experts", "top_k")
            if (value := getattr(self, name)) is not None
        }
        for name, value in changes.items():
            if value < 1:
                raise InputError(f"{name}: must be >= 1")
        return tuple(dataclasses.replace(model_card(name), **changes) for name in self.models)

    def replace(self, **changes: Any) -> Scenario:
        """Copy with some fields changed; values may be strings, as on a command line.

        Raises
        ------
        InputError
            If a field is unknown or a value does not fit it.
        """
        # Imported late: --help needs the fields alone.
        from ..problem.validation import with_fields

        if isinstance(changes.get("models"), str):
            changes["models"] = changes["models"].split("+")
        return with_fields(self, changes, "scenario field {!r}")
