"""Exact models and their options against each other, on the set of `exact_set`.

    python benchmarks/exact.py [--variants plain,default,exact] [--groups K=2,K=3] [--every 1]
                               [--suites tiny,small] [--time-limit 60] [--output cells.csv]

One process and one thread; all variants of an instance run one after the other, so that they meet
the same machine. Seconds are processor time of the whole solve, building included; the time limit
is wall time. The mean is the shifted geometric one (shift 1 s), an unsolved run counting with the
time that it took. The root gap is that of the linear relaxation to the best saving that any variant
found.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from exact_set import exact_set
from expertcache import Instance, Limits, assignment_model, coverage_model, generate, solve
from expertcache.formulations.compiled import compiled
from expertcache.instances.suites import find_suite
from expertcache.linear.coverage_program import coverage_program
from expertcache.linear.highs import LinearModel, run_highs
from expertcache.problem.evaluate import latency_empty_s
from expertcache.problem.terms import coverage_terms
from tqdm import tqdm

#: The model without any help, and HiGHS by itself.
_BARE: dict[str, Any] = {"partners": False, "profiles": False}
_BY_ITSELF: dict[str, Any] = {"start_orders": 0, "tuned": False}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": _BARE | _BY_ITSELF,
    "assignment": {"formulation": "assignment"} | _BY_ITSELF,
    "default": {},
    "rows only": _BY_ITSELF,
    "options only": _BARE,
    "no partners": {"partners": False},
    "no profiles": {"profiles": False},
    "no start": {"start_orders": 0},
    "not tuned": {"tuned": False},
}

#: The plain coverage model without Pyomo, by HiGHS' own defaults; and the method `exact`, perhaps
#: with options: ``exact smoothing=0``.
ARRAYS, EXACT = "arrays", "exact"


class Run(NamedTuple):
    """One solve: nodes are those of the tree."""

    solved: bool
    saving_s: float
    nodes: int


def run_variant(instance: Instance, variant: str, limit: float) -> Run:
    """Solve an instance."""
    if variant == ARRAYS:
        linear = arrays(instance)
        result = run_highs(linear, limits=Limits(time_s=limit))
        saving = 0.0 if result.values is None else -float(linear.cost @ result.values)
        return Run(result.stopped_by == "proof", saving, result.nodes)
    limits = Limits(time_s=limit)
    name, *options = variant.split()
    if name == EXACT:
        given = dict(option.split("=") for option in options)
        solution = solve(instance, "exact", limits=limits, options=given)
    else:
        solution = solve(instance, "milp", limits=limits, options=VARIANTS[variant])
    nodes = int(solution.meta.get("nodes", 0))
    return Run(solution.status == "optimal", solution.saving_s or 0.0, nodes)


def arrays(instance: Instance) -> LinearModel:
    """Plain coverage model without Pyomo."""
    return coverage_program(instance, coverage_terms(instance)).linear


def root_saving_s(instance: Instance, variant: str) -> float:
    """Saving of the linear relaxation."""
    options = VARIANTS.get(variant, {})
    if variant == ARRAYS:
        return -run_highs(arrays(instance), limits=Limits(), relax=True).bound
    if options.get("formulation") == "assignment":
        model = assignment_model(instance)
    else:
        model = coverage_model(instance, **{k: v for k, v in options.items() if k in _BARE})
    bound = run_highs(compiled(model)[0], limits=Limits(), relax=True).bound
    return latency_empty_s(instance) - bound


def shifted_mean(seconds: pd.Series[float]) -> float:
    """Shifted geometric mean, shift 1 s."""
    return float(np.expm1(np.log1p(seconds).mean()))


def instances(groups: list[str], suites: list[str]) -> Iterator[tuple[str, Instance]]:
    """Instances with their groups: of suites, or of the exact set."""
    if suites:
        for suite in map(find_suite, suites):
            for instance in suite.instances():
                yield f"K={instance.top_k}", instance
        return
    for case in exact_set():
        if case.group in groups:
            yield case.group, generate(case.scenario, case.seed, name=case.name)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", default=f"plain,{ARRAYS},assignment,default")
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--groups", default="K=1,K=2,K=3,K=4")
    parser.add_argument("--suites", help="their instances instead of the exact set")
    parser.add_argument("--every", type=int, default=1, help="take each n-th instance only")
    parser.add_argument("--output", help="CSV of every cell, written as it grows")
    arguments = parser.parse_args()
    variants = arguments.variants.split(",")
    suites = arguments.suites.split(",") if arguments.suites else []
    chosen = list(instances(arguments.groups.split(","), suites))[:: arguments.every]
    cells = []
    for group, instance in tqdm(chosen, disable=None):
        done = {}
        for variant in variants:
            began = time.process_time()
            run = run_variant(instance, variant, arguments.time_limit)
            done[variant] = run, time.process_time() - began
        best = max(run.saving_s for run, _ in done.values())
        for variant, (run, seconds) in done.items():
            root = root_saving_s(instance, variant) / best - 1 if best > 0 else 0.0
            cells.append((group, instance.name, variant, run.solved, seconds, run.nodes, root))
        table = pd.DataFrame(
            cells, columns=["K", "name", "variant", "solved", "seconds", "nodes", "root gap"]
        )
        if arguments.output:
            table.to_csv(arguments.output, index=False)
    wide = table.pivot_table(index=["K", "name"], columns="variant", values="seconds")
    both = table.pivot_table(index=["K", "name"], columns="variant", values="solved").all(axis=1)
    for variant in variants[1:]:
        ratio = (wide[variants[0]] / wide[variant])[both]
        mean = np.exp(np.log(ratio).mean())
        print(
            f"{variant}: {mean:.2f} times as fast as {variants[0]}, geometric mean of {len(ratio)}"
        )
    print("(instances that all variants solve)\n")
    for by in (["variant"], ["K", "variant"]):
        print(
            table.groupby(by, sort=False)
            .agg(
                solved=("solved", "sum"),
                of=("solved", "size"),
                seconds=("seconds", shifted_mean),
                nodes=("nodes", "mean"),
                root_gap=("root gap", "mean"),
            )
            .to_string(
                formatters={
                    "seconds": "{:.2f}".format,
                    "nodes": "{:.0f}".format,
                    "root_gap": "{:.2%}".format,
                }
            ),
            "\n",
        )


if __name__ == "__main__":
    main()
