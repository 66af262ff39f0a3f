"""A study of 200 cells, killed with -9 at random moments, against an undisturbed run.

    python benchmarks/study_kills.py [--kills 10] [--jobs 2]

Checks that the tables are equal but for the times, and that no finished row ran again.
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
    """Rows of a results file, without a torn one."""
    path = folder / "results.csv"
    if not path.exists():
        return []
    text = path.read_text()
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))


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
        seen: dict[tuple[str, ...], dict[str, str]] = {}
        for kill in range(arguments.kills):
            study = subprocess.Popen([*command, broken], stdout=subprocess.DEVNULL)
            # From the middle of the imports to some way into the cells.
            time.sleep(moments.uniform(1.0, 3.0 + 2 * seconds / arguments.kills))
            study.send_signal(signal.SIGKILL)
            study.wait()
            for row in rows(broken):
                key = (row["instance"], row["method"], row["seed"])
                assert seen.setdefault(key, row) == row, "a finished row ran again"
            print(f"kill {kill + 1}: {len(seen)} rows are safe")
        subprocess.run([*command, broken], check=True, stdout=subprocess.DEVNULL)
        end = rows(broken)
        assert all(row in end for row in seen.values()), "a finished row ran again"
        one, two = ([row | {"seconds": ""} for row in table] for table in (rows(whole), end))
        assert one == two, "the tables differ"
        print(f"{len(end)} rows: the same table, and no finished row ran again")


if __name__ == "__main__":
    main()
