"""What Pyomo costs: building and handing over `coverage` against HiGHS' own time.

    python benchmarks/hand_over.py [--time-limit 60]

One line for each instance of the suite `small` and for Mixtral-8x7B cut to 4, 8 and 16 layers and
whole. `share` is build plus hand-over as a share of all three; `pyomo` is the time of Pyomo's own
HiGHS interface for the same hand-over.
"""

from __future__ import annotations

import argparse
import time

from expertcache import SUITES, Limits, Scenario, coverage_model, generate, solve
from pyomo.contrib.solver.solvers.highs import Highs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60.0)
    limit = parser.parse_args().time_limit
    instances = list(SUITES["small"].instances())
    instances += [
        generate(Scenario(layers=layers, users=50), 1, name=f"mixtral-{layers}-layers")
        for layers in (4, 8, 16, 32)
    ]
    solve(instances[0], "milp")  # the first call also imports and compiles
    print("instance                rows   build    hand    HiGHS   share   pyomo")
    for instance in instances:
        solution = solve(instance, "milp", limits=Limits(time_s=limit))
        meta = solution.meta
        ours = meta["build_seconds"] + meta["hand_over_seconds"]
        model = coverage_model(instance)
        began = time.perf_counter()
        Highs().set_instance(model)
        theirs = time.perf_counter() - began
        print(
            f"{instance.name:<20} {meta['rows']:>7} {meta['build_seconds']:>7.3f} "
            f"{meta['hand_over_seconds']:>7.3f} {meta['solver_seconds']:>8.3f} "
            f"{ours / (ours + meta['solver_seconds']):>7.1%} {theirs:>7.3f}"
        )


if __name__ == "__main__":
    main()
