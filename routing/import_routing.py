"""Recorded routing of serving engines becomes a trace, or counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import check_writable, write_bytes
from ..problem.sizes import MAX_INT
from .cleaning import Cleaner
from .formats import find_format, format_of
from .one_model import IsWanted
from .recording import Counts, Shape, Tokens
from .trace_file import TRACE_FILE, TraceFile

_COUNTS_FILE = FileKind("file of counts", rb'\{"expert_popularity":')

#: What a file is that ends so.
_OUTPUTS = {".npz": ("tokens", TRACE_FILE), ".json": ("counts", _COUNTS_FILE)}


@dataclass(frozen=True)
class RoutingSummary:
    """What was written, and what was left out.

    Attributes
    ----------
    kind : {"tokens", "counts"}
    layers, top_k, experts : int
        Layers kept; K, 0 for counts; the largest expert and one more.
    tokens : int
        Tokens kept, 0 for counts.
    sequences : int or None
        None where they are not told.
    dense_layers : int
        Layers left out because they route nothing.
    unrouted_tokens : int
        Tokens left out that no layer routed: padding, or a cached prefix.
    incomplete_tokens : int
        Tokens left out because some of their layers were not recorded.
    """

    kind: str
    layers: int
    top_k: int
    experts: int
    tokens: int = 0
    sequences: int | None = None
    dense_layers: int = 0
    unrouted_tokens: int = 0
    incomplete_tokens: int = 0

    def __str__(self) -> str:
        """One line about what was kept, and one about what was left out."""
        if self.kind == "counts":
            kept = f"counts of {self.layers} layers of {self.experts} experts"
        else:
            told = "no" if self.sequences is None else self.sequences
            kept = (
                f"{self.tokens} tokens of {told} sequences, {self.layers} layers, "
                f"top-{self.top_k}, experts 0 to {self.experts - 1}"
            )
        out = [
            f"{count} {what}"
            for count, what in (
                (self.dense_layers, "layers that route nothing"),
                (self.unrouted_tokens, "tokens that no layer routed (padding, cached prefix)"),
                (self.incomplete_tokens, "tokens without some of their layers"),
            )
            if count
        ]
        return kept + ("\nleft out: " + ", ".join(out) if out else "")


def import_routing(
    paths: Sequence[str | Path],
    output: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    layers: int | None = None,
    top_k: int | None = None,
    model: IsWanted | None = None,
) -> RoutingSummary:
    """Turn files of serving engines into a trace, or into counts where they tell no tokens.

    Memory does not grow with the files, but for JSON documents and files of torch. docs/routing.md
    describes the formats.

    Parameters
    ----------
    paths : sequence of path
        Of one format. Sequences of later files are numbered behind those of earlier ones; counts
        are summed up.
    output : path
        ``.npz`` for a trace, see `read_trace`; ``.json`` for counts, see `read_popularity`.
    format : str, optional
        One of `FORMATS`; by default, told by how each file begins.
    layers, top_k : int, optional
        For responses of SGLang, which do not tell their shape.
    model : callable, optional
        Whether a model's name, as it was recorded, is that of the wanted one; for files in which
        several models were recorded.

    Raises
    ------
    InputError
        If a file is unusable, or the output would overwrite a file of another kind.
    """
    output = Path(output)
    for name, value in (("layers", layers), ("top_k", top_k)):
        if value is not None and not 1 <= value <= 2**16:
            raise InputError(f"{name}: must be between 1 and {2**16}, got {value}")
    if not paths:
        raise InputError("paths: at least one file")
    if output.suffix not in _OUTPUTS:
        raise InputError(f"{output}: must end in .npz, for tokens, or in .json, for counts")
    wanted, kind = _OUTPUTS[output.suffix]
    check_writable(output, kind)
    formats = [format_of(Path(path)) if format is None else find_format(format) for path in paths]
    names = {entry.name for entry in formats}
    if len(names) > 1:
        raise InputError(f"the files are of several formats: {', '.join(sorted(names))}")
    form = formats[0]
    if (layers, top_k) != (None, None) and not form.needs_shape:
        raise InputError(f"layers and top_k: {form.name} files tell their shape")
    shape = (Shape(layers, top_k),) if form.needs_shape else ()
    told = {"model": model} if form.tells_model else {}
    read = [(Path(path), form.read(Path(path), *shape, **told)) for path in paths]
    counts = [(path, content) for path, content in read if isinstance(content, Counts)]
    tokens = [(path, content) for path, content in read if isinstance(content, Tokens)]
    if counts and tokens:
        raise InputError(f"{counts[0][0]} has counts, {tokens[0][0]} has tokens: import each kind")
    found = "counts" if counts else "tokens"
    if found != wanted:
        raise InputError(f"{output}: is for {wanted}, but the files have {found}")
    return _write_counts(counts, output) if counts else write_trace(tokens, output)


def _write_counts(read: Sequence[tuple[Path, Counts]], output: Path) -> RoutingSummary:
    table, empty = read[0][1].table, read[0][1].empty_layers
    for path, counts in read[1:]:
        if counts.table.shape != table.shape or counts.empty_layers != empty:
            raise InputError(f"{path}: other layers or experts than {read[0][0]}")
        table = table + counts.table
    content = {"expert_popularity": table.tolist()}
    write_bytes(output, msgspec.json.encode(content) + b"\n", _COUNTS_FILE)
    layers, experts = table.shape
    return RoutingSummary("counts", layers, 0, experts, dense_layers=empty)


def write_trace(read: Sequence[tuple[Path, Tokens]], output: Path) -> RoutingSummary:
    """Clean tokens and write them as a trace.

    Raises
    ------
    InputError
        If tokens are no routing, or the trace cannot be written.
    """
    cleaner = Cleaner()
    offset = sequences = 0
    told, last, highest = True, -1, -1
    with TraceFile(output) as file:
        for path, tokens in read:
            for block in tokens.blocks:
                clean = cleaner.clean(path, block, zeros_are_absent=tokens.zeros_are_absent)
                if clean.sequence is None:
                    told = False
                elif len(clean.sequence):
                    sequence = clean.sequence.astype(np.int64) + offset
                    highest = max(highest, int(sequence.max()))
                    if highest > MAX_INT:
                        raise InputError(f"{path}: more than {MAX_INT} sequences")
                    # The tokens of a sequence follow one another.
                    sequences += int((np.diff(sequence, prepend=last) != 0).sum())
                    last = int(sequence[-1])
                    clean = clean._replace(sequence=sequence)
                file.append(clean)
            offset = highest + 1
        if not cleaner.tokens:
            raise InputError(f"{read[0][0]}: no token is routed in all layers")
        file.write()
    return RoutingSummary(
        "tokens",
        cleaner.layers,
        cleaner.top_k,
        cleaner.largest + 1,
        cleaner.tokens,
        sequences if told else None,
        cleaner.dense_layers,
        cleaner.unrouted,
        cleaner.incomplete,
    )
