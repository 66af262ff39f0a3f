"""Scenarios that make no instance, or one of an absurd size, give status 2 and one line."""

import pytest

GENERATE = ("generate", "--layers", "1", "--experts", "4", "--output", "out.json")
REFUSED = [
    (("--model", "magic"), "magic"),
    (("--precision", "fp7"), "precision"),
    (("--layers", "0"), "layers"),
    (("--experts", "0"), "experts"),
    (("--top-k", "0"), "top_k"),
    (("--top-k", "5"), "top_k"),
    (("--servers", "0"), "servers"),
    (("--servers", "-1"), "servers"),
    (("--users", "0"), "users"),
    (("--capacity", "nan"), "capacity"),
    (("--capacity", "inf"), "capacity"),
    (("--capacity", "-0.1"), "capacity"),
    (("--capacity", "1e300"), "capacity"),
    (("--capacity", "1e12"), "capacity"),
    (("--local", "5"), "local"),
    (("--local", "-1"), "local"),
    (("--radius", "0"), "radius"),
    (("--radius", "nan"), "radius"),
    (("--area", "inf"), "area"),
    (("--skew", "-1"), "skew"),
    (("--skew", "21"), "skew"),
    (("--coactivation", "1e9"), "coactivation"),
    (("--user-concentration", "0"), "user_concentration"),
    (("--sets", "0"), "sets"),
    (("--tokens", "0"), "tokens"),
    (("--seed", "-1"), "seed"),
    (("--set", "color=1"), "color"),
    (("--set", "skew=high"), "skew"),
    (("--set", "cloud_s=nan"), "cloud_s"),
    (("--set", "cloud_s=0"), "cloud_s"),
    (("--set", "servers=1.5"), "servers"),
    # Absurd sizes.
    (("--users", 10**9), "users"),
    (("--users", 10**30), "users"),
    (("--users", 10**400), "users"),
    (("--servers", 10**9), "servers"),
    (("--servers", 10**400), "servers"),
    (("--layers", 10**12), "error"),
    (("--layers", 10**400), "error"),
    (("--experts", 10**12), "experts"),
    (("--experts", 10**400), "experts"),
    (("--sets", 10**12), "sets"),
    (("--sets", 10**400), "sets"),
    (("--tokens", 10**30), "tokens"),
    (("--set", "activation_bits=1" + "0" * 400), "activation_bits"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(str(w)[:20] for w in case[0]))
def test_broken_scenario(case, refused):
    options, says = case
    refused(*GENERATE, *options, says=says)


@pytest.mark.parametrize(
    "sizes",
    [
        ("--users", 10**9),
        ("--servers", 10**9),
        ("--layers", 10**12),
        # The number of sets of half of the experts has three million digits.
        ("--experts", 10**7, "--top-k", 5 * 10**6),
    ],
    ids=lambda sizes: " ".join(map(str, sizes)),
)
def test_absurd_sizes_cost_no_time_or_memory(sizes, refused_process):
    limits = [("RLIMIT_AS", 2 * 2**30)]
    refused_process(*GENERATE, *sizes, says="error", limits=limits)
