"""Commands about recorded routing: `import routing`, `record` and `describe`."""

from __future__ import annotations

import dataclasses
import signal
from functools import partial
from pathlib import Path

from ..instances.model_table import same_model
from ..instances.trace import read_trace
from ..problem.files import check_writable
from ..routing.import_routing import import_routing as from_engines
from ..watch import Watch, stopped_by_signals
from .output import print_json, print_text


def import_routing(
    files: list[str],
    format: str | None,  # noqa: A002
    layers: int | None,
    top_k: int | None,
    model: str | None,
    output: str,
) -> int:
    """Turn files of serving engines into a trace or counts."""
    summary = from_engines(
        files,
        output,
        format=format,
        layers=layers,
        top_k=top_k,
        model=None if model is None else partial(same_model, model),
    )
    print_text(f"wrote {output}: {summary}")
    return 0


def record(model: str, prompts: str, tokens: int, output: str, sequences: str | None) -> int:
    """Run a model and record its routing; the first signal ends it with the prompts so far."""
    from ..routing.record import record as from_model

    watch = Watch()
    with stopped_by_signals(watch, (signal.SIGINT, signal.SIGTERM)):
        summary = from_model(
            model,
            prompts,
            output,
            sequences=sequences,
            tokens=tokens,
            stopped=lambda: watch.stopped,
        )
    print_text(f"wrote {output}: {summary}")
    return 0


def describe(trace: str, sequences: str | None, output: str | None, json: bool) -> int:
    """Describe a recorded trace."""
    from ..reports.trace_page import TRACE_PAGE_FILE, write_trace_page
    from ..studies.describe import describe as description_of

    if output is not None:
        check_writable(output, TRACE_PAGE_FILE)
    description = description_of(read_trace(trace, sequences))
    if output is not None:
        write_trace_page(
            dataclasses.asdict(description), str(description), output, Path(trace).name
        )
    if json:
        print_json(description)
    else:
        print_text(str(description))
    return 0
