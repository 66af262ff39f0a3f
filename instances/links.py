"""Latency of one token's round trip, from positions and the scenario's physics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..problem.instance import BoolArray, FloatArray
from .model_table import ModelCard
from .places import Server
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


class Weights(NamedTuple):
    """Experts of a model as they are stored.

    Attributes
    ----------
    card : ModelCard
    precision : str
    """

    card: ModelCard
    precision: str


class ExpertTimes(NamedTuple):
    """Time of one token in one expert, in seconds.

    Attributes
    ----------
    server : float array [N, M]
    cloud, local : float array [M]
    """

    server: FloatArray
    cloud: FloatArray
    local: FloatArray


def expert_times(
    scenario: Scenario, weights: Sequence[Weights], servers: Sequence[Server]
) -> ExpertTimes:
    """Time of one token in one expert, without any link.

    Parameters
    ----------
    scenario : Scenario
    weights : sequence of Weights
        M models.
    servers : sequence of Server
        Their arithmetic and bandwidth, where told.
    """

    def times(flops: float, bytes_per_s: float) -> list[float]:
        return [expert_s(card, precision, flops, bytes_per_s) for card, precision in weights]

    rows = [
        times(
            scenario.server_flops if server.flops is None else server.flops,
            scenario.server_bytes_per_s if server.bytes_per_s is None else server.bytes_per_s,
        )
        for server in servers
    ]
    return ExpertTimes(
        server=np.array(rows).reshape(len(servers), len(weights)),
        cloud=np.array(times(scenario.cloud_flops, scenario.cloud_bytes_per_s)),
        local=np.array(times(scenario.device_flops, scenario.device_bytes_per_s)),
    )


def link_latencies(
    scenario: Scenario,
    server_position_m: FloatArray,
    user_position_m: FloatArray,
    *,
    weights: Sequence[Weights] = (),
    servers: Sequence[Server] = (),
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
        NaN where unknown: out of reach.
    weights : sequence of Weights, optional
        M models, by default the scenario's.
    servers : sequence of Server, optional
        What is told about each server.

    Returns
    -------
    Links
    """
    weights = weights or [Weights(card, scenario.precision) for card in scenario.cards()]
    servers = servers or [Server()] * len(server_position_m)
    # Extreme scenarios overflow to 0 or infinity here, and Instance refuses those.
    with np.errstate(all="ignore"):
        return _link_latencies(scenario, server_position_m, user_position_m, weights, servers)


def _link_latencies(
    scenario: Scenario,
    server_position_m: FloatArray,
    user_position_m: FloatArray,
    weights: Sequence[Weights],
    servers: Sequence[Server],
) -> Links:
    cards = [card for card, _ in weights]
    bits = np.array([card.hidden * scenario.activation_bits for card in cards], dtype=float)
    U, N = len(user_position_m), len(server_position_m)
    to_cloud = np.full((U, 1), 2 * scenario.cloud_s)
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
        hop[~np.less_equal(between, scenario.backhaul_reach_m)] = np.inf
        first = radio[np.arange(U), home]
        through_home = np.where(covered[:, None, None], first[:, None, :] + hop[home], np.inf)
        reach = np.minimum(radio, through_home)
        access = np.where(covered[:, None], first, fallback)
        measured = np.array([np.nan if s.cloud_rtt_ms is None else s.cloud_rtt_ms for s in servers])
        known = covered & ~np.isnan(measured[home])
        to_cloud[known, 0] = measured[home[known]] / 1e3
    else:
        reach, access = radio, fallback
    times = expert_times(scenario, weights, servers)
    return Links(
        server=rounded(reach + times.server),
        cloud=rounded(access + to_cloud + times.cloud),
        local=rounded(np.broadcast_to(times.local, (U, len(cards)))),
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


def expert_s(card: ModelCard, precision: str, flops: float, bytes_per_s: float) -> float:
    """Roofline time of one token in one expert, in seconds."""
    return max(2 * card.params_per_expert / flops, card.expert_bytes(precision) / bytes_per_s)
