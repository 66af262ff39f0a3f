"""The command `import routing`: files of serving engines become a trace, or counts."""

from __future__ import annotations

from ..routing.import_routing import import_routing as from_engines
from .output import print_text


def import_routing(
    files: list[str],
    format: str | None,  # noqa: A002
    layers: int | None,
    top_k: int | None,
    output: str,
) -> int:
    """Turn files of serving engines into a trace or counts."""
    summary = from_engines(files, output, format=format, layers=layers, top_k=top_k)
    print_text(f"wrote {output}: {summary}")
    return 0
