"""Independent random numbers for each purpose."""

from __future__ import annotations

import numpy as np

from ..problem.errors import InputError


def random_stream(seed: int, *stream: int) -> np.random.Generator:
    """Independent random numbers for one purpose.

    Raises
    ------
    InputError
        If NumPy cannot use the seed.
    """
    if seed < 0:
        raise InputError(f"seed: must be >= 0, got {seed}")
    return np.random.default_rng([seed, *stream])
