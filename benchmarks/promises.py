"""Every promise about a saving against the optimum: the search for a counterexample.

    python benchmarks/promises.py random [--count 10000] [--jobs 2]   # tiny ones, by brute force
    python benchmarks/promises.py tight                                # the suite of gadgets
    python benchmarks/promises.py layers [--time-limit 30] [--only NAME ...]
    # what is promised for the suites' instances with K >= 2 and 16 layers or more

The optimum of a tiny instance is found by trying all maximal caches of all servers. A table has,
for each theorem, how often it was tried, the smallest and the largest ratio that it promised, and
the smallest share of the promise that was saved: below 1 it is broken, and the script fails.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import msgspec
import numpy as np
from expertcache.guarantees import Guarantee, latency_factor
from expertcache.instances.suites import SUITES, find_suite
from expertcache.method import Limits
from expertcache.problem.evaluate import latency_empty_s, limitless_saving_s
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.placement import Placement
from expertcache.problem.solution import PROOF_TOLERANCE, Solution, Status, StoppedBy
from expertcache.problem.terms import coverage_terms
from expertcache.responses.saving_bound import saving_bound_s
from expertcache.solver import METHODS, a_priori, find_method, solve
from expertcache.structure import Structure
from tqdm import tqdm

#: Placements that are tried at most.
MOST_PLACEMENTS = 30_000

#: Room for rounding in a comparison, and for what a proof may leave open.
ROUNDING, PROVED = 1e-9, PROOF_TOLERANCE + 1e-8

#: What a method is run with beside its defaults; without the layer tree the decomposition rarely
#: proves, and what it promises then is tried.
VARIANTS: dict[str, list[dict[str, str]]] = {
    "greedy": [{}, {"rule": "gain"}, {"rule": "density"}],
    "enumeration-greedy": [{"depth": "1"}, {"depth": "2"}],
    "successive": [{}, {"epsilon": "0.3"}],
    "local-search": [{"iterations": "1"}],
    "decomposition": [{}, {"tree_experts": "0", "program_rows": "0", "dives": ""}],
}

#: Methods that take longest: for every so many instances. And those that promise nothing.
EVERY = {
    "milp": 100, "local-search": 20, "exact": 20, "decomposition": 8, "ascent": 5,
    "enumeration-greedy": 2, "max-convolution": 20, "popularity": 20, "random": 20,
    "cloud-only": 20,
}  # fmt: skip


def draw(seed: int) -> Instance:
    """A tiny instance: K = 1 to 4, equal or odd sizes, local experts, up to three models."""
    rng = np.random.default_rng([seed, 11])
    servers = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.4, 0.35, 0.15]))
    while True:
        top_k = int(rng.integers(1, 5))
        models = int(rng.integers(1, 4))
        equal = bool(rng.integers(2))
        specs = tuple(
            Model(
                f"m{m}", int(rng.integers(1, 4)), (E := int(rng.integers(2, 6))), min(top_k, E),
                7 if equal else int(rng.integers(2, 12)),
            )
            for m in range(models)
        )  # fmt: skip
        users = int(rng.integers(1, 5))
        items = sum(spec.items for spec in specs)
        if items > 12:
            continue
        size = np.concatenate([[spec.expert_bytes] * spec.items for spec in specs])
        # From nothing to a few experts to whole layers to everything.
        share = rng.choice(
            [0.0, 0.15, 0.3, 0.5, 0.7, 1.0], servers, p=[0.04] + [0.24] * 3 + [0.2, 0.04]
        )
        room = (share * size.sum()).astype(np.int64)
        if math.prod(len(maximal(size, capacity)) for capacity in room.tolist()) <= MOST_PLACEMENTS:
            break
    rows = int(rng.integers(3, 20))
    model = rng.integers(0, models, rows)
    spec_of = [specs[m] for m in model]
    experts = np.full((rows, top_k), -1)
    for row, spec in zip(experts, spec_of, strict=True):
        least = 1 if rng.random() < 0.3 else spec.top_k
        count = int(rng.integers(least, spec.top_k + 1))
        row[:count] = rng.choice(spec.experts, count, replace=False)
    server = rng.integers(1, 9, (users, servers, models)) / 8.0
    if rng.integers(2):
        server *= rng.random(server.shape) + 0.5
    server[rng.random(server.shape) < rng.choice([0.0, 0.2, 0.5, 0.8])] = np.inf
    # Odd rates: some 0, some equal, some apart by orders of magnitude.
    rate = rng.choice([0.0, 1.0, 1.0, 2.0, math.pi], rows) * 10.0 ** (
        rng.integers(-3, 4, rows) * rng.integers(2)
    )
    local = rng.random((users, items)) < rng.choice([0.0, 0.0, 0.2, 0.6])
    return Instance(
        models=specs,
        capacity_bytes=room,
        server_latency_s=server,
        cloud_latency_s=rng.integers(6, 12, (users, models)) / 8.0,
        local_latency_s=rng.integers(1, 12, (users, models)) / 8.0,
        local=local,
        requests=Requests(
            user=rng.integers(0, users, rows),
            model=model,
            layer=np.array([rng.integers(spec.layers) for spec in spec_of]),
            experts=experts,
            rate=rate if rate.sum() > 0 else rate + 1,
        ),
        name=f"promises-{seed}",
    )


def maximal(size: np.ndarray, capacity: int) -> np.ndarray:
    """Caches that fit and that no other one contains; [C, I]."""
    sets = (np.arange(1 << len(size))[:, None] >> np.arange(len(size))) & 1 > 0
    used = sets @ size
    # What is left out no longer fits.
    smallest = np.where(sets, np.iinfo(np.int64).max, size).min(
        axis=1, initial=np.iinfo(np.int64).max
    )
    found: np.ndarray = sets[(used <= capacity) & (smallest > capacity - used)]
    return found


def best_saving_s(instance: Instance) -> float:
    """Saving of the best placement, by trying all of them."""
    return float(savings_s(instance, [
        maximal(instance.item_bytes, capacity) for capacity in instance.capacity_bytes.tolist()
    ]).max())  # fmt: skip


def best_whole_layers_s(instance: Instance) -> float:
    """Saving of the best placement of whole layers; a layer is all of it that a term needs."""
    needed = Structure(instance).terms.useful().any(axis=0)
    layer = np.arange(instance.items) - instance.item_expert
    of = (layer == np.unique(layer[needed])[:, None]) & needed
    size = of @ instance.item_bytes
    return float(savings_s(instance, [
        maximal(size, capacity) @ of for capacity in instance.capacity_bytes.tolist()
    ]).max())  # fmt: skip


def savings_s(instance: Instance, caches: list[np.ndarray]) -> np.ndarray:
    """Savings of all combinations of the servers' caches, by the definition alone."""
    number = np.array(list(product(*(range(len(cache)) for cache in caches))))
    device = instance.device_latency_s()
    table = np.broadcast_to(device, (len(number), *device.shape)).copy()
    for n, cache in enumerate(caches):
        reach = instance.server_latency_s[:, n][:, instance.item_model]
        held = cache[number[:, n]][:, None, :]
        np.minimum(table, np.where(held, reach, np.inf), out=table)
    total = np.zeros(len(number))
    requests = instance.requests
    for user, experts, rate in zip(
        requests.user, instance.request_items, requests.rate, strict=True
    ):
        used = experts[experts < instance.items]
        total += rate * (device[user, used].max() - table[:, user, used].max(axis=1))
    return total


