"""Importing recorded routing: rows (token, layer) a second, and memory.

    python benchmarks/routing.py [ROWS [LINES]]

Each import runs in a process of its own, beside a plain read of the same bytes by NumPy. By default
10^8 rows of an array of vLLM (24 layers, top-4 of 32 experts, int16) and 10^7 JSON lines. The files
are made in the folder for temporary files: at most 1.2 GB at a time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from expertcache import import_routing

LAYERS, TOP_K, EXPERTS = 24, 4, 32


def distinct_experts(tokens: int) -> np.ndarray:
    """Uniform random routing."""
    rng = np.random.default_rng(0)
    ids = rng.random((tokens, LAYERS, EXPERTS), dtype=np.float32).argsort(axis=2)[:, :, :TOP_K]
    return ids.astype(np.int16)


def write_array(path: Path, rows: int) -> None:
    """One block of tokens again and again, as one array."""
    block = distinct_experts(10_000)
    with path.open("wb") as file:
        tokens = rows // LAYERS
        header = {"descr": "<i2", "fortran_order": False, "shape": (tokens, LAYERS, TOP_K)}
        np.lib.format.write_array_header_1_0(file, header)
        for begin in range(0, tokens, len(block)):
            file.write(block[: tokens - begin].tobytes())


def write_lines(path: Path, rows: int) -> None:
    """Sequences of 1,000 tokens, token by token."""
    block = distinct_experts(1000).tolist()
    with path.open("w") as file:
        for sequence in range(rows // (LAYERS * len(block))):
            for token, layers in enumerate(block):
                for layer, experts in enumerate(layers):
                    file.write(
                        f'{{"sequence":{sequence},"token":{token},"layer":{layer},'
                        f'"experts":{experts}}}\n'
                    )


def measure(action: str, path: str) -> None:
    """Read or import a file, and print the seconds and this process' peak memory."""
    began = time.perf_counter()
    if action == "import":
        rows = (lambda s: s.tokens * s.layers)(import_routing([path], f"{path}.npz"))
    else:
        content = np.load(path) if path.endswith(".npy") else np.fromfile(path, dtype=np.uint8)
        rows = content.size // TOP_K if path.endswith(".npy") else int((content == 10).sum())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{Path(path).name:<11} {action:<6} {rows:>11,} rows {seconds:8.2f} s "
        f"{rows / seconds / 1e6:8.2f} million rows a second, peak {peak:.2f} GiB",
        flush=True,
    )


def main(rows: int, lines: int) -> None:
    """Write the files and measure each, every step in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, write, count in (
            ("rows.npy", write_array, rows),
            ("rows.jsonl", write_lines, lines),
        ):
            path = Path(folder) / name
            write(path, count)
            for action in ("read", "import"):
                subprocess.run([sys.executable, __file__, action, str(path)], check=True)
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] in (["read"], ["import"]):
        measure(*sys.argv[1:3])
    else:
        main(
            *(int(float(word)) for word in (sys.argv[1:2] or ["1e8"]) + (sys.argv[2:3] or ["1e7"]))
        )
