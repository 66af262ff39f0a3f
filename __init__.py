"""Which experts of Mixture-of-Experts models to cache on which edge servers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .instances.generate import generate
    from .instances.scenario import Scenario
    from .method import Limits, Method, Outcome
    from .problem.errors import InputError, UnsupportedError
    from .problem.evaluate import Evaluation, evaluate
    from .problem.instance import Instance, Model, Requests
    from .problem.instance_file import read_instance, write_instance
    from .problem.placement import Placement
    from .problem.solution import Solution, Status, StoppedBy, read_solution, write_solution
    from .solver import bound, solve

# Imported on first use, so that the command line's help needs no NumPy.
_HOME = {
    "Evaluation": "problem.evaluate",
    "InputError": "problem.errors",
    "Instance": "problem.instance",
    "Limits": "method",
    "Method": "method",
    "Model": "problem.instance",
    "Outcome": "method",
    "Placement": "problem.placement",
    "Requests": "problem.instance",
    "Scenario": "instances.scenario",
    "Solution": "problem.solution",
    "Status": "problem.solution",
    "StoppedBy": "problem.solution",
    "UnsupportedError": "problem.errors",
    "bound": "solver",
    "evaluate": "problem.evaluate",
    "generate": "instances.generate",
    "read_instance": "problem.instance_file",
    "read_solution": "problem.solution",
    "solve": "solver",
    "write_instance": "problem.instance_file",
    "write_solution": "problem.solution",
}

__all__ = [
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