class Tally:
    """How often each theorem was tried, and how near it came to being broken."""

    def __init__(self) -> None:
        self.tried: dict[str, int] = {}
        self.ratios: dict[str, tuple[float, float]] = {}
        self.closest: dict[str, tuple[float, str]] = {}
        self.broken: list[str] = []

    def add(
        self, theorem: str, ratio: float, saving_s: float, best_s: float, where: str,
        room: float = ROUNDING,
    ) -> None:  # fmt: skip
        """Count a promise of at least `ratio` of the best saving, but for some room."""
        key = re.sub(r"\d[\d.]*(e-?\d+)?", "#", theorem)
        self.tried[key] = self.tried.get(key, 0) + 1
        low, high = self.ratios.get(key, (1.0, 0.0))
        self.ratios[key] = min(low, ratio), max(high, ratio)
        kept = saving_s / (ratio * best_s) if ratio * best_s > 0 else math.inf
        if key not in self.closest or kept < self.closest[key][0]:
            self.closest[key] = kept, where
        if saving_s < ratio * best_s - room * best_s:
            self.broken.append(f"{where}: {theorem}: {saving_s} < {ratio} * {best_s}")

    def take(self, other: Tally) -> None:
        """Take in what another one has counted."""
        for key, tried in other.tried.items():
            self.tried[key] = self.tried.get(key, 0) + tried
            low, high = self.ratios.get(key, (1.0, 0.0))
            self.ratios[key] = min(low, other.ratios[key][0]), max(high, other.ratios[key][1])
            self.closest[key] = min(self.closest.get(key, (math.inf, "")), other.closest[key])
        self.broken += other.broken

    def lines(self) -> Iterator[str]:
        """A table in Markdown."""
        yield "| theorem | tried | promised | least share of it | where |"
        yield "|---|---|---|---|---|"
        for key in sorted(self.tried):
            (low, high), (kept, where) = self.ratios[key], self.closest[key]
            closest = f"{kept:.4f}" if math.isfinite(kept) else "-"
            promised = f"{low:.4g} to {high:.4g}"
            yield f"| {key} | {self.tried[key]:,} | {promised} | {closest} | {where} |"


def promises(solution: Solution, structure: Structure) -> Iterator[Guarantee]:
    """What is printed, and what the method's theorem says of a placement that is proved, too."""
    printed = a_priori(solution, structure)
    assert 0 <= printed.ratio <= 1
    yield printed
    if solution.status is Status.OPTIMAL:
        finished = msgspec.structs.replace(
            solution, status=Status.FEASIBLE, stopped_by=StoppedBy.FINISHED
        )
        yield find_method(solution.method).guarantee(structure, finished)


