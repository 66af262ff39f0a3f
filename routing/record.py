"""A model of transformers runs on prompts, and its routing becomes a trace."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import check_writable, write_bytes
from .import_routing import RoutingSummary, write_trace
from .prompts import read_prompts
from .recording import Block, Tokens
from .routers import Routers
from .trace_file import TRACE_FILE

_SEQUENCES_FILE = FileKind("list of sequences", rb'\[\{"category":')


def record(
    model: str,
    prompts: str | Path,
    output: str | Path,
    *,
    sequences: str | Path | None = None,
    tokens: int = 0,
    stopped: Callable[[], bool] = lambda: False,
) -> RoutingSummary:
    """Run a model on prompts and record the experts of every token.

    One prompt after the other, without any chat template, on the first GPU or else on the
    processor, in the type of numbers of the model's files. A sequence has the tokens of the prompt
    and those that were generated, the likeliest one each, but the last, which is not computed.

    Parameters
    ----------
    model : str
        Folder of a model, or its name on the Hugging Face hub. No code of its own is run.
    prompts : path
        See `read_prompts`.
    output : path
        ``.npz``, see `read_trace`.
    sequences : path, optional
        Where the categories of the prompts are written, as `read_trace` reads them.
    tokens : int
        To generate behind each prompt, unless the model ends before.
    stopped : callable
        Asked before each prompt; once it answers True, the prompts so far become the trace.

    Raises
    ------
    InputError
        If torch or transformers is missing, the model cannot be loaded or run or has no router that
        is known, or a file is unusable.
    """
    output = Path(output)
    if tokens < 0:
        raise InputError(f"tokens: must be >= 0, got {tokens}")
    if output.suffix != ".npz":
        raise InputError(f"{output}: must end in .npz")
    check_writable(output, TRACE_FILE)
    read = read_prompts(prompts)
    if (read.categories is None) != (sequences is None):
        raise InputError(
            f"{prompts}: has no categories for {sequences}"
            if sequences
            else f"{prompts}: has categories: name a file for them with --sequences"
        )
    if sequences is not None:
        check_writable(sequences, _SEQUENCES_FILE)
    loaded, tokenizer = _load(model)
    routers = Routers(loaded)

    def blocks() -> Iterator[Block]:
        with routers:
            for number, text in enumerate(read.texts):
                if stopped():
                    break
                where = f"{prompts}: prompt {number}"
                count = _run(loaded, tokenizer, text, tokens, where)
                ids = routers.taken()
                if len(ids) != count:
                    raise InputError(f"{where}: {count} tokens, but {len(ids)} were routed")
                yield Block(ids, np.full(count, number))

    summary = write_trace([(Path(prompts), Tokens(blocks(), zeros_are_absent=False))], output)
    if sequences is not None and read.categories is not None:
        rows = [{"category": name} for name in read.categories]
        write_bytes(sequences, msgspec.json.encode(rows) + b"\n", _SEQUENCES_FILE)
    return summary


def _load(name: str) -> tuple[Any, Any]:
    """Model and tokenizer."""
    try:
        import torch
        import transformers
    except ImportError:
        raise InputError(
            "record: running models needs the extra: pip install 'expertcache[record]'"
        ) from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # What libraries raise about files and names is theirs: all of it is about the model here.
    with _said_of(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype="auto")
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def _run(model: Any, tokenizer: Any, text: str, tokens: int, where: str) -> int:
    """Run a prompt; returns how many tokens were computed."""
    import torch

    with _said_of(where), torch.inference_mode():
        given = tokenizer(text, return_tensors="pt").to(model.device)
        ids, mask = given["input_ids"], given["attention_mask"]
        if ids.shape[1] == 0:
            raise InputError("no tokens")
        if tokens == 0:
            model(input_ids=ids, attention_mask=mask)
            return int(ids.shape[1])
        made = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, num_beams=1
        )
        return int(made.shape[1]) - 1


@contextlib.contextmanager
def _said_of(what: str) -> Iterator[None]:
    """Turn whatever fails inside into one line about something; warnings are left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{what}: {first}") from None
