"""Commands that write files for others: `export model` and `export placement`."""

from __future__ import annotations

from ..instances.model_table import model_table
from ..problem.files import check_writable
from ..problem.instance_file import read_instance
from .output import print_text
from .words import placement_in


def export_model(instance: str, format: str, formulation: str, output: str) -> int:  # noqa: A002
    """Write the exact model for other solvers."""
    from ..formulations.export import MODEL_FILE
    from ..formulations.export import export_model as write_model

    check_writable(output, MODEL_FILE)
    loaded = read_instance(instance)
    factor = write_model(loaded, output, format=format, formulation=formulation)  # type: ignore[arg-type]
    print_text(f"wrote {output}: the objective is {factor:g} times the latency in seconds")
    return 0


def export_placement(
    instance: str,
    solution: str,
    to: str,
    model: str | None,
    dense_layers: int | None,
    layer_step: int | None,
    output: str,
) -> int:
    """Write a placement as a serving engine loads it."""
    from ..engines.export_placement import export_placement as write_placement
    from ..engines.targets import find_target

    find_target(to)
    loaded = read_instance(instance)
    placement = placement_in(solution, loaded, own=True)
    known = model_table().get(loaded.models[0].name if model is None else model)
    if dense_layers is None:
        dense_layers = 0 if known is None else known.dense_layers
    if layer_step is None:
        layer_step = 1 if known is None else known.layer_step
    usage = write_placement(
        loaded, placement, output, engine=to, model=model, dense_layers=dense_layers,
        layer_step=layer_step,
    )  # fmt: skip
    print_text(f"wrote {output}" + (f": {usage}" if usage else ""))
    return 0
