"""The instances on which exact methods are compared: a second to some minutes for plain `milp`.

Fixed: figures of different days can be compared as long as this file stays as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from expertcache import Scenario


class Case(NamedTuple):
    """One instance, not yet generated; ``group`` is "K=1" to "K=4"."""

    group: str
    name: str
    scenario: Scenario
    seed: int


_BASE = Scenario(users=8, area_m=500, capacity=0.2)
_EIGHT = {"experts": 8, "models": ("dbrx",)}
_BASES: dict[str, Scenario] = {
    "K=1": _BASE.replace(models=("switch-base-32",), users=40),
    "K=2": _BASE,
    "K=3": _BASE.replace(**_EIGHT, top_k=3),
    "K=4": _BASE.replace(**_EIGHT, top_k=4),
}

# Names: l layers, n servers, u users, t tokens (sparse), c capacity in %, local experts, alpha user
# concentration.
_CHANGES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "K=1": [
        ("l6-n10-a1000", {"layers": 6, "servers": 10, "area_m": 1000}),
        ("l6-n8-t6", {"layers": 6, "servers": 8, "tokens": 6}),
    ],
    "K=2": [
        ("l2-n4", {"layers": 2, "servers": 4}),
        ("l3-n3", {"layers": 3, "servers": 3}),
        ("l4-n3", {"layers": 4, "servers": 3}),
        ("l6-n2", {"layers": 6, "servers": 2}),
        ("l4-n5-u12", {"layers": 4, "servers": 5, "users": 12}),
        ("l3-n5-u12", {"layers": 3, "servers": 5, "users": 12}),
        ("l6-n3-u12", {"layers": 6, "servers": 3, "users": 12}),
        ("l3-n3-c40", {"layers": 3, "servers": 3, "capacity": 0.4}),
        ("l8-n3-c10", {"layers": 8, "servers": 3, "capacity": 0.1}),
        ("l4-n3-alpha2", {"layers": 4, "servers": 3, "user_concentration": 2}),
        ("l3-n4-alpha5", {"layers": 3, "servers": 4, "user_concentration": 5}),
        ("l6-n4-local2", {"layers": 6, "servers": 4, "local": 2}),
        ("l4-n4-t6", {"layers": 4, "servers": 4, "tokens": 6}),
        ("l8-n3-t6", {"layers": 8, "servers": 3, "tokens": 6}),
        ("l4-n5-u12-t6", {"layers": 4, "servers": 5, "users": 12, "tokens": 6}),
        ("l6-n4-u12-t6", {"layers": 6, "servers": 4, "users": 12, "tokens": 6}),
        ("l4-n4", {"layers": 4, "servers": 4}),
        ("l6-n4-c10", {"layers": 6, "servers": 4, "capacity": 0.1}),
        ("l8-n4-t6", {"layers": 8, "servers": 4, "tokens": 6}),
    ],
    "K=3": [
        ("l1-n3-c40", {"layers": 1, "servers": 3, "capacity": 0.4}),
        ("l1-n4-u12-c40", {"layers": 1, "servers": 4, "users": 12, "capacity": 0.4}),
        ("l2-n2-c30", {"layers": 2, "servers": 2, "capacity": 0.3}),
        ("l2-n3-c30", {"layers": 2, "servers": 3, "capacity": 0.3}),
        ("l3-n2-alpha2", {"layers": 3, "servers": 2, "user_concentration": 2}),
        ("l3-n3-t6", {"layers": 3, "servers": 3, "tokens": 6}),
        ("l4-n4-t6", {"layers": 4, "servers": 4, "tokens": 6}),
        ("l6-n2-t6", {"layers": 6, "servers": 2, "tokens": 6}),
        ("l3-n4-u12-c30", {"layers": 3, "servers": 4, "users": 12, "capacity": 0.3}),
        ("l3-n3-t6-c40", {"layers": 3, "servers": 3, "tokens": 6, "capacity": 0.4}),
        ("l4-n3-t6-alpha2", {"layers": 4, "servers": 3, "tokens": 6, "user_concentration": 2}),
        ("l2-n5-u12-local2", {"layers": 2, "servers": 5, "users": 12, "local": 2}),
        ("l3-n3-c30", {"layers": 3, "servers": 3, "capacity": 0.3}),
        ("l4-n2", {"layers": 4, "servers": 2}),
        ("l2-n4-c30", {"layers": 2, "servers": 4, "capacity": 0.3}),
        ("l6-n3-t6", {"layers": 6, "servers": 3, "tokens": 6}),
    ],
    "K=4": [
        ("l2-n3-t6-c40", {"layers": 2, "servers": 3, "tokens": 6, "capacity": 0.4}),
        ("l4-n2-t6", {"layers": 4, "servers": 2, "tokens": 6}),
        (
            "16-l2-n3-t6",
            {"experts": 16, "layers": 2, "servers": 3, "tokens": 6, "capacity": 0.4},
        ),
    ],
}


def exact_set() -> list[Case]:
    """List the cases, by K."""
    return [
        Case(group, name, _BASES[group].replace(**changes), 2001 + number)
        for group, rows in _CHANGES.items()
        for number, (name, changes) in enumerate(rows)
    ]
