"""Named sets of benchmark instances, made anew from scenarios and seeds, or by construction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..problem.errors import InputError
from ..problem.instance import Instance
from .recipe import Gadgets, Generated, Recipe


@dataclass(frozen=True)
class Suite:
    """A named set of instances.

    Attributes
    ----------
    name, summary : str
    version : int
        Grows when an instance changes; results of other versions must not be compared.
    recipes : tuple of Recipe
    """

    name: str
    summary: str
    version: int
    recipes: tuple[Recipe, ...]

    def instances(self) -> Iterator[Instance]:
        """Generate the instances one by one."""
        for recipe in self.recipes:
            yield recipe.make()


def _made(
    base: dict[str, Any], *rows: tuple[str, dict[str, Any]], first_seed: int = 1
) -> tuple[Generated, ...]:
    """Recipes with the base's fields, each with changes and the next seed."""
    return tuple(
        Generated(name, base | changes, first_seed + number)
        for number, (name, changes) in enumerate(rows)
    )


_TINY = {"servers": 2, "users": 3, "layers": 2, "experts": 4, "capacity": 0.25, "area_m": 300}
_SMALL = {"servers": 3, "users": 6, "capacity": 0.2, "area_m": 500}
_MIXTRAL: dict[str, Any] = {"models": ["mixtral-8x7b"]}
_SWITCH_8 = {"models": ["switch-base-8"], "layers": 6}
_SWITCH_32 = {"models": ["switch-base-32"], "layers": 4}
_BOTH_SWITCH = {"models": ["switch-base-8", "switch-base-32"], "layers": 3}
_DBRX_8 = {"models": ["dbrx"], "experts": 8, "top_k": 3}
_GPT_16 = {"models": ["gpt-oss-20b"], "experts": 16, "precision": "mxfp4", "tokens": 6}

