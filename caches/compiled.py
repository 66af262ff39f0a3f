"""Loops compiled by Numba, where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

try:
    from numba import njit
except ImportError:
    njit = None

#: Whether Numba is there.
COMPILED = njit is not None


def compiled(function: F) -> F:
    """Compile a function when it is first called; what it gives does not change.

    The machine code is kept beside the file, or in the user's folder for caches.
    """
    if njit is None:
        return function
    try:
        return cast(
            F,
            njit(cache=True, inline="never" if function.__name__ == "walk" else "always")(function),
        )
    except RuntimeError:
        # No folder to keep it in.
        return cast(F, njit(function))
