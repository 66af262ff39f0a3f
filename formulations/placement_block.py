"""What all exact models share: the placement variables and the capacities."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from ..linear.capacity_row import capacity_weights
from ..problem.errors import UnsupportedError
from ..problem.fetch import FetchLimit
from ..problem.instance import BoolArray, Instance, IntArray

#: Larger models are refused: they would not fit in memory, let alone be solved.
MAX_ROWS = 1_000_000

#: Seconds to build a row and hand it over, as measured (`benchmarks/hand_over.py`), doubled.
ROW_S = 4e-5

#: A placement variable's index: server, model, layer, expert.
Index = tuple[int, int, int, int]


def new_model(name: str) -> pyo.ConcreteModel:
    """Empty model with the objective still to come."""
    return pyo.ConcreteModel(name=name)


def add_placement(
    model: pyo.ConcreteModel, instance: Instance, fetch: FetchLimit | None = None
) -> dict[tuple[int, int], pyo.Var]:
    """Add ``x[server, model, layer, expert]`` and ``capacity[server]`` to a model.

    With a limit on what is fetched, ``fetch[server]``, too.

    Capacities are in units that solvers get right, see `capacity_row`; ``model.exact`` tells
    whether they are the same as in bytes, or allow a little more.

    Only pairs that can help get a variable: some user requests the item, and the server is faster
    for that user than the device and the cloud.

    Returns
    -------
    dict
        The variable of each such (server, item).
    """
    server, item = np.nonzero(useful_pairs(instance))
    columns = (
        server,
        instance.item_model[item],
        instance.item_layer[item],
        instance.item_expert[item],
    )
    index: list[Index] = list(zip(*(column.tolist() for column in columns), strict=True))
    model.x = pyo.Var(index, domain=pyo.Binary)
    variables = [model.x[key] for key in index]
    model.exact = True
    model.capacity = pyo.Constraint(range(instance.servers))
    everything = np.ones(len(index), dtype=np.bool_)
    _add_knapsacks(
        model, model.capacity, instance, server, item, everything, instance.capacity_bytes
    )
    if fetch is not None:
        model.fetch = pyo.Constraint(range(instance.servers))
        new = ~fetch.held[server, item]
        most = np.full(instance.servers, fetch.max_bytes)
        _add_knapsacks(model, model.fetch, instance, server, item, new, most)
    return dict(zip(zip(server.tolist(), item.tolist(), strict=True), variables, strict=True))


def _add_knapsacks(
    model: pyo.ConcreteModel,
    rows: pyo.Constraint,
    instance: Instance,
    server: IntArray,
    item: IntArray,
    counted: BoolArray,
    room_bytes: IntArray,
) -> None:
    """Add a row for each server: the bytes of some of its pairs fit in its room."""
    variables = list(model.x.values())
    for n in range(instance.servers):
        mine = np.flatnonzero(counted & (server == n))
        sizes = instance.item_bytes[item[mine]]
        weights, room, exact = capacity_weights(sizes, int(room_bytes[n]))
        if np.isfinite(room):
            rows[n] = (None, linear(weights.tolist(), [variables[k] for k in mine.tolist()]), room)
        model.exact = model.exact and exact


def useful_pairs(instance: Instance) -> BoolArray:
    """Pairs that can lower some latency; bool [N, I]."""
    requests = instance.requests
    asked = np.zeros((instance.users, instance.items + 1), dtype=np.bool_)
    rows = requests.rate > 0
    asked[requests.user[rows][:, None], instance.request_items[rows]] = True
    device = instance.device_latency_s()
    useful = np.zeros((instance.servers, instance.items), dtype=np.bool_)
    for n in range(instance.servers):
        faster = instance.server_latency_s[:, n][:, instance.item_model] < device
        useful[n] = (asked[:, :-1] & faster).any(axis=0)
    return useful


def linear(coefficients: list[float], variables: list[pyo.Var], constant: float = 0.0) -> object:
    """Linear expression made at once; Pyomo's sums of many terms are several times slower."""
    return LinearExpression(constant=constant, linear_coefs=coefficients, linear_vars=variables)


def check_rows(rows: int, formulation: str, time_s: float) -> None:
    """Refuse a model that is too large, or takes too long, before it is built.

    Raises
    ------
    UnsupportedError
        If it would have more than `MAX_ROWS` rows.
    TimeoutError
        If building it would take more seconds than `time_s`.
    """
    if rows * ROW_S > time_s:
        raise TimeoutError(f"the {formulation} model takes longer to build than there is time")
    if rows > MAX_ROWS:
        raise UnsupportedError(
            f"the {formulation} model would have {rows} rows, the limit is {MAX_ROWS}; "
            "take a heuristic or a smaller instance"
        )
