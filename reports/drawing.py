"""What all figures share: colours, and saving equal data as equal files."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from ..problem.file_kind import FileKind
from ..problem.files import write_bytes

#: Both say in their first lines who drew them.
_PICTURE_FILE = FileKind("picture by Matplotlib", rb"(\x89PNG|<\?xml).*Matplotlib")

#: Okabe and Ito's palette, safe for the colour-blind; markers tell the same as colours.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write ``NAME.svg`` and ``NAME.png``."""
    for kind in ("svg", "png"):
        write_bytes(folder / f"{name}.{kind}", drawn(figure, kind), _PICTURE_FILE)


def drawn(figure: Figure, kind: str) -> bytes:
    """File of a figure, ``svg`` or ``png``."""
    file = io.BytesIO()
    # Without date and with fixed ids, equal data gives equal files.
    with mpl.rc_context({"svg.hashsalt": "expertcache", "svg.fonttype": "path"}):
        figure.savefig(file, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {})
    return file.getvalue()
