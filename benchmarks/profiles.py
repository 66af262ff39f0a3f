"""Upper bounds on the profiles of large layers: minimum cuts against balanced loads.

    python benchmarks/profiles.py [INSTANCE] [--layers 6]

The alternative to minimum cuts: give each term's weight to its experts in any way; the k largest
loads then bound the gain of every k experts, and the most balanced loads give the same concave
envelope (Fujishige 1980, doi:10.1287/moor.5.2.186). They are approached by rounds in which every
term goes to its expert with the least load. One line for each layer of the first server: seconds of
both, how far the balanced loads are above the cuts after 100 rounds, and how far the sets found are
below the cuts, each as the largest share of the whole gain over k. Without INSTANCE: gpt-oss-20b,
40 users, 300 sets in a layer for each.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from expertcache import Scenario, generate, read_instance
from expertcache.problem.demand import merged_demand
from expertcache.problem.evaluate import latency_table_s
from expertcache.responses.closure import concave_envelope
from expertcache.responses.envelope_profile import envelope_profiles
from expertcache.responses.profile import LayerTerms, layer_terms

ROUNDS = 100


def balanced(terms: LayerTerms, count: int) -> np.ndarray:
    """Bound [E + 1] from balanced loads."""
    expert = terms.experts
    inside = expert < count
    rows = np.arange(len(expert))

    def loads(share: np.ndarray) -> np.ndarray:
        return np.bincount(expert.ravel(), share.ravel(), minlength=count + 1)[:-1]

    def bound(load: np.ndarray) -> np.ndarray:
        return np.append(0.0, np.cumsum(-np.sort(-load)))

    each = (terms.weight_s / inside.sum(axis=1))[:, None]
    load = loads(np.where(inside, each, 0.0))
    upper = bound(load)
    for number in range(ROUNDS):
        least = expert[rows, np.append(load, np.inf)[expert].argmin(axis=1)]
        step = 2 / (number + 3)
        new = np.bincount(least, terms.weight_s, minlength=count + 1)[:-1]
        load = (1 - step) * load + step * new
        upper = np.minimum(upper, bound(load))
    return upper


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance", nargs="?")
    parser.add_argument("--layers", type=int, default=6)
    arguments = parser.parse_args()
    if arguments.instance:
        instance = read_instance(arguments.instance)
    else:
        scenario = Scenario(models=("gpt-oss-20b",), servers=10, users=40, tokens=300)
        instance = generate(scenario, 1)
    demand, table = merged_demand(instance), latency_table_s(instance)
    terms = layer_terms(instance, demand, 0, 0, table)
    experts = instance.models[0].experts
    print("layer    terms   cuts (s)  loads (s)  loads above cuts  sets below cuts")
    for layer in range(min(arguments.layers, instance.models[0].layers)):
        mine = terms.layer == layer
        part = LayerTerms(
            np.zeros(mine.sum(), dtype=int), terms.experts[mine], terms.weight_s[mine]
        )
        began = time.perf_counter()
        upper, _ = concave_envelope(part.experts, part.weight_s, experts)
        cuts_s = time.perf_counter() - began
        began = time.perf_counter()
        loads = balanced(part, experts)
        loads_s = time.perf_counter() - began
        gain = envelope_profiles(part, 1, experts).gain_s[0]
        above, below = (loads - upper).max() / upper[-1], (upper - gain).max() / upper[-1]
        print(
            f"{layer:>5} {mine.sum():>8} {cuts_s:>10.3f} {loads_s:>10.3f} {above:>17.2%} "
            f"{below:>16.2%}"
        )


if __name__ == "__main__":
    main()
