"""What rounding can do to sums of products of floating point numbers."""

from __future__ import annotations

#: What one operation is off by at most, as a share of its result.
UNIT_ROUNDOFF = 2.0**-53


def gamma(operations: int) -> float:
    """Largest error of a sum of products, as a share of the sum of their absolute values.

    ``n u / (1 - n u)`` (Higham 2002, doi:10.1137/1.9780898718027, section 3.1), whatever the order
    of the additions, unless a number is too large or too small to be represented.

    Parameters
    ----------
    operations : int
        The roundings n that a product goes through at most: its own, and those of the sums that it
        becomes part of.
    """
    return operations * UNIT_ROUNDOFF / (1 - operations * UNIT_ROUNDOFF)
