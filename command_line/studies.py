"""Commands that run studies, and that look closer at solutions: `study`, `replay`, `draw`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..problem.errors import InputError
from ..problem.files import check_writable, write_bytes
from ..problem.instance_file import read_instance
from .output import print_text
from .words import pairs, placement_in, split


def study(
    instances: list[str],
    methods: str | None,
    seed: list[int] | None,
    time_limit: float | None,
    memory_limit: int | None,
    reference: str | None,
    set_fields: list[str],
    sweep: list[str],
    instance_seed: list[int] | None,
    jobs: int,
    scheduler: str | None,
    retry_failed: bool,
    output: str,
) -> int:
    """Run instances x methods x seeds; go on where an earlier run stopped."""
    from ..studies.study_file import read_study, study_of_words

    words: dict[str, Any] = {
        "methods": None if methods is None else split(methods),
        "seeds": seed,
        "time_limit_s": time_limit,
        "memory_mb": memory_limit,
        "reference": reference,
        "scenario": [pairs(set_fields, "set")] if set_fields or sweep else None,
        "sweep": {k: split(v) for k, v in pairs(sweep, "sweep").items()} or None,
        "instance_seeds": instance_seed,
    }
    given = {name: value for name, value in words.items() if value is not None}
    if len(instances) == 1 and instances[0].endswith(".toml"):
        if given:
            raise InputError(f"{instances[0]}: says it all; no other options of the study")
        run = read_study(instances[0])
    else:
        run = study_of_words(given | {"instances": instances}, sys.argv[1:])
    report = run.run(output, jobs=jobs, scheduler=scheduler, retry_failed=retry_failed)
    if report.table:
        print_text(report.table)
        print_text(f"\nwritten to {output}: results.csv, report.html and the figures")
    if report.failures:
        shown = "".join(f"\n  {line}" for line in report.failures[:10])
        print(f"failed cells (--retry-failed runs them again):{shown}", file=sys.stderr)
    if report.missing:
        print(f"stopped, {report.missing} cells missing: the same command goes on", file=sys.stderr)
    return 0 if report.succeeded else 3


def replay(
    instance: str,
    solutions: list[str],
    policies: str | None,
    static_share: float | None,
    window: int | None,
    seed: int | None,
    trace: str,
    sequences: str | None,
    part: str,
    users: str | None,
    json: bool,
) -> int:
    """Replay recorded tokens under placements and with caches that react."""
    from ..caches.policies import find_policy
    from ..instances.trace import read_trace
    from ..studies.replay import USERS_FILE, part_of, replay_table

    reactive = [find_policy(name) for name in split(policies or "")]
    if not solutions and not reactive:
        raise InputError("replay: at least one solution or one of --policies")
    settings = {"static_share": static_share, "window": window, "seed": seed}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if given and not reactive:
        option = next(iter(given)).replace("_", "-")
        raise InputError(f"replay: --{option} is for --policies, and there are none")
    loaded = read_instance(instance)
    if users is not None:
        check_writable(users, USERS_FILE)
    whole = read_trace(trace, sequences)
    placements = {path: placement_in(path, loaded) for path in solutions}
    table, each = replay_table(
        loaded,
        placements,
        part_of(loaded, whole, part),
        reactive,
        part_of(loaded, whole, "train") if part == "test" else None,
        **given,
    )
    if users is not None:
        write_bytes(users, each.to_csv(index=False).encode(), USERS_FILE)
    text = table.to_json(orient="records") if json else table.to_string(index=False, na_rep="-")
    print_text(text)
    return 0


def draw(
    instance: str,
    solution: str,
    log: str | None,
    format: list[str] | None,  # noqa: A002
    output: str,
) -> int:
    """Draw a placement, and the run that found it."""
    from ..events import read_events
    from ..reports.placement_figure import placement_figure
    from ..reports.progress_figure import progress_figure

    loaded = read_instance(instance)
    placement = placement_in(solution, loaded)
    events = None if log is None else read_events(log)
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: {error.strerror or error}") from None
    kinds = format or ["svg", "png"]
    placement_figure(loaded, placement, Path(output), "placement", kinds)
    if events is not None:
        progress_figure(events, Path(output), kinds)
    print_text(f"drawn into {output}")
    return 0
