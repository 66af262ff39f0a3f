"""The command `whatif`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from ..method import Limits
from ..problem.errors import InputError
from ..problem.files import check_writable, write_bytes
from ..problem.instance_file import read_instance
from ..problem.quantities import bytes_of, bytes_text
from ..solver import find_method
from .output import print_json, print_text
from .words import placement_in, split

if TYPE_CHECKING:
    from ..studies.whatif import WhatIf


def whatif(
    instance: str,
    solution: str,
    memory: str,
    method: str,
    time_limit: float,
    threads: int,
    seed: int,
    output: list[str],
    json: bool,
) -> int:
    """Value more memory on each server, and the loss of each server."""
    from ..reports.changes_figure import changes_figure
    from ..reports.changes_table import changes_table
    from ..reports.drawing import PICTURE_FILE, kind_of, write_figure
    from ..studies.whatif import CHANGES_FILE
    from ..studies.whatif import whatif as run

    # Everything that can be wrong is looked at before the work begins.
    chosen = find_method(method)
    limits = Limits(time_limit, threads=threads)
    for path in output:
        if _is_table(path):
            check_writable(path, CHANGES_FILE)
        else:
            kind_of(path)
            check_writable(path, PICTURE_FILE)
    if len({Path(path).resolve() for path in output}) < len(output):
        raise InputError("--output: a file is given twice")
    if not split(memory):
        raise InputError("--memory: names no amount, such as 8GiB")
    loaded = read_instance(instance)
    total = int(loaded.item_bytes.sum())
    amounts = [bytes_of(amount, total, "--memory") for amount in split(memory)]
    placement = placement_in(solution, loaded)
    found = run(
        loaded,
        placement,
        amounts,
        method=chosen,
        limits=limits,
        seed=seed,
        signals=(signal.SIGINT, signal.SIGTERM),
    )
    for path in output:
        if _is_table(path):
            write_bytes(path, found.changes.to_csv(index=False).encode(), CHANGES_FILE)
        else:
            write_figure(changes_figure(found.changes), path)
    if json:
        print_json(found.to_dict())
        return 0
    lines = [
        f"latency now            {found.latency_s:.9g} s, at least {found.bound_latency_s:.9g} s",
        f"  of the solution      {found.given_latency_s:.9g} s",
        f"stopped by             {found.stopped_by}, after {found.seconds:.3g} s",
        "",
        changes_table(found.changes, found.latency_s),
        "",
        *(_best_place(found, amount) for amount in sorted(set(amounts))),
    ]
    print_text("\n".join(lines))
    return 0


def _best_place(found: WhatIf, amount: int) -> str:
    names = found.best_places(amount)
    text = f"one of {', '.join(names)}" if len(names) > 1 else "".join(names) or "none"
    return f"best place for {bytes_text(amount)}, for certain: {text}"


def _is_table(path: str) -> bool:
    return Path(path).suffix.lower() == ".csv"
