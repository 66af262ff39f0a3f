"""Baseline: nothing is cached at the edge."""

from __future__ import annotations

from ..method import Limits, Method, Outcome
from ..problem.instance import Instance
from ..problem.placement import Placement


def cloud_only(instance: Instance, *, limits: Limits, seed: int) -> Outcome:
    """Cache nothing: every expert comes from the device or the cloud."""
    return Outcome(Placement.empty())


METHOD = Method("cloud-only", "baseline: cache nothing", cloud_only)
