"""The page of a study: one self-contained HTML file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from ..problem.file_kind import FileKind
from ..problem.files import write_bytes
from .table import nothing_to_save

_PAGE_FILE = FileKind("page of a study", rb"<!DOCTYPE html>.*<title>expertcache")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>expertcache study</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 1rem auto;
  padding: 0 1rem; }}
h1, h2 {{ line-height: 1.2; }}
.wide {{ overflow-x: auto; }}
pre {{ background: #f5f5f5; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
figure {{ margin: 1.5rem 0; }}
figcaption {{ font-size: .9rem; color: #555; }}
svg {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .5rem; text-align: right; border-bottom: 1px solid #ddd;
  white-space: nowrap; }}
th {{ background: #f5f5f5; }}
td.text, th.text {{ text-align: left; }}
th button {{ all: unset; cursor: pointer; font-weight: bold; }}
th button:focus-visible {{ outline: 2px solid #0072B2; }}
th[aria-sort="ascending"] button::after {{ content: " \\2191"; }}
th[aria-sort="descending"] button::after {{ content: " \\2193"; }}
@media print {{
  body {{ font-size: 10pt; max-width: none; margin: 0; }}
  .wide {{ overflow: visible; }}
  table {{ font-size: 6.5pt; }}
  th, td {{ padding: .1rem .25rem; }}
  figure, tr {{ break-inside: avoid; }}
}}
</style>
</head>
<body>
<h1>Gap study</h1>
<p>{summary}</p>
<h2>Methods</h2>
<p>Ratios are shares of the {reference}; "sd" is their standard deviation over the cells, "proven"
the smallest ratio that a theorem promises in advance, with the assumptions that hold here. Gaps are
those of the latency.</p>
<div class="wide">{table}</div>
{figures}
<h2>Every cell</h2>
<p>A click on a heading sorts.</p>
<div class="wide">{rows}</div>
<h2>Run it again</h2>
<pre>{command}</pre>
<p>Seeds, limits and how each instance is made stand in <code>study.json</code>, every number of
this page in <code>results.csv</code>.</p>
<script>
document.querySelectorAll("table.sortable").forEach(table => {{
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {{
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {{
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[column].textContent;
      const compare = (a, b) => {{
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      }};
      const body = table.tBodies[0];
      [...body.rows].sort(compare).forEach(row => body.append(row));
    }});
  }});
}});
</script>
</body>
</html>
"""

_SHOWN = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "saving_s", "ratio", "gap",
    "guarantee", "seconds", "reference", "error", "servers", "users", "layers", "experts", "top_k",
    "requests",
)  # fmt: skip

_CAPTIONS = {
    "ratio": "Every cell's saving as a share of the largest; black: mean; coloured bars: what is "
    "proven in advance.",
    "sweep": "Latency and share of the largest saving; means over the seeds, and their range.",
    "placement-map": "{} with the best placement found: where servers and users are.",
    "placement-grid": "The same placement, server by server.",
}


def write_page(
    rows: pd.DataFrame,
    table: pd.DataFrame,
    folder: Path,
    settings: dict[str, Any],
    drawn: str,
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
    missing : int
        Cells that have not run yet.
    """
    shown = rows[[name for name in _SHOWN if name in rows]].dropna(axis=1, how="all")
    figures = []
    for name, caption in _CAPTIONS.items():
        path = folder / f"{name}.svg"
        if path.exists():
            svg = path.read_text(encoding="utf-8")
            # Several drawings in one page must not share their ids.
            svg = svg[svg.index("<svg") :].replace('id="', f'id="{name}-')
            svg = svg.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
            text = escape(caption.format(drawn))
            figures.append(
                f'<figure id="figure-{name}">{svg}<figcaption>{text}</figcaption></figure>'
            )
    seeds = ", ".join(map(str, settings["seeds"]))
    memory = f" and {settings['memory_mb']} MiB" if settings["memory_mb"] else ""
    idle = rows.loc[nothing_to_save(rows), "instance"].nunique()
    page = _PAGE.format(
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
        figures="\n".join(figures),
        rows=_table(shown),
        command=escape(settings["command"]),
    )
    write_bytes(folder / "report.html", page.encode(), _PAGE_FILE)


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
