"""Named sets of benchmark instances, made anew from scenarios and seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .generate import generate
from .instance import Instance
from .instance_file import instance_bytes
from .scenario import Scenario
from .storage import write_bytes


@dataclass(frozen=True)
class Suite:
    """A named set of instances.

    Attributes
    ----------
    name, summary : str
    recipes : tuple of (name, scenario, seed)
    """

    name: str
    summary: str
    recipes: tuple[tuple[str, Scenario, int], ...]

    def instances(self) -> Iterator[Instance]:
        """Generate the instances one by one."""
        for name, scenario, seed in self.recipes:
            yield generate(scenario, seed, name=name)


_TINY = Scenario(servers=2, users=3, layers=2, experts=4, capacity=0.25, area_m=300)
_SMALL = Scenario(servers=3, users=6, capacity=0.2, area_m=500)

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "tiny",
            "a second for all: 2 servers, 3 users, 2 layers of 4 experts",
            (
                ("tiny-k1", _TINY.replace(models=("switch-base-8",)), 1),
                ("tiny-k1-local", _TINY.replace(models=("switch-base-8",), local=1), 2),
                ("tiny-k2", _TINY, 3),
                ("tiny-k2-local", _TINY.replace(local=1), 4),
                ("tiny-k3", _TINY.replace(models=("dbrx",), top_k=3), 5),
                (
                    "tiny-mixed",
                    _TINY.replace(models=("mixtral-8x7b", "phi-3.5-moe"), layers=1),
                    6,
                ),
            ),
        ),
        Suite(
            "small",
            "proved optimal in a minute: K = 1 to 4, sparse and dense sets, two models",
            (
                ("k1-switch8", _SMALL.replace(models=("switch-base-8",), layers=6), 1),
                ("k1-switch32", _SMALL.replace(models=("switch-base-32",), layers=4), 2),
                (
                    "k1-switch8-local",
                    _SMALL.replace(models=("switch-base-8",), layers=6, local=2, servers=4),
                    3,
                ),
                ("k2-llava", _SMALL.replace(models=("moe-llava-phi2-2.7b",), layers=4), 4),
                ("k2-mixtral", _SMALL.replace(layers=2), 5),
                ("k2-mixtral-local", _SMALL.replace(layers=2, local=2), 6),
                ("k2-mixtral-sparse", _SMALL.replace(layers=3, tokens=6), 7),
                ("k2-phi", _SMALL.replace(models=("phi-3.5-moe",), layers=1, tokens=12), 8),
                (
                    "k2-two-models",
                    _SMALL.replace(models=("mixtral-8x7b", "phi-3.5-moe"), layers=1, experts=8),
                    9,
                ),
                (
                    "k3-dbrx",
                    _SMALL.replace(models=("dbrx",), layers=1, experts=8, top_k=3, capacity=0.4),
                    10,
                ),
                (
                    "k4-gpt-oss",
                    _SMALL.replace(
                        models=("gpt-oss-20b",), layers=1, experts=16, tokens=6, precision="mxfp4"
                    ),
                    11,
                ),
                (
                    "k4-dbrx-local",
                    _SMALL.replace(models=("dbrx",), layers=2, tokens=6, local=3),
                    12,
                ),
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


def build_suite(suite: Suite, folder: str | Path) -> list[Path]:
    """Write a suite's instances and their SHA-256 sums (``SHA256SUMS``) into a folder.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    paths, sums = [], []
    for instance in suite.instances():
        path = folder / f"{instance.name}.json"
        data = instance_bytes(instance)
        write_bytes(path, data)
        paths.append(path)
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
    write_bytes(folder / "SHA256SUMS", "".join(sums).encode())
    return paths
