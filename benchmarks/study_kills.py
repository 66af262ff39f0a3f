"""A study of 200 cells, killed with -9 at random moments, against an undisturbed run.

    python benchmarks/study_kills.py [--kills 10] [--jobs 2]

Checks that the tables are equal but for the times, and that no finished cell ran again.
"""

from __future__ import annotations

import argparse
import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [
    sys.executable, "-m", "expertcache", "study", "--set", "layers=2", "--set", "servers=3",
    "--set", "users=6", "--set", "area_m=500", "--sweep", "capacity=0.1,0.15,0.2,0.25,0.3",
    *(word for seed in range(8) for word in ("--instance-seed", str(seed))),
    "--methods", "milp,successive,ascent,greedy,random",
]  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    """Rows of a finished study, without their times."""
    with (folder / "results.csv").open(newline="") as file:
        return [row | {"seconds": ""} for row in csv.DictReader(file)]


def cells(folder: Path) -> dict[str, bytes]:
    """Finished cells."""
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("*.json")}


def main() -> None:
    """Run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    moments = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        whole, broken = Path(name, "whole"), Path(name, "broken")
        command = [*COMMAND, "--jobs", str(arguments.jobs), "--output"]
        began = time.monotonic()
        subprocess.run([*command, whole], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        seen: dict[str, bytes] = {}
        for kill in range(arguments.kills):
            study = subprocess.Popen([*command, broken], stdout=subprocess.DEVNULL)
            # From the middle of the imports to some way into the cells.
            time.sleep(moments.uniform(1.0, 3.0 + 2 * seconds / arguments.kills))
            study.send_signal(signal.SIGKILL)
            study.wait()
            for name, data in cells(broken).items():
                assert seen.setdefault(name, data) == data, "a finished cell ran again"
            print(f"kill {kill + 1}: {len(seen)} cells are safe")
        subprocess.run([*command, broken], check=True, stdout=subprocess.DEVNULL)
        end = cells(broken)
        assert seen.items() <= end.items(), "a finished cell ran again"
        assert rows(whole) == rows(broken), "the tables differ"
        print(f"{len(end)} cells: the same table, and no finished cell ran again")


if __name__ == "__main__":
    main()
