"""(max,+) convolution: its forms over the length, and counts against bytes over the capacity.

    python benchmarks/convolution.py [--output docs/convolution.png]

Left: time of each form for two sequences of n entries. Right: one server's split of its capacity
over the layers of two models, by the textbook dynamic program over bytes and by (max,+)
convolutions over counts. Both give the same gain (checked). Bytes are in units of the sizes'
common divisor, so the capacities of real servers (1e10 bytes) are far to the right.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from expertcache.responses.layer_knapsack import split_capacity
from expertcache.responses.maxplus import concave_any, concave_concave, direct
from matplotlib.figure import Figure

SIZES = (7, 11)
LAYERS, EXPERTS = 32, 8


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Shortest of some runs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def by_bytes(gains: list[np.ndarray], sizes: tuple[int, ...], capacity: int) -> float:
    """Best gain by a table with one entry for each byte of the capacity."""
    table = np.zeros(capacity + 1)
    for gain, size in zip(gains, sizes, strict=True):
        for row in gain:
            new = table.copy()
            for count in range(1, len(row)):
                room = capacity + 1 - count * size
                if room <= 0:
                    break
                np.maximum(new[count * size :], table[:room] + row[count], out=new[count * size :])
            table = new
    return float(table[-1])


def forms() -> list[tuple[str, list[int], list[float]]]:
    """Time of each form over the length."""
    rng = np.random.default_rng(0)

    def concave(n: int) -> np.ndarray:
        return np.cumsum(np.sort(rng.random(n))[::-1])

    curves = []
    for label, form, second, largest in (
        ("any with any, directly", direct, lambda n: np.cumsum(rng.random(n) ** 4), 10**4),
        ("concave with any", concave_any, lambda n: np.cumsum(rng.random(n) ** 4), 10**6),
        ("concave with concave", concave_concave, concave, 10**6),
    ):
        lengths = [n for n in (100, 1000, 10**4, 10**5, 10**6) if n <= largest]
        times = []
        for n in lengths:
            a, b = concave(n), second(n)
            times.append(seconds(lambda a=a, b=b, form=form: form(a, b)))
        curves.append((label, lengths, times))
    return curves


def capacities() -> tuple[list[int], list[float], list[float]]:
    """Time by bytes and by counts over the capacity."""
    rng = np.random.default_rng(1)
    rows = []
    for exponent in np.arange(2, 7.01, 0.5):
        capacity = int(10**exponent)
        # Sizes grow with the capacity, as bytes do when the unit shrinks: 30 % always fits.
        total = 0.3 * 2 * LAYERS * EXPERTS * np.mean(SIZES)
        unit = max(1, round(capacity / total))
        sizes = (SIZES[0] * unit, SIZES[1] * unit + 1)
        gains = []
        for _ in SIZES:
            steps = rng.random((LAYERS, EXPERTS)) ** 2
            gains.append(np.column_stack([np.zeros(LAYERS), np.cumsum(steps, axis=1)]))
        split = split_capacity(gains, sizes, capacity)
        assert np.isclose(split.value, by_bytes(gains, sizes, capacity))
        repeats = 3 if capacity < 10**6 else 1
        rows.append(
            (
                capacity,
                seconds(lambda g=gains, s=sizes, c=capacity: by_bytes(g, s, c), repeats),
                seconds(lambda g=gains, s=sizes, c=capacity: split_capacity(g, s, c)),
            )
        )
    capacity, bytes_s, counts_s = zip(*rows, strict=True)
    return list(capacity), list(bytes_s), list(counts_s)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", help="picture")
    output = parser.parse_args().output
    curves = forms()
    for label, lengths, times in curves:
        for n, value in zip(lengths, times, strict=True):
            print(f"{label:<24} n = {n:>8} {1e3 * value:>10.3f} ms")
    at = {label: dict(zip(lengths, times, strict=True))[10**4] for label, lengths, times in curves}
    slow = at.pop("any with any, directly")
    for label, value in at.items():
        print(f"{label}: {slow / value:.0f} times as fast as directly at n = 10000")
    capacity, bytes_s, counts_s = capacities()
    for row in zip(capacity, bytes_s, counts_s, strict=True):
        print("capacity {:>9}: bytes {:.4f} s, counts {:.4f} s".format(*row), end="")
        print(f", ratio {row[1] / row[2]:.1f}")
    if output:
        draw(curves, capacity, bytes_s, counts_s, output)


def draw(
    curves: list[tuple[str, list[int], list[float]]],
    capacity: list[int],
    bytes_s: list[float],
    counts_s: list[float],
    output: str,
) -> None:
    """Two panels, both axes logarithmic."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (label, lengths, times), colour, marker in zip(
        curves, ("#D55E00", "#0072B2", "#009E73"), "sov", strict=True
    ):
        left.plot(lengths, times, marker=marker, color=colour, label=label)
    n = np.array(curves[1][1], dtype=float)
    left.plot(
        n, curves[1][2][-1] * n / n[-1], color="0.6", linestyle=":", label="linear, for comparison"
    )
    left.set_xlabel("entries of each sequence")
    left.set_ylabel("time (s)")
    left.set_title("(max,+) convolution", fontsize=11)
    right.plot(capacity, bytes_s, marker="s", color="#D55E00", label="by bytes")
    right.plot(capacity, counts_s, marker="o", color="#0072B2", label="by counts, (max,+)")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    right.set_xlabel("capacity of the server (units of size)")
    right.set_ylabel("time (s)")
    right.set_title("one server, 2 models of 32 layers of 8 experts", fontsize=11)
    figure.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
