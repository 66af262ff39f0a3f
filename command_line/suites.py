"""Commands of `suite`: benchmark sets and their best known solutions."""

from __future__ import annotations

from pathlib import Path

from ..instances.records import check
from ..instances.suite_file import read_suite
from ..instances.suite_folder import build_suite, stored_suite
from ..instances.suites import SUITES, find_suite
from ..problem.solution import read_solution
from .output import print_json, print_text


def suite_list() -> int:
    """List the suites."""
    for suite in SUITES.values():
        count = f"v{suite.version} {len(suite.recipes):>3} instances"
        print_text(f"{suite.name:<13} {count}  {suite.summary}")
    return 0


def suite_build(name: str, output: str) -> int:
    """Write the instances of a suite, or of a set of one's own."""
    suite = read_suite(name) if name.endswith(".toml") else find_suite(name)
    count = len(build_suite(suite, output))
    print_text(
        f"wrote {suite.name} v{suite.version}: {count} instances, suite.manifest and SHA256SUMS "
        f"to {output}"
    )
    return 0


def suite_check(path: str, json: bool) -> int:
    """Compare a solution of a suite's instance with the best known one, or a set with its sums."""
    return _check_files(path, json) if Path(path).is_dir() else _check_solution(path, json)


def _check_files(folder: str, json: bool) -> int:
    suite = stored_suite(folder)
    count = len(suite.recipes)
    if json:
        print_json({"suite": suite.name, "version": suite.version, "instances": count})
    else:
        print_text(f"{suite.name} v{suite.version}: {count} instances, all as published")
    return 0


def _check_solution(path: str, json: bool) -> int:
    verdict = check(read_solution(path))
    record = verdict.record
    if json:
        print_json(verdict)
        return 0
    print_text(f"{record.instance}: {verdict.outcome}")
    print_text(f"saving        {verdict.saving_s:.9g} s")
    print_text(f"best known    {record.saving_s:.9g} s ({record.status}; {record.date})")
    print_text(f"found by      {record.command}")
    print_text(f"bound allows  {record.latency_s + record.saving_s - record.bound_latency_s:.9g} s")
    return 0
