"""Pictures of a placement as files: a map, and a grid of layers and experts for each server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..problem.instance import Instance
from ..problem.placement import Placement
from .drawing import save
from .grid_figure import grid_figure
from .map_figure import has_map, map_figure


def placement_figure(
    instance: Instance,
    placement: Placement,
    folder: Path,
    name: str,
    kinds: Sequence[str] = ("svg", "png"),
) -> None:
    """Draw ``NAME-map``, where somebody has a position, and ``NAME-grid``.

    Parameters
    ----------
    instance : Instance
    placement : Placement
    folder : Path
    name : str
    kinds : sequence of str
        Of files.
    """
    if has_map(instance):
        save(map_figure(instance, placement), folder, f"{name}-map", kinds)
    save(grid_figure(instance, placement), folder, f"{name}-grid", kinds)
