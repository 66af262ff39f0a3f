"""Whether two versions of the program give the same answers.

``python benchmarks/same_answers.py --output before.json`` solves every instance of the suites by
every method that gives the same placement on every run, and bounds it. Run it again with another
version and ``--against before.json``: placements, values, bounds and statuses are compared. Where a
tie is broken otherwise the placement may move; its value may not. Rows that a time limit stopped in
one of the runs are counted, not compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from expertcache import Instance, Limits, UnsupportedError, bound, read_instance, solve

_QUICK = (
    "greedy", "pipage", "enumeration-greedy", "successive", "max-convolution", "ascent",
    "popularity", "random", "cloud-only",
)  # fmt: skip
_EXACT = ("local-search", "milp", "exact", "decomposition")
_SMALL_SUITES = ("tiny", "small", "k1", "coactivation")
_LARGE_SUITES = ("hard", "scale", "models")

#: Values that differ by more than this share are not the same.
_TOLERANCE = 1e-9


def main() -> int:
    """Solve, write, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--suites", default=",".join(_SMALL_SUITES + _LARGE_SUITES))
    parser.add_argument("--time-limit", type=float, default=60.0)
    given = parser.parse_args()
    rows = {}
    for suite in given.suites.split(","):
        with tempfile.TemporaryDirectory() as folder:
            build = [sys.executable, "-m", "expertcache", "suite", "build", suite]
            subprocess.run([*build, "--output", folder], check=True, stdout=subprocess.DEVNULL)
            for path in sorted(Path(folder).glob("*.json")):
                instance = read_instance(path)
                large = suite in _LARGE_SUITES
                rows |= _answers(instance, f"{suite} {path.stem}", large, given.time_limit)
        given.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} answers written to {given.output}")
    if given.against is None:
        return 0
    return _compare(json.loads(given.against.read_text()), rows)


def _answers(instance: Instance, name: str, large: bool, time_s: float) -> dict[str, dict]:
    rows = {}
    limits = Limits(time_s=time_s)
    for method in _QUICK if large else _QUICK + _EXACT:
        try:
            solution = solve(instance, method, limits=limits, seed=1)
        except UnsupportedError as error:
            rows[f"{name} {method}"] = {"error": str(error)}
            continue
        rows[f"{name} {method}"] = {
            "latency_s": solution.latency_s,
            "bound_latency_s": solution.bound_latency_s,
            "status": str(solution.status),
            "stopped_by": str(solution.stopped_by),
            "placement": _digest(solution),
            "seconds": solution.seconds,
        }
    for method in () if large else ("lp", "decomposition"):
        found = bound(instance, method, limits=limits)
        rows[f"{name} bound {method}"] = {
            "bound_latency_s": found.bound_latency_s,
            "stopped_by": str(found.stopped_by),
            "seconds": found.seconds,
        }
    return rows


def _digest(solution: object) -> str:
    placement = solution.placement
    # Versions before the rooms have a list, empty where there is no placement.
    listed = placement if isinstance(placement, list) else sorted(placement.rows.tolist())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def _compare(before: dict[str, dict], after: dict[str, dict]) -> int:
    """Print what differs; 1 if a value, a bound or a status does."""
    moved = worse = skipped = 0
    common = before.keys() & after.keys()
    for name in sorted(common):
        old, new = before[name], after[name]
        if "time" in (old.get("stopped_by"), new.get("stopped_by")):
            skipped += 1
            continue
        wrong = [key for key in ("status", "stopped_by") if old.get(key) != new.get(key)]
        # The text of a refusal may hold measured times.
        wrong += ["error"] * (("error" in old) != ("error" in new))
        for key in ("latency_s", "bound_latency_s"):
            a, b = old.get(key), new.get(key)
            if (a is None) != (b is None) or (
                a is not None and abs(a - b) > _TOLERANCE * max(abs(a), abs(b))
            ):
                wrong.append(key)
        if wrong:
            worse += 1
            print(f"{name}: " + ", ".join(f"{k} {old.get(k)} -> {new.get(k)}" for k in wrong))
        elif old.get("placement") != new.get("placement"):
            moved += 1
    print(
        f"{len(common)} answers: {worse} differ, {moved} with another placement of the same value, "
        f"{skipped} stopped by time and not compared, "
        f"{len(before.keys() ^ after.keys())} in one run only"
    )
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
