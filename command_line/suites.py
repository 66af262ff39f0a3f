"""Commands of `suite`: benchmark sets and their best known solutions."""

from __future__ import annotations

from ..instances.records import check
from ..instances.suites import SUITES, build_suite, find_suite
from ..problem.solution import read_solution
from .output import print_json, print_text


def suite_list() -> int:
    """List the suites."""
    for suite in SUITES.values():
        count = f"v{suite.version} {len(suite.recipes):>3} instances"
        print_text(f"{suite.name:<13} {count}  {suite.summary}")
    return 0


def suite_build(name: str, output: str) -> int:
    """Write the instances of a suite."""
    paths = build_suite(find_suite(name), output)
    print_text(f"wrote {len(paths)} instances and SHA256SUMS to {output}")
    return 0


def suite_check(solution: str, json: bool) -> int:
    """Compare a solution of a suite's instance with the best known one."""
    verdict = check(read_solution(solution))
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
