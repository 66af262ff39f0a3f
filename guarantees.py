"""What is proven about a solution before looking at it: a-priori approximation ratios.

A ratio is a share of the largest saving. Each method states its own (`Method.guarantee`), from the
`Structure` of the instance; `a_priori` looks it up.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .structure import Structure


class Guarantee(NamedTuple):
    """An a-priori guarantee.

    Attributes
    ----------
    ratio : float
        The saving is at least this share of the largest one; 0 where nothing is proven.
    because : str
        The theorem and the assumptions that hold here, or what stands in the way.
    """

    ratio: float
    because: str


def no_guarantee(reason: str) -> Guarantee:
    """Say that nothing is proven."""
    return Guarantee(0.0, reason)


def best_of(*known: Guarantee) -> Guarantee:
    """The largest of several guarantees, the first of equal ones."""
    return max(known, key=lambda each: each.ratio)


def coverage_share(servers: int) -> float:
    """Share ``1 - (1 - 1/g)^g`` that independent draws of g servers keep of ``min(1, sum)``."""
    return 1.0 - (1.0 - 1.0 / servers) ** servers


def curved(structure: Structure, theorem: str, share: float = 1.0) -> Guarantee:
    """K = 1: ``a / (1 + a c)`` for servers whose answers reach a share a, c the total curvature.

    For servers solved one after the other, and for placements that no single server can improve;
    docs/guarantees.md has the proof. With c = 1 that is the usual ``a / (1 + a)``.
    """
    c = structure.total_curvature
    return Guarantee(share / (1 + share * c), f"K = 1, total curvature {c:.4g}, {theorem}")


def server_by_server(structure: Structure, share: float | None) -> Guarantee:
    """Guarantee of servers solved one after the other, each to a share of its best gain.

    The best of these, with ``a = share``:

    - one server: a;
    - K = 1: see `curved`;
    - K >= 2, with the supermodular curvature k: ``b / (1 + b)``, where ``b = a (1 - k)``: the form
      of Bai, Bilmes 2018 (arXiv:1801.07413), for one knapsack for each server;
    - K >= 2: ``a / (1 + a)`` of what is saved at most where a single server has to serve each
      request, and so of what whole layers save; see `Structure.whole_layers`.

    Proof of the third: let S be the placement, O a best one, and replace O by S server by server:
    ``H_n = S_1 .. S_n O_{n+1} .. O_N``. With C what the other servers hold in H_n,
    ``f(H_{n-1}) - f(H_n) <= f(O_n | C) <= f(O_n | S_1 .. S_{n-1}) / (1 - k)``, which is at most
    ``f(S_n | S_1 .. S_{n-1}) / (a (1 - k))``. Sum over n: ``f(O) - f(S) <= f(S) / b``.

    Proof of the fourth: let W be any placement, and w_n the weight of the terms that server n of W
    pays alone and S does not pay. It is at most ``f(W_n | S_1 .. S_{n-1})``, so at most
    ``f(S_n | S_1 .. S_{n-1}) / a``. The terms that single servers of W pay weigh at most f(S) plus
    the sum of w_n: at most ``f(S) (1 + 1 / a)``.
    """
    if share is None:
        return no_guarantee("not all servers were filled in turn")
    if share <= 0:
        return no_guarantee("a server may have missed all of its gain")
    reached = math.floor(1e6 * share) / 1e4
    exact = "" if share == 1 else f"; each server reaches {reached:g} % of its best"
    if structure.servers <= 1:
        return Guarantee(share, f"one server{exact}")
    if structure.single:
        return curved(structure, f"servers in turn{exact}", share)
    k, whole = structure.curvature, structure.whole_layers
    if k >= 1 and whole <= 0:
        return no_guarantee(
            "experts pay only together, and not every server holds a whole layer: supermodular "
            f"curvature 1{exact}"
        )
    b = share * (1 - k)
    return best_of(
        Guarantee(b / (1 + b), f"supermodular curvature {k:.4g}, servers in turn{exact}"),
        Guarantee(whole * share / (1 + share), f"servers in turn against whole layers{exact}"),
    )


def latency_factor(ratio: float, latency_empty_s: float, bound_saving_s: float) -> float | None:
    """How many times the least latency a placement has at most, by its share of the best saving.

    With the latency B without cache and the best saving f at most b, a saving of at least r f
    leaves at most ``(B - r f) / (B - f)`` times the least latency ``B - f``, which grows with f: at
    most ``(B - r b) / (B - b)``. None where the bound leaves no latency.

    Parameters
    ----------
    ratio : float
        r, in [0, 1].
    latency_empty_s : float
        B in seconds.
    bound_saving_s : float
        b in seconds, at most B.
    """
    least = latency_empty_s - bound_saving_s
    return None if least <= 0 else (latency_empty_s - ratio * bound_saving_s) / least
