"""`successive` by the name of the dynamic program that combines its layers."""

from __future__ import annotations

from dataclasses import replace

from .successive import METHOD as SUCCESSIVE

METHOD = replace(
    SUCCESSIVE,
    name="max-convolution",
    summary="the same, by the name of its (max,+) convolutions",
)
