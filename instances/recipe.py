"""How an instance is made: small enough to send, exact enough to make it again anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..problem.errors import InputError
from ..problem.instance import Instance
from ..problem.instance_file import read_instance
from .gadgets import densest_subgraph, greedy_gadgets, max_cut
from .generate import generate
from .geography import read_geography
from .scenario import Scenario
from .trace import import_trace, matching_model, read_trace

#: Vertices of the subgraphs that the suites ask for.
_ROOM = 6


class Generated(msgspec.Struct, frozen=True, tag="generated", forbid_unknown_fields=True):
    """An instance from a scenario and a seed.

    Attributes
    ----------
    name : str
    scenario : dict
        Fields of `Scenario` that differ from their defaults.
    seed : int
    labels : dict
        What a study tells about the instance: its group and the swept fields.
    """

    name: str
    scenario: dict[str, Any]
    seed: int
    labels: dict[str, Any] = {}

    def make(self) -> Instance:
        """Generate the instance."""
        return generate(Scenario().replace(**self.scenario), self.seed, name=self.name)


class Stored(msgspec.Struct, frozen=True, tag="stored", forbid_unknown_fields=True):
    """An instance in a file, with the SHA-256 sum of its bytes."""

    name: str
    path: str
    sha256: str
    labels: dict[str, Any] = {}

    def make(self) -> Instance:
        """Read the instance; refuse a file that has changed."""
        _check_sum(self.path, self.sha256)
        return read_instance(self.path)


class Recorded(msgspec.Struct, frozen=True, tag="recorded", forbid_unknown_fields=True):
    """An instance from a recorded trace; see `import_trace`. Files come with their SHA-256 sums."""

    name: str
    files: dict[str, str]
    sha256: dict[str, str]
    scenario: dict[str, Any]
    seed: int
    max_sets: int | None = None
    labels: dict[str, Any] = {}

    def make(self) -> Instance:
        """Build the instance; refuse files that have changed."""
        for name, path in self.files.items():
            _check_sum(path, self.sha256[name])
        trace = read_trace(self.files["trace"], self.files.get("sequences"))
        scenario = Scenario(models=(matching_model(trace),)).replace(**self.scenario)
        geography = read_geography(
            self.files["sites"],
            self.files["points"],
            servers=scenario.servers,
            users=scenario.users,
            seed=self.seed,
        )
        return import_trace(
            trace,
            scenario,
            geography,
            seed=self.seed,
            max_sets=self.max_sets,
            source=Path(self.files["trace"]).name,
            name=self.name,
        )


class Gadgets(msgspec.Struct, frozen=True, tag="gadgets", forbid_unknown_fields=True):
    """A gadget and its size; see the functions of `gadgets`.

    Attributes
    ----------
    name : str
    size : int
        Copies, vertices or spokes.
    kind : {"greedy", "densest-subgraph", "max-cut"}
    labels : dict
    """

    name: str
    size: int
    kind: Literal["greedy", "densest-subgraph", "max-cut"] = "greedy"
    labels: dict[str, Any] = {}

    def make(self) -> Instance:
        """Build the instance."""
        if self.kind == "greedy":
            return greedy_gadgets(self.size, self.name)
        if self.kind == "max-cut":
            return max_cut(self.size, self.name)
        return densest_subgraph(self.size, _ROOM, self.name)


Recipe = Generated | Stored | Recorded | Gadgets


def stored(path: str | Path) -> Stored:
    """Recipe of an instance file.

    Raises
    ------
    InputError
        If the file is no instance.
    """
    return Stored(read_instance(path).name, str(path), file_sum(path))


def file_sum(path: str | Path) -> str:
    """SHA-256 sum of a file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _check_sum(path: str, sha256: str) -> None:
    if file_sum(path) != sha256:
        raise InputError(f"{path}: has changed since the study began")