def attack(instance: Instance, best_s: float, number: int, tally: Tally, *, whole: bool) -> None:
    """Compare all that is promised about one instance with its optimum."""
    structure, name = Structure(instance), instance.name
    empty_s = latency_empty_s(instance)
    rng = np.random.default_rng([number, 13])
    runs: list[tuple[str, dict[str, str], Placement | None]] = []
    for method in METHODS:
        chosen = find_method(method)
        if (
            chosen.places
            and not chosen.unsupported(instance)
            and number % EVERY.get(method, 1) == 0
        ):
            runs += [(method, options, None) for options in VARIANTS.get(method, [{}])]
    start = solve(instance, "random", seed=number).placement
    given = (start, Placement.empty())[number % 2]
    runs.append(("ascent", {"orders": "1"}, given))
    for method, options, first in runs:
        limits = Limits(time_s=1e-9) if rng.random() < 0.02 else Limits()
        solution = solve(instance, method, seed=number, options=options, start=first, limits=limits)
        saving_s, where = solution.saving_s, f"{name} {method}"
        assert saving_s is not None
        room = PROVED if solution.status is Status.OPTIMAL else ROUNDING
        for promise in promises(solution, structure):
            tally.add(promise.because, promise.ratio, saving_s, best_s, where, room)
            most_s = min(limitless_saving_s(instance), solution.bound_saving_s or math.inf)
            factor = latency_factor(promise.ratio, empty_s, most_s)
            if factor is not None and promise.ratio > 0:
                # The least latency as a share of the one in hand, so that more is better.
                assert solution.latency_s is not None
                reached = (empty_s - best_s) / solution.latency_s
                # A tolerance of the saving is one of so much of the latency.
                part = room * max(1.0, best_s / max(empty_s - best_s, 1e-300))
                tally.add("times the least latency", 1 / factor, reached, 1.0, where, part)
        if solution.bound_saving_s is not None:
            tally.add("its own bound", 1.0, solution.bound_saving_s, best_s, where)
        if down := solution.meta.get("rounded_down"):
            layers = down["binding"] - down["fractional"]
            tally.add("fractional layers", 1.0, 1.0 + layers, 1.0, where)
        if structure.single and solution.placement is not None and not options:
            bound_s = saving_bound_s(instance, solution.placement)
            tally.add("bound by best responses", 1.0, bound_s, best_s, where)
    if whole and structure.whole_layers > 0:
        reached = best_whole_layers_s(instance)
        tally.add("whole layers themselves", structure.whole_layers, reached, best_s, name)


def attacked(numbers: range) -> Tally:
    """Attack random instances."""
    tally = Tally()
    for number in numbers:
        instance = draw(number)
        best_s = best_saving_s(instance)
        if len(coverage_terms(instance)):
            attack(instance, best_s, number, tally, whole=True)
    return tally


def of_layers(limit: float, only: list[str]) -> None:
    """What is promised where there are many layers."""
    print("| instance | layers | servers | promise | by the master | certified |")
    print("|---|---|---|---|---|---|")
    told = []
    for suite in SUITES.values():
        for recipe in suite.recipes:
            if only and recipe.name not in only:
                continue
            instance = recipe.make()
            layers = sum(model.layers for model in instance.models)
            if layers < 16 or instance.top_k < 2:
                continue
            solution = solve(instance, "decomposition", limits=Limits(time_s=limit))
            bound_s, down = solution.bound_saving_s, solution.meta.get("rounded_down")
            assert bound_s is not None
            promised = down["least_saving_s"] / bound_s if down else 0.0
            printed = a_priori(solution, Structure(instance))
            told.append(max(promised, 0.0))
            print(
                f"| `{instance.name}` | {layers} | {instance.servers} | {printed.ratio:.4f} "
                f"| {promised:.4f} | {solution.certified_ratio or 0.0:.4f} |",
                flush=True,
            )
    print(f"\n{sum(each > 0 for each in told)} of {len(told)} with a promise by the master")


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["random", "tight", "layers"])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=30.0)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.what == "layers":
        of_layers(arguments.time_limit, arguments.only)
        return
    tally = Tally()
    if arguments.what == "random":
        parts = [range(n, min(n + 50, arguments.count)) for n in range(0, arguments.count, 50)]
        with ProcessPoolExecutor(arguments.jobs) as pool:
            for part in tqdm(pool.map(attacked, parts), total=len(parts), disable=None):
                tally.take(part)
    else:
        for instance in find_suite("tight").instances():
            best = solve(instance, "exact")
            assert best.status is Status.OPTIMAL
            assert best.saving_s is not None
            attack(instance, best.saving_s, 0, tally, whole=False)
    print("\n".join(tally.lines()))
    for line in tally.broken:
        print(f"BROKEN {line}")
    sys.exit(bool(tally.broken))


if __name__ == "__main__":
    main()
