"""Two processes against one, on a study of equal cells.

python benchmarks/study_jobs.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: One instance that HiGHS proves in seconds, with 24 random seeds.
COMMAND = [
    sys.executable, "-m", "expertcache", "study", "--set", "layers=2", "--set", "servers=3",
    "--set", "users=6", "--set", "area_m=500", "--instance-seed", "5",
    *(word for seed in range(24) for word in ("--seed", str(seed))),
    "--methods", "milp", "--reference", "none",
]  # fmt: skip


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for _ in range(rounds):
        seconds = {}
        for jobs in (1, 2):
            with tempfile.TemporaryDirectory() as name:
                command = [*COMMAND, "--jobs", str(jobs), "--output", str(Path(name, "d"))]
                began = time.monotonic()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds[jobs] = time.monotonic() - began
        print(f"1: {seconds[1]:.1f} s, 2: {seconds[2]:.1f} s, {seconds[1] / seconds[2]:.2f} times")


if __name__ == "__main__":
    main()
