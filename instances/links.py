"""Latency of one token's round trip, from positions and the scenario's physics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..problem.instance import BoolArray, FloatArray
from .model_table import ModelCard
from .scenario import Scenario

_THERMAL_NOISE_DBM_HZ = -174.0
_FIBRE_M_PER_S = 2e8
_ANTENNA_HEIGHT_DIFFERENCE_M = 10.0 - 1.5  # UMi base station and handheld, 3GPP TR 38.901


class Links(NamedTuple):
    """Round trips in seconds.

    Attributes
    ----------
    server : float array [U, N, M]
        ``inf`` where a server is out of reach.
    cloud, local : float array [U, M]
    """

    server: FloatArray
    cloud: FloatArray
    local: FloatArray


def link_latencies(
    scenario: Scenario, server_position_m: FloatArray, user_position_m: FloatArray
) -> Links:
    """Compute all round trips of a scenario.

    A user reaches every server within `radius_m` by radio, and every server within
    `backhaul_reach_m` of the nearest of those through it; the faster way counts. The cloud is
    reached through the nearest server in range, or at `fallback_bps` where there is none. The
    link carries the hidden state there and back, and the expert's time is the larger of its
    arithmetic (2 FLOP per parameter) and of reading its weights once.

    Parameters
    ----------
    scenario : Scenario
    server_position_m, user_position_m : float array [N, 2] and [U, 2]

    Returns
    -------
    Links
    """
    # Extreme scenarios overflow to 0 or infinity here, and Instance refuses those.
    with np.errstate(all="ignore"):
        return _link_latencies(scenario, server_position_m, user_position_m)


def _link_latencies(
    scenario: Scenario, server_position_m: FloatArray, user_position_m: FloatArray
) -> Links:
    cards = scenario.cards()
    bits = np.array([card.hidden * scenario.activation_bits for card in cards], dtype=float)
    U, N = len(user_position_m), len(server_position_m)
    distance = _distances(user_position_m, server_position_m)
    in_range: BoolArray = np.less_equal(distance, scenario.radius_m)
    up = _shannon_bps(scenario, distance, scenario.user_power_dbm)
    down = _shannon_bps(scenario, distance, scenario.server_power_dbm)
    # [U, N, M]: both ways over the radio link.
    radio = bits * (1 / up + 1 / down)[:, :, None] + 2 * scenario.access_s
    radio[~in_range] = np.inf

    fallback = np.broadcast_to(
        2 * bits / scenario.fallback_bps + 2 * scenario.access_s, (U, len(cards))
    )
    if N:
        covered = np.logical_or.reduce(in_range, axis=1)
        home = np.where(in_range, distance, np.inf).argmin(axis=1)
        between = _distances(server_position_m, server_position_m)
        hop = (
            2 * (scenario.backhaul_hop_s + between[:, :, None] / _FIBRE_M_PER_S)
            + 2 * bits / scenario.backhaul_bps
        )
        hop[np.greater(between, scenario.backhaul_reach_m)] = np.inf
        first = radio[np.arange(U), home]
        through_home = np.where(covered[:, None, None], first[:, None, :] + hop[home], np.inf)
        reach = np.minimum(radio, through_home)
        access = np.where(covered[:, None], first, fallback)
    else:
        reach, access = radio, fallback
    server_s = _compute_s(cards, scenario, scenario.server_flops, scenario.server_bytes_per_s)
    cloud_s = _compute_s(cards, scenario, scenario.cloud_flops, scenario.cloud_bytes_per_s)
    local_s = _compute_s(cards, scenario, scenario.device_flops, scenario.device_bytes_per_s)
    return Links(
        server=rounded(reach + server_s),
        cloud=rounded(access + 2 * scenario.cloud_s + cloud_s),
        local=rounded(np.broadcast_to(local_s, (U, len(cards)))),
    )


def rounded(values: FloatArray) -> FloatArray:
    """Values with 7 significant digits.

    Processors differ in the last bit of logarithms and powers; rounding makes the same seed give
    the same bytes on all of them.
    """
    flat = [float(f"{value:.7g}") for value in values.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(values.shape)


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])


def _shannon_bps(scenario: Scenario, distance_m: FloatArray, power_dbm: float) -> FloatArray:
    """Shannon rate over the NLOS path loss of 3GPP TR 38.901, UMi street canyon, table 7.4.1-1."""
    d3 = np.hypot(np.maximum(distance_m, 1.0), _ANTENNA_HEIGHT_DIFFERENCE_M)
    carrier_ghz = scenario.carrier_hz / 1e9
    line_of_sight = 32.4 + 21 * np.log10(d3) + 20 * np.log10(carrier_ghz)
    scattered = 22.4 + 35.3 * np.log10(d3) + 21.3 * np.log10(carrier_ghz)
    loss_db = np.maximum(line_of_sight, scattered)
    noise_dbm = (
        _THERMAL_NOISE_DBM_HZ + 10 * np.log10(scenario.bandwidth_hz) + scenario.noise_figure_db
    )
    snr = 10 ** ((power_dbm - loss_db - noise_dbm) / 10)
    rate: FloatArray = scenario.bandwidth_hz * np.log2(1 + snr)
    return np.maximum(rate, 1.0)


def _compute_s(
    cards: tuple[ModelCard, ...], scenario: Scenario, flops: float, bytes_per_s: float
) -> FloatArray:
    """Time of one token in one expert of each model; [M] in seconds."""
    return np.array([expert_s(card, scenario.precision, flops, bytes_per_s) for card in cards])


def expert_s(card: ModelCard, precision: str, flops: float, bytes_per_s: float) -> float:
    """Roofline time of one token in one expert, in seconds."""
    return max(2 * card.params_per_expert / flops, card.expert_bytes(precision) / bytes_per_s)
