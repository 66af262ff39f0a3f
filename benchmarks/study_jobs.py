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

#: The same instance again and again, under other names.
COMMAND = [
    sys.executable, "-m", "expertcache", "study", "--set", "layers=4", "--set", "servers=4",
    "--set", "users=10", *(word for s in range(12) for word in ("--seed", str(s))),
    "--instance-seed", "3", "--methods", "local-search", "--time-limit", "4",
    "--reference", "none",
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
