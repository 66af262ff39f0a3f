"""What the users of a network ask a model for: recorded tokens, recorded counts, or generated."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..problem.errors import InputError
from ..problem.instance import IntArray, Requests
from ..problem.names import check_name
from ..routing.import_routing import import_routing
from ..routing.recording import Counts
from .generate import check_size, generated_requests, layer_laws
from .model_table import ModelCard, model_card, same_model
from .network_file import ModelEntry
from .popularity import LAW, counted_layers, counted_requests, read_counts
from .scenario import Scenario
from .streams import random_stream
from .trace import Trace, fitted_layers, read_trace
from .trace_requests import follow


@dataclass(frozen=True, eq=False)
class Source:
    """Where the requests of a model come from.

    Attributes
    ----------
    card : ModelCard
        With the layers that are taken.
    categories : tuple of str
        Those that users may follow; empty where there is only one kind of user.
    entry : ModelEntry
    trace : Trace or None
    counts : tuple of Counts
        One for each category.
    """

    card: ModelCard
    categories: tuple[str, ...]
    entry: ModelEntry
    trace: Trace | None = None
    counts: tuple[Counts, ...] = ()

    def __str__(self) -> str:
        """What was recorded, for a person."""
        if self.trace is not None:
            text = f"{len(self.trace.expert_ids)} tokens recorded"
        elif self.counts:
            text = "counts recorded, sets assumed"
        else:
            text = "generated"
        return text + (f", {len(self.categories)} categories" if self.categories else "")

    def requests(
        self, scenario: Scenario, category: Sequence[str], seed: int, number: int
    ) -> tuple[Requests, dict[str, Any]]:
        """Requests of users, and what the instance tells about them.

        Parameters
        ----------
        scenario : Scenario
            With as many users.
        category : sequence of str
            That each user follows, see `categories`.
        seed, number : int
            Of the random numbers: the network's seed and the number of the model.

        Returns
        -------
        requests : Requests
            The model is number 0; the rates of each layer sum to 1.
        told : dict

        Raises
        ------
        InputError
            If the requests would be absurdly many, or counts do not fit K.
        """
        kinds = np.array(
            [self.categories.index(name) if self.categories else 0 for name in category]
        )
        if self.trace is not None:
            followed = follow(self.trace, self.card.layers, kinds, self.entry.sets)
            return followed.requests, {
                "trace": followed.meta(self.trace, _names(self.entry.trace), None)
            }
        if self.entry.sets is not None:
            scenario = dataclasses.replace(scenario, max_sets=self.entry.sets)
        check_size(scenario, [self.card])
        rng = random_stream(seed, 3, number)
        if self.counts:
            files = self.entry.counts
            names = list(files.values()) if isinstance(files, dict) else [str(files)]
            requests = counted_requests(
                [content.table for content in self.counts],
                names,
                self.card,
                kinds.tolist(),
                max_sets=scenario.max_sets,
                rng=rng,
            )
            sources = [Path(names[kind]).name for kind in kinds]
            return requests, {"popularity": {"user_source": sources}, "law": LAW}
        laws = [layer_laws(scenario, self.card, rng)]
        runs = ((u, 0, random_stream(seed, 4, u, number)) for u in range(scenario.users))
        return generated_requests(scenario, laws, runs), {
            "assumed": "generated requests: Zipf's law with co-activation, as the scenario says"
        }


def read_source(entry: ModelEntry, folder: Path) -> Source:
    """Read what was recorded of a model.

    Parameters
    ----------
    entry : ModelEntry
    folder : Path
        Paths are relative to it.

    Raises
    ------
    InputError
        If the model is unknown, a file is unusable or does not fit the model.
    """
    card = model_card(entry.model, folder)
    card = dataclasses.replace(card, name=entry.name or card.name)
    card.expert_bytes(entry.precision)
    if entry.trace is not None:
        files = [entry.trace] if isinstance(entry.trace, str) else list(entry.trace)
        sequences = None if entry.sequences is None else folder / entry.sequences
        trace = _read_tokens([folder / file for file in files], sequences, entry, card)
        layers = fitted_layers(trace, card, entry.layers)
        return Source(
            dataclasses.replace(card, layers=layers),
            () if sequences is None or trace.sequence is None else trace.categories,
            entry,
            trace=trace,
        )
    if entry.counts is not None:
        by_category = entry.counts if isinstance(entry.counts, dict) else {"": entry.counts}
        counts = tuple(read_counts(folder / file) for file in by_category.values())
        for name in by_category:
            check_name(name, "counts")
        layers = counted_layers([content.table for content in counts], card, entry.layers)
        categories = tuple(by_category) if isinstance(entry.counts, dict) else ()
        return Source(dataclasses.replace(card, layers=layers), categories, entry, counts=counts)
    if entry.layers is not None and entry.layers > card.layers:
        raise InputError(f"layers: {card.name} has {card.layers}, not {entry.layers}")
    return Source(dataclasses.replace(card, layers=entry.layers or card.layers), (), entry)


def _read_tokens(
    paths: list[Path], sequences: Path | None, entry: ModelEntry, card: ModelCard
) -> Trace:
    if len(paths) == 1 and paths[0].suffix == ".npz":
        return read_trace(paths[0], sequences)
    with tempfile.TemporaryDirectory() as folder:
        # Put together on the disk, as `import_routing` does it for files of any size.
        made = Path(folder) / "trace.npz"
        try:
            import_routing(paths, made, model=partial(_is_one_of, {entry.model, card.name}))
            return read_trace(made, sequences)
        except InputError as error:
            raise InputError(str(error).replace(str(made), str(paths[0]))) from None


def _is_one_of(names: set[str], recorded: str) -> bool:
    return any(same_model(name, recorded) for name in names)


def _names(files: str | tuple[str, ...] | None) -> str:
    files = (files,) if isinstance(files, str) else files or ()
    return ", ".join(Path(file).name for file in files)


def follow_categories(
    sources: Sequence[Source], wanted: Sequence[str | None], seed: int
) -> list[str]:
    """Category of each user.

    Those who are told none follow the categories that all recordings have, in random order, one
    user after the other, begun again when there are more users.

    Parameters
    ----------
    sources : sequence of Source
    wanted : sequence of str or None
        What each user was told to follow.
    seed : int

    Raises
    ------
    InputError
        If a recording lacks the category of a user, or recordings have none in common.
    """
    kinds = [source for source in sources if source.categories]
    for user, category in enumerate(wanted):
        if category is None:
            continue
        if not kinds:
            raise InputError(f"category of user {user + 1}: no model's recording has categories")
        for source in kinds:
            if category not in source.categories:
                known = ", ".join(source.categories)
                raise InputError(
                    f"category of user {user + 1}: {source.card.name} has no {category!r}, but "
                    f"{known}"
                )
    if not kinds:
        return [""] * len(wanted)
    common = sorted(set.intersection(*(set(source.categories) for source in kinds)))
    if not common and None in wanted:
        names = ", ".join(source.card.name for source in kinds)
        raise InputError(f"category: {names} have none in common: tell it for every user")
    order: IntArray = np.resize(random_stream(seed, 3).permutation(len(common)), len(wanted))
    return [
        common[place] if category is None else category
        for place, category in zip(order.tolist(), wanted, strict=True)
    ]
