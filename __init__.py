"""Which experts of Mixture-of-Experts models to cache on which edge servers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .formulations.bound import Bound, bound
    from .instances.errors import InputError, UnsupportedError
    from .instances.evaluate import Evaluation, evaluate
    from .instances.generate import generate
    from .instances.instance import Instance, Model, Requests
    from .instances.instance_file import read_instance, write_instance
    from .instances.placement import Placement
    from .instances.scenario import Scenario
    from .instances.solution import Solution, Status, StoppedBy, read_solution, write_solution
    from .method import Limits, Method, Outcome
    from .solver import solve

# Imported on first use, so that the command line's help needs no NumPy.
_HOME = {
    "Bound": "formulations.bound",
    "Evaluation": "instances.evaluate",
    "InputError": "instances.errors",
    "Instance": "instances.instance",
    "Limits": "method",
    "Method": "method",
    "Model": "instances.instance",
    "Outcome": "method",
    "Placement": "instances.placement",
    "Requests": "instances.instance",
    "Scenario": "instances.scenario",
    "Solution": "instances.solution",
    "Status": "instances.solution",
    "StoppedBy": "instances.solution",
    "UnsupportedError": "instances.errors",
    "bound": "formulations.bound",
    "evaluate": "instances.evaluate",
    "generate": "instances.generate",
    "read_instance": "instances.instance_file",
    "read_solution": "instances.solution",
    "solve": "solver",
    "write_instance": "instances.instance_file",
    "write_solution": "instances.solution",
}

__all__ = [
    "Bound",
    "Evaluation",
    "InputError",
    "Instance",
    "Limits",
    "Method",
    "Model",
    "Outcome",
    "Placement",
    "Requests",
    "Scenario",
    "Solution",
    "Status",
    "StoppedBy",
    "UnsupportedError",
    "bound",
    "evaluate",
    "generate",
    "read_instance",
    "read_solution",
    "solve",
    "write_instance",
    "write_solution",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
