"""What all figures share: colours, sizes of text, and saving equal data as equal files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..problem.errors import InputError
from ..problem.file_kind import FileKind
from ..problem.files import write_bytes

#: All say in their beginning who drew them: PNG and SVG by name, PDF by its line of four bytes.
PICTURE_FILE = FileKind(
    "picture by Matplotlib",
    rb"(\x89PNG|<\?xml).*Matplotlib|%PDF-1\.\d\n%\xac\xdc \xab\xba\n",
)

#: Kinds of files that a figure can become, and what keeps the date out of them.
KINDS: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "png": {},
    "pdf": {"CreationDate": None},
}

#: Okabe and Ito's palette, safe for the colour-blind; markers and dashes tell the same in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")

#: Dark is much; safe for the colour-blind and in print.
SHADES = "cividis_r"

#: Narrower figures, in inches, are for one column of a paper.
COLUMN_IN = 5.0


@contextlib.contextmanager
def style(width_in: float) -> Iterator[float]:
    """Size of the text while a figure of some width is drawn, in points: at its size in print."""
    size = 8.0 if width_in < COLUMN_IN else 10.0
    with mpl.rc_context({"font.size": size, "axes.titlesize": "medium"}):
        yield size


def line_style(number: int) -> dict[str, Any]:
    """Colour, marker and dashes of the line of a given number: all different up to 32."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[(number + number // len(COLOURS)) % len(DASHES)],
    }


def legend_columns(labels: Iterable[str], width_in: float, size: float) -> int:
    """Columns of a legend that fits above a figure; letters are about half as wide as high."""
    longest = max(map(len, labels), default=1)
    return max(1, int(72 * width_in / (size * (4 + 0.5 * longest))))


def save(figure: Figure, folder: Path, name: str, kinds: Iterable[str] = ("svg", "png")) -> None:
    """Write ``NAME.svg`` and ``NAME.png``, or other `KINDS`."""
    for kind in kinds:
        write_bytes(folder / f"{name}.{kind}", drawn(figure, kind), PICTURE_FILE)


def kind_of(path: str | Path, wanted: str | None = None) -> str:
    """Kind of a picture: as wanted, else by its name.

    Raises
    ------
    InputError
        If it is none of `KINDS`, or the name tells another one than what is wanted.
    """
    told = Path(path).suffix.lower().removeprefix(".")
    if wanted is not None and told in KINDS and told != wanted:
        raise InputError(f"{path}: not the name of a {wanted} file")
    kind = told if wanted is None else wanted
    if kind not in KINDS:
        raise InputError(f"{path}: a figure's name ends in {', '.join('.' + k for k in KINDS)}")
    return kind


def write_figure(figure: Figure, path: str | Path, kind: str | None = None) -> None:
    """Write a figure to a file, of the kind that is wanted or that its name tells.

    Raises
    ------
    InputError
        If there is no such kind, or the file cannot be written.
    """
    write_bytes(path, drawn(figure, kind_of(path, kind)), PICTURE_FILE)


def drawn(figure: Figure, kind: str) -> bytes:
    """File of a figure, of one of `KINDS`."""
    file = io.BytesIO()
    # Without date and with fixed ids, equal data gives equal files. Publishers take TrueType (42).
    fixed: Any = {"svg.hashsalt": "expertcache", "svg.fonttype": "path", "pdf.fonttype": 42}
    with mpl.rc_context(fixed):
        figure.savefig(file, format=kind, dpi=160, metadata=KINDS[kind])
    return file.getvalue()
