"""The page of a study: one self-contained HTML file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from ..problem.file_kind import FileKind
from ..problem.files import write_bytes
from .table import nothing_to_save

_PAGE_FILE = FileKind("page of a study", rb"<!DOCTYPE html>.*<title>expertcache")

#: In the order in which they run.
_SCRIPTS = (
    "vendor/d3.min.js", "vendor/plot.umd.min.js", "assets/data.js", "assets/charts.js",
    "assets/table.js", "assets/explore.js",
)  # fmt: skip

_SHOWN = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "saving_s",
    "bound_latency_s", "ratio", "gap", "guarantee", "seconds", "reference", "error", "servers",
    "users", "layers", "experts", "top_k", "requests",
)  # fmt: skip

_CAPTIONS = {
    "ratio": "Every cell's saving as a share of the largest; black: mean; coloured bars: what is "
    "proven in advance.",
    "sweep": "Latency and share of the largest saving; means over the seeds, and their range.",
    "placement-map": "{} with the best placement found: where servers and users are.",
    "placement-grid": "The same placement, server by server.",
}

#: What scripts show better: for pages without them.
_PLACEMENT = ("placement-map", "placement-grid")


def write_page(
    rows: pd.DataFrame,
    table: pd.DataFrame,
    folder: Path,
    settings: dict[str, Any],
    drawn: str,
    data: bytes,
    missing: int,
) -> None:
    """Write ``report.html`` beside the figures of a study.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    table : DataFrame
        The gap table.
    folder : Path
        Has the figures as SVG.
    settings : dict
        The study's settings and its ``command``.
    drawn : str
        Name of the instance whose placement is drawn.
    data : bytes
        What can be explored, see `page_data`.
    missing : int
        Cells that have not run yet.
    """
    shown = rows[[name for name in _SHOWN if name in rows]].dropna(axis=1, how="all")
    figures = {}
    for name, caption in _CAPTIONS.items():
        path = folder / f"{name}.svg"
        if path.exists():
            svg = path.read_text(encoding="utf-8")
            # Several drawings in one page must not share their ids.
            svg = svg[svg.index("<svg") :].replace('id="', f'id="{name}-')
            svg = svg.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
            text = escape(caption.format(drawn))
            figures[name] = (
                f'<figure id="figure-{name}"><div class="wide paper" tabindex="0" role="region" '
                f'aria-label="Figure: {name}">{svg}</div><figcaption>{text}</figcaption></figure>'
            )
    scripts = [_asset(name) for name in _SCRIPTS]
    seeds = ", ".join(map(str, settings["seeds"]))
    memory = f" and {settings['memory_mb']} MiB" if settings["memory_mb"] else ""
    idle = rows.loc[nothing_to_save(rows), "instance"].nunique()
    page = Template(_asset("assets/page.html")).substitute(
        policy=_policy(scripts),
        style=_asset("assets/page.css"),
        summary=escape(
            f"{len(settings['instances'])} instances"
            + (f" ({idle} with nothing to save: no ratios)" if idle else "")
            + f", {len(settings['methods'])} methods, seeds {seeds}; "
            f"{settings['time_limit_s']:g} s{memory} for each cell."
            + (f" {missing} cells are still missing." if missing else "")
        ),
        reference={
            "lp": "saving that the linear relaxation leaves open",
            "none": "saving that a method's own bound leaves open",
        }.get(
            settings["reference"],
            "optimal saving, or of what the bound leaves open where it is not proved",
        ),
        table=_table(table),
        figures="\n".join(svg for name, svg in figures.items() if name not in _PLACEMENT),
        pictures="\n".join(svg for name, svg in figures.items() if name in _PLACEMENT),
        rows=_table(shown),
        command=escape(settings["command"]),
        licences=escape(_asset("vendor/LICENSES.txt")),
        data=data.decode(),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )
    write_bytes(folder / "report.html", page.encode(), _PAGE_FILE)


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(scripts: list[str]) -> str:
    """What the page may load: nothing; and run: these scripts."""
    sums = (b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in sums)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _table(rows: pd.DataFrame) -> str:
    """HTML table with a class for columns of text."""
    heads, columns = [], []
    for name, values in rows.items():
        number = pd.api.types.is_numeric_dtype(values)
        kind = "" if number else ' class="text"'
        form = "{:.6f}" if pd.api.types.is_float_dtype(values) else "{}"
        # Counts are read as fractions where some are missing.
        if number and (values.dropna() % 1 == 0).all():
            form = "{:.0f}"
        heads.append(f'<th scope="col"{kind}>{escape(str(name))}</th>')
        shown = ("" if pd.isna(value) else escape(form.format(value)) for value in values)
        columns.append([f"<td{kind}>{text}</td>" for text in shown])
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    return (
        f'<table class="sortable"><thead><tr>{"".join(heads)}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table>"
    )