#: Of the suite `models`, in the order of their seeds: new ones go to the end.
_MODELS = (
    "dbrx", "deepseek-moe-16b", "deepseek-v2-lite", "deepseek-v3", "gpt-oss-120b", "gpt-oss-20b",
    "granite-3.0-1b-a400m", "granite-3.0-3b-a800m", "mixtral-8x22b", "mixtral-8x7b",
    "moe-llava-phi2-2.7b", "moe-llava-qwen-1.8b", "moe-llava-stablelm-1.6b", "olmoe-1b-7b",
    "phi-3.5-moe", "qwen1.5-moe-a2.7b", "qwen3-30b-a3b", "switch-base-32", "switch-base-64",
    "switch-base-8", "qwen3-235b-a22b", "qwen3-next-80b-a3b", "glm-4.5", "glm-4.5-air", "kimi-k2",
    "llama-4-scout", "llama-4-maverick", "minimax-text-01", "minimax-m2", "hunyuan-a13b",
    "ernie-4.5-21b-a3b", "ernie-4.5-300b-a47b",
)  # fmt: skip

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "tiny",
            "a second for all: 2 servers, 3 users, 2 layers of 4 experts",
            1,
            _made(
                _TINY,
                ("tiny-k1", {"models": ["switch-base-8"]}),
                ("tiny-k1-local", {"models": ["switch-base-8"], "local": 1}),
                ("tiny-k2", {}),
                ("tiny-k2-local", {"local": 1}),
                ("tiny-k3", {"models": ["dbrx"], "top_k": 3}),
                ("tiny-mixed", {"models": ["mixtral-8x7b", "phi-3.5-moe"], "layers": 1}),
            ),
        ),
        Suite(
            "small",
            "proved optimal in a minute: K = 1 to 4, sparse and dense sets, two models",
            1,
            _made(
                _SMALL,
                ("k1-switch8", _SWITCH_8),
                ("k1-switch32", _SWITCH_32),
                ("k1-switch8-local", _SWITCH_8 | {"local": 2, "servers": 4}),
                ("k2-llava", {"models": ["moe-llava-phi2-2.7b"], "layers": 4}),
                ("k2-mixtral", {"layers": 2}),
                ("k2-mixtral-local", {"layers": 2, "local": 2}),
                ("k2-mixtral-sparse", {"layers": 3, "tokens": 6}),
                ("k2-phi", {"models": ["phi-3.5-moe"], "layers": 1, "tokens": 12}),
                (
                    "k2-two-models",
                    {"models": ["mixtral-8x7b", "phi-3.5-moe"], "layers": 1, "experts": 8},
                ),
                ("k3-dbrx", _DBRX_8 | {"layers": 1, "capacity": 0.4}),
                ("k4-gpt-oss", _GPT_16 | {"layers": 1}),
                ("k4-dbrx-local", {"models": ["dbrx"], "layers": 2, "tokens": 6, "local": 3}),
            ),
        ),
        Suite(
            "k1",
            "K = 1, submodular: experts of equal and of mixed sizes",
            1,
            _made(
                _SMALL | {"users": 12},
                *(
                    (f"{name}-n{servers}{'-local' if local else ''}", fields | more)
                    for name, fields in (
                        ("switch8", _SWITCH_8),
                        ("switch32", _SWITCH_32),
                        ("mixed-sizes", _BOTH_SWITCH),
                    )
                    for servers in (3, 6)
                    for local in (0, 2)
                    for more in ({"servers": servers, "local": local},)
                ),
                first_seed=101,
            ),
        ),
        Suite(
            "coactivation",
            "K = 2 to 4, from independent to strongly co-activated experts",
            1,
            # The same seed along a row: nothing but the co-activation changes.
            tuple(
                Generated(f"{name}-c{c:g}", _SMALL | fields | {"coactivation": c}, seed)
                for seed, (name, fields) in enumerate(
                    (
                        ("k2-mixtral", _MIXTRAL | {"layers": 2}),
                        ("k3-dbrx8", _DBRX_8 | {"layers": 1, "capacity": 0.4}),
                        ("k4-gpt16", _GPT_16 | {"layers": 2, "capacity": 0.4}),
                    ),
                    start=201,
                )
                for c in (0.0, 1.0, 2.0, 4.0)
            ),
        ),
        Suite(
            "models",
            "one for each model of the table, at its real size: 5 servers, 20 users",
            2,
            _made(
                {"servers": 5, "users": 20},
                *((name, {"models": [name]}) for name in _MODELS),
                first_seed=301,
            ),
        ),
        Suite(
            "scale",
            "Mixtral-8x7B grown from 1 to 32 layers: 5 servers, 20 users",
            1,
            # The same seed: the layers of one are the first layers of the next.
            tuple(
                Generated(f"mixtral-l{layers}", {"layers": layers}, 401)
                for layers in (1, 2, 4, 8, 16, 32)
            ),
        ),
        Suite(
            "hard",
            "small, but HiGHS needs from 10 s to more than a minute",
            1,
            _made(
                {"area_m": 500, "users": 12},
                ("k2-mixtral-l3-n5", {"layers": 3, "servers": 5}),
                ("k2-mixtral-l4-n5", {"layers": 4, "servers": 5}),
                ("k2-mixtral-l6-n3", {"layers": 6, "servers": 3}),
                ("k2-phi-l2-n3", {"models": ["phi-3.5-moe"], "layers": 2, "servers": 3}),
                ("k3-dbrx8-l2-n3", _DBRX_8 | {"layers": 2, "servers": 3, "capacity": 0.3}),
                ("k3-dbrx8-l3-n4", _DBRX_8 | {"layers": 3, "servers": 4, "capacity": 0.3}),
                (
                    "k4-gpt16-l2-n4",
                    {"models": ["gpt-oss-20b"], "experts": 16, "layers": 2, "servers": 4}
                    | {"tokens": 20, "capacity": 0.3},
                ),
                (
                    "k4-dbrx-l1-n4",
                    {"models": ["dbrx"], "layers": 1, "servers": 4, "tokens": 30, "capacity": 0.3},
                ),
                first_seed=501,
            ),
        ),
        Suite(
            "tight",
            "K = 1 where greedy reaches 1/2; K = 2 as densest subgraph and as largest cut",
            2,
            (
                *(Gadgets(f"tight-greedy-m{copies}", copies) for copies in (1, 5, 13, 20)),
                Gadgets("tight-densest-paley17", 17, "densest-subgraph"),
                Gadgets("tight-cut-petersen", 5, "max-cut"),
            ),
        ),
    )
}


def find_suite(name: str) -> Suite:
    """Look a suite up.

    Raises
    ------
    InputError
        If the name is unknown; the message lists the known ones.
    """
    if name not in SUITES:
        raise InputError(f"unknown suite {name!r}, known: {', '.join(SUITES)}")
    return SUITES[name]
