"""Baseline: nothing is cached at the edge."""

from __future__ import annotations

from ..instances.instance import Instance
from ..instances.placement import Placement
from ..method import Limits, Method, Outcome


def cloud_only(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Cache nothing: every expert comes from the device or the cloud."""
    return Outcome(Placement.empty(instance))


METHOD = Method("cloud-only", "baseline: cache nothing", cloud_only)
