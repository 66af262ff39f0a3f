"""One cell of a study: make the instance, solve it, say what came out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ..events import EventSample
from ..guarantees import Guarantee
from ..instances.recipe import Recipe
from ..method import Limits
from ..problem.errors import UnsupportedError
from ..problem.evaluate import latency_empty_s, limitless_saving_s
from ..problem.instance import Instance
from ..problem.solution import Solution, StoppedBy
from ..solver import a_priori, find_method, solve
from ..structure import Structure
from ..watch import Event


class Cell(msgspec.Struct, frozen=True):
    """What is to be solved; small, so that it can be sent anywhere.

    Attributes
    ----------
    recipe : Recipe
    method : str
        A name that `find_method` knows.
    options : dict
    seed : int
    time_limit_s : float
    """

    recipe: Recipe
    method: str
    options: dict[str, Any]
    seed: int
    time_limit_s: float


class Answer(NamedTuple):
    """What came out of a cell.

    Attributes
    ----------
    solution : Solution or None
        None after an error.
    sizes : dict
        Of the instance.
    guarantee : Guarantee or None
        What is proven in advance.
    error : str
        Why there is no solution.
    stopped_by : StoppedBy
        The same, for programs.
    events : tuple of Event
        Of the run; a sample, if there were many.
    """

    solution: Solution | None
    sizes: Mapping[str, Any]
    guarantee: Guarantee | None = None
    error: str = ""
    stopped_by: StoppedBy = StoppedBy.ERROR
    events: tuple[Event, ...] = ()


def perform(cell: Cell) -> Answer:
    """Solve a cell."""
    instance, structure, sizes = _instance(msgspec.json.encode(cell.recipe))
    limits = Limits(time_s=cell.time_limit_s)
    method, sample = find_method(cell.method), EventSample()
    try:
        solution = solve(
            instance, method, limits=limits, seed=cell.seed, options=cell.options, callback=sample
        )
    except UnsupportedError as error:
        return Answer(None, sizes, error=str(error))
    guarantee = a_priori(solution, structure, method)
    return Answer(solution, sizes, guarantee, events=sample.events)


@functools.lru_cache(maxsize=1)
def _instance(recipe: bytes) -> tuple[Instance, Structure, dict[str, Any]]:
    """Make an instance once for all cells in a row that use it."""
    instance = msgspec.json.decode(recipe, type=Recipe).make()
    sizes = {
        "latency_empty_s": latency_empty_s(instance),
        "limitless_saving_s": limitless_saving_s(instance),
        "models": "+".join(model.name for model in instance.models),
        "servers": instance.servers,
        "users": instance.users,
        "layers": sum(model.layers for model in instance.models),
        "experts": instance.items,
        "top_k": instance.top_k,
        "requests": len(instance.requests),
    }
    return instance, Structure(instance), sizes
