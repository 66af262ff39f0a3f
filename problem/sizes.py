"""How large an instance may be: limits that hold before any array of that size is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from .instance import Model

#: Items: a placement as an array has one value for each item on each server.
MAX_ITEMS = 10_000_000

#: Users times items: which items each device holds is an array of so many bytes.
MAX_USER_ITEMS = 1_000_000_000

#: Bytes of all items, or of a server: what is used and what is left fit in 64 bits.
MAX_BYTES = 2**62

#: Bytes of a file, after decompression: a gzip bomb stops here.
MAX_FILE_BYTES = 2 * 2**30

#: Indices, counts and seeds: our index arrays and the options of solvers have 32 bits.
MAX_INT = 2**31 - 1


def check_sizes(models: Sequence[Model], users: int) -> None:
    """Refuse models and users that are too many to hold in memory.

    Raises
    ------
    InputError
    """
    items = sum(model.items for model in models)
    if items > MAX_ITEMS:
        raise InputError(f"models: {items} experts in all, the limit is {MAX_ITEMS}")
    if users * items > MAX_USER_ITEMS:
        raise InputError(
            f"users: {users} users times {items} experts, the limit is {MAX_USER_ITEMS}"
        )
    total = sum(model.items * model.expert_bytes for model in models)
    if total > MAX_BYTES:
        raise InputError(f"models: all experts take {total} bytes, the limit is {MAX_BYTES}")


def check_seed(seed: int) -> None:
    """Refuse a seed that a solver cannot take.

    Raises
    ------
    InputError
    """
    if not 0 <= seed <= MAX_INT:
        raise InputError(f"seed: must be between 0 and {MAX_INT}, got {seed}")
