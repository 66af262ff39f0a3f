"""Which policies there are, and what their names say."""

from __future__ import annotations

from dataclasses import dataclass

from ..problem.errors import InputError

#: Each rule with what is kept; the walk knows them by their positions.
RULES = {
    "lru": "what was asked for last",
    "lfu": "what was asked for most, all counts halved every window",
    "gds": "GreedyDual-Size: what would be slow to fetch again, and was asked for lately",
    "belady": "what is asked for again soonest: knows the future",
    "window": "what was asked for most in the last window, changed only at its end",
}

_BY_LAYER = "-by-layer"


@dataclass(frozen=True)
class Policy:
    """How the caches of all servers react.

    Attributes
    ----------
    rule : str
        One of `RULES`.
    by_layer : bool
        Whether each layer has an equal part of a server's room, instead of one pool.
    method : str or None
        Places the static part of each server.
    """

    rule: str
    by_layer: bool = False
    method: str | None = None

    def __str__(self) -> str:
        static = "" if self.method is None else f"{self.method}+"
        return f"{static}{self.rule}{_BY_LAYER if self.by_layer else ''}"


def find_policy(name: str) -> Policy:
    """Policy of a name: ``RULE``, ``RULE-by-layer``, or either behind ``METHOD+``.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    method, plus, reactive = name.rpartition("+")
    rule = reactive.removesuffix(_BY_LAYER)
    if rule not in RULES or (plus and not method):
        raise InputError(
            f"policies: {name!r} is none of {', '.join(RULES)}, each also as RULE{_BY_LAYER} and "
            "as METHOD+RULE"
        )
    return Policy(rule, reactive != rule, method or None)
