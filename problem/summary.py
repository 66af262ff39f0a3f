"""What a person checks about an instance: is anybody in reach, does anything fit, can it pay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evaluate import request_latency_s
from .instance import FloatArray, Instance, IntArray

#: Extent and distance of servers and users, in metres, beyond which positions are doubted.
_FAR_M, _APART_M = 1e6, 2e5


@dataclass(frozen=True)
class Summary:
    """Figures of an instance.

    Attributes
    ----------
    users, users_in_reach : int
        All, and those with a server in reach.
    experts : int
        Of all models together.
    fewest_held, most_held : int
        So many experts, the smallest first, fit on the server with the least room, and with most.
    extent_m : float or None
        Diagonal of the rectangle around all positions in metres, None without positions.
    apart_m : float or None
        Distance between the middle of the servers and the middle of the users in metres.
    requests : int
        Rows with a rate above 0.
    latency_empty_s : float
        Latency without any cache, in seconds.
    most_saving_s : float
        No placement saves more: what would be saved if each request had the room of all the servers
        that it reaches for itself, and its nearest server held everything.
    """

    users: int
    users_in_reach: int
    experts: int
    fewest_held: int
    most_held: int
    extent_m: float | None
    apart_m: float | None
    requests: int
    latency_empty_s: float
    most_saving_s: float

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person."""
        held = f"{self.fewest_held} to {self.most_held}"
        if self.fewest_held == self.most_held:
            held = str(self.most_held)
        return [
            ("users in reach", f"{self.users_in_reach} of {self.users}"),
            ("room of a server", f"{held} of {self.experts} experts"),
            ("extent", "unknown" if self.extent_m is None else f"{self.extent_m / 1e3:,.2f} km"),
            ("requests", str(self.requests)),
            ("largest saving", f"at most {self.most_saving_s:.4g} of {self.latency_empty_s:.4g} s"),
        ]

    def lines(self) -> list[str]:
        """Lines for a person, in the form of a solution's."""
        return [f"{name:<23} {value}" for name, value in self.rows()]

    def warnings(self) -> list[str]:
        """What is probably a mistake."""
        found = []
        hint = "are latitude and longitude swapped?"
        if self.apart_m is not None and self.apart_m > _APART_M:
            found.append(f"users are {self.apart_m / 1e3:,.0f} km from the servers: {hint}")
        elif self.extent_m is not None and self.extent_m > _FAR_M:
            found.append(f"positions are up to {self.extent_m / 1e3:,.0f} km apart: {hint}")
        if self.most_saving_s > 0:
            return found
        reasons = {
            "no rate is above 0": self.requests == 0,
            "no user is in reach of a server": self.users_in_reach == 0,
            "no server holds a single expert": self.most_held == 0,
        }
        because = [reason for reason, holds in reasons.items() if holds]
        because = because or [
            "no server is faster than the cloud, or has room for a set of experts"
        ]
        return [*found, f"nothing can be saved: {', '.join(because)}"]


def summary_of(instance: Instance) -> Summary:
    """Sum an instance up; takes about as long as one evaluation."""
    requests = instance.requests
    in_reach = np.isfinite(instance.server_latency_s).any(axis=(1, 2))
    total = np.cumsum(np.sort(instance.item_bytes))
    held = np.searchsorted(total, instance.capacity_bytes, side="right")
    latency = request_latency_s(instance)
    extent, apart = _extents(instance)
    return Summary(
        users=instance.users,
        users_in_reach=int(in_reach.sum()),
        experts=instance.items,
        fewest_held=int(held.min(initial=instance.items)) if len(held) else 0,
        most_held=int(held.max(initial=0)),
        extent_m=extent,
        apart_m=apart,
        requests=int((requests.rate > 0).sum()),
        latency_empty_s=float((requests.rate * latency).sum()),
        most_saving_s=float((requests.rate * _savings(instance, latency)).sum()),
    )


def _savings(instance: Instance, latency: FloatArray) -> FloatArray:
    """The most that each request can save, given its latency without any cache; [R]."""
    sizes = np.array([model.expert_bytes for model in instance.models])
    places = np.minimum(instance.capacity_bytes[:, None] // sizes, instance.items)  # [N, M]
    server = np.where(places > 0, instance.server_latency_s, np.inf)
    nearest = server.min(axis=1, initial=np.inf)
    faster = server < instance.cloud_latency_s[:, None, :]
    room = (faster * places).sum(axis=1)  # [U, M]
    user, model = instance.requests.user, instance.requests.model
    saving = np.maximum(latency - nearest[user, model], 0.0)
    # All experts that the device lacks must be on servers.
    return np.where(_missing(instance) <= room[user, model], saving, 0.0)


def _missing(instance: Instance) -> IntArray:
    """How many experts of each request its device does not hold; [R]."""
    user, last = instance.requests.user, instance.items - 1
    missing = np.zeros(len(user), dtype=np.int64)
    for item in instance.request_items.T:
        missing += (item <= last) & ~instance.local[user, np.minimum(item, last)]
    return missing


def _extents(instance: Instance) -> tuple[float | None, float | None]:
    """Diagonal around all positions, and the distance between servers and users, in metres."""
    assert instance.server_position_m is not None  # Instance fills them in
    assert instance.user_position_m is not None
    groups = [
        p[~np.isnan(p).any(axis=1)] for p in (instance.server_position_m, instance.user_position_m)
    ]
    known = np.concatenate(groups)
    if not len(known):
        return None, None
    with np.errstate(over="ignore"):
        extent = float(np.hypot(*np.ptp(known, axis=0)))
        if not all(map(len, groups)):
            return extent, None
        servers, users = (group.mean(axis=0) for group in groups)
        return extent, float(np.hypot(*(servers - users)))
