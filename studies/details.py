"""What the page of a study shows beyond the rows: placements and events, within limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ..instances.recipe import Recipe
from ..problem.errors import InputError
from ..problem.placement import Placement
from ..problem.solution import read_solution
from ..reports.page_data import Scene
from ..watch import Event
from .results import Key, Results

#: Bytes of data before they are packed, and steps (an expert of a request looked for at a server):
#: a page of a few megabytes that is made in about ten seconds.
_BYTES, _STEPS = 4_000_000, 200_000_000

#: Making an instance takes as long as so many steps for each expert of a request.
_MAKING_STEPS = 20


def scenes(recipes: Sequence[Recipe], keys: Sequence[Key], results: Results) -> Iterator[Scene]:
    """Instances with their placements, in the order of the rows, while there is room.

    Parameters
    ----------
    recipes : sequence of Recipe
    keys : sequence of Key
        The cell of each row.
    results : Results

    Yields
    ------
    Scene
    """
    for number, rows in _chosen(keys, results).items():
        try:
            instance = recipes[number].make()
        except InputError:
            continue  # its file is not there any more, or has changed
        found: dict[int, Placement] = {}
        for row in rows:
            placement = read_solution(results.solution_path(keys[row])).placement
            assert placement is not None
            found[row] = placement
        yield Scene(instance, found)


def events(keys: Sequence[Key], results: Results) -> dict[int, list[Event]]:
    """Events of the rows' cells, where they were kept."""
    runs = {row: results.events(key) for row, key in enumerate(keys)}
    return {row: run for row, run in runs.items() if run}


def _chosen(keys: Sequence[Key], results: Results) -> Mapping[int, list[int]]:
    """Rows of each instance whose placements there is room for."""
    chosen: dict[int, list[int]] = defaultdict(list)
    free_bytes, free_steps = _BYTES, _STEPS
    for row, key in enumerate(keys):
        result = results.get(key)
        if result is None or result.latency_s is None or not results.solution_path(key).exists():
            continue
        size = {k: v for k, v in result.sizes.items() if isinstance(v, int)}
        N, U, items, layers = (size[k] for k in ("servers", "users", "experts", "layers"))
        entries = size["requests"] * size["top_k"]
        room, steps = U * (N + 6) + 4 * layers + N * items // 8, entries * (N + 2)
        if key.instance not in chosen:
            room, steps = room + 30 * (U + N) + items, steps + entries * _MAKING_STEPS
        if room <= free_bytes and steps <= free_steps:
            free_bytes, free_steps = free_bytes - room, free_steps - steps
            chosen[key.instance].append(row)
    return chosen
