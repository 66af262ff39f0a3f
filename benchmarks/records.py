"""Improve the table of best known solutions, instances/records.csv.

    python benchmarks/records.py NAME ... [--time-limit 300] [--jobs 2] [--missing]

NAME is a suite or an instance of one. For each instance: `exact` where its model is not too large,
and `local-search` where that proves nothing; else `decomposition`; from the best placement so far.
Better placements go to instances/placements, the table is written after every instance.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import msgspec
from expertcache import SUITES, Instance, Limits, Placement, Record, Suite, evaluate, records, solve
from expertcache.instances.recipe import Gadgets, Generated
from expertcache.instances.records import stored_placement
from expertcache.problem.file_kind import FileKind
from expertcache.problem.files import write_bytes
from expertcache.problem.instance_file import instance_bytes
from expertcache.problem.terms import coverage_terms
from tqdm import tqdm

FOLDER = Path(__file__).parents[1] / "instances"

_RECORDS_FILE = FileKind("table of records", b"suite,version,instance,")
_PLACEMENT_FILE = FileKind("placement of a record", rb"\[(\[\d|\])")

#: Terms beyond which the direct model is not tried.
EXACT_TERMS = 30_000


@dataclasses.dataclass
class Best:
    """What is known of one instance, while it improves."""

    instance: Instance
    limit_s: float
    record: Record
    placement: Placement | None = None

    def said(self, method: str) -> str:
        """Command line that runs a method."""
        name = f"{self.instance.name}.json"
        return f"expertcache solve {name} --method {method} --time-limit {self.limit_s:g}"

    def solve(self, method: str) -> None:
        """Try a method from the best placement so far."""
        limits = Limits(time_s=self.limit_s)
        found = solve(self.instance, method, limits=limits, start=self.placement)
        if found.saving_s is not None and found.saving_s > self.record.saving_s * (1 + 1e-12):
            self.placement = found.placement
            self.change(
                latency_s=found.latency_s, saving_s=found.saving_s, command=self.said(method),
                date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            )  # fmt: skip
        self.bound(found.bound_latency_s or 0.0, method)
        if found.status == "optimal":
            self.change(status="optimal")

    def bound(self, latency_s: float, method: str) -> None:
        """Take a bound if it is better."""
        bound = min(latency_s, self.record.latency_s)
        if bound > self.record.bound_latency_s:
            self.change(bound_latency_s=bound, bound_command=self.said(method))

    def change(self, **values: Any) -> None:
        """Change the record."""
        self.record = dataclasses.replace(self.record, **values)


def improve(
    suite: Suite, recipe: Generated | Gadgets, limit: float, known: Record | None
) -> tuple[Record, list[list[int]]]:
    """Best record of an instance, and its placement."""
    instance = recipe.make()
    sha256 = hashlib.sha256(instance_bytes(instance)).hexdigest()
    if known is not None and known.sha256 == sha256:
        same = dataclasses.replace(known, version=suite.version)
        best = Best(instance, limit, same, stored_placement(instance))
    else:
        empty = evaluate(instance, Placement.empty()).latency_s
        named = (suite.name, suite.version, instance.name, sha256)
        record = Record(*named, "feasible", empty, -1.0, 0.0, "", "", "")
        best = Best(instance, limit, record)
    direct = instance.top_k == 1 or len(coverage_terms(instance)) <= EXACT_TERMS
    # `decomposition` ends with a local search of its own.
    for method in ("exact", "local-search") if direct else ("decomposition",):
        if best.record.status != "optimal":
            best.solve(method)
    assert best.placement is not None
    return best.record, sorted(best.placement.rows.tolist())


def save(table: dict[str, Record]) -> None:
    """Write the table, in the order of the suites."""
    names = [recipe.name for suite in SUITES.values() for recipe in suite.recipes]
    ordered = sorted(table.values(), key=lambda record: names.index(record.instance))
    fields = [field.name for field in dataclasses.fields(Record)]
    rows = [fields, *([str(getattr(record, name)) for name in fields] for record in ordered)]
    text = "".join(",".join(row) + "\n" for row in rows)
    write_bytes(FOLDER / "records.csv", text.encode(), _RECORDS_FILE)


def main() -> None:
    """Improve and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*SUITES, *(recipe.name for suite in SUITES.values() for recipe in suite.recipes)]
    parser.add_argument("names", nargs="+", choices=known, metavar="NAME")
    parser.add_argument("--time-limit", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--missing", action="store_true", help="only what has no record")
    arguments = parser.parse_args()
    table = records()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        tasks = [
            pool.submit(improve, suite, recipe, arguments.time_limit, table.get(recipe.name))
            for suite in SUITES.values()
            for recipe in suite.recipes
            if {suite.name, recipe.name} & set(arguments.names)
            and not (arguments.missing and recipe.name in table)
        ]
        for task in tqdm(as_completed(tasks), total=len(tasks), disable=None):
            record, rows = task.result()
            table[record.instance] = record
            path = FOLDER / "placements" / f"{record.instance}.json.gz"
            write_bytes(path, msgspec.json.encode(rows), _PLACEMENT_FILE)
            save(table)
            most = record.latency_s + record.saving_s - record.bound_latency_s
            share = record.saving_s / most if most > 0 else 1.0
            print(f"{record.instance:<24} {record.status:<9} share of the bound {share:.4f}")


if __name__ == "__main__":
    main()
