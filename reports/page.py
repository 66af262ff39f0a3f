"""The page of a study: one self-contained HTML file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from ..instances.storage import write_bytes

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>expertcache study</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }}
pre, .wide {{ overflow-x: auto; }}
pre {{ background: #f5f5f5; padding: .8rem; }}
svg {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; }}
th, td {{ padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd;
  white-space: nowrap; }}
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) {{ text-align: left; }}
</style>
</head>
<body>
<h1>Gap study</h1>
<p>{summary}</p>
<pre>{table}</pre>
<figure>{figure}</figure>
<h2>Every cell</h2>
<div class="wide">{rows}</div>
<h2>Run it again</h2>
<pre>{command}</pre>
</body>
</html>
"""

_SHOWN = (
    "instance", "method", "seed", "status", "stopped_by", "latency_s", "saving_s", "ratio", "gap",
    "seconds", "reference", "error",
)  # fmt: skip


def write_page(rows: pd.DataFrame, table: str, folder: Path, settings: dict[str, Any]) -> None:
    """Write ``report.html`` beside the figure of a study.

    Parameters
    ----------
    rows : DataFrame
        As in ``results.csv``.
    table : str
        The gap table.
    folder : Path
        Has ``ratio.svg`` already.
    settings : dict
        The study's settings.
    """
    svg = (folder / "ratio.svg").read_text(encoding="utf-8")
    shown = rows[list(_SHOWN)].dropna(axis=1, how="all").round({"gap": 9, "seconds": 6})
    methods, seeds = settings["methods"], settings["seeds"]
    page = _PAGE.format(
        summary=escape(
            f"Instances: {len(settings['instances'])}. Methods: {len(methods)}. "
            f"Seeds: {', '.join(map(str, seeds))}. "
            f"Time limit: {settings['time_limit_s']:g} s for each cell."
        ),
        table=escape(table),
        figure=svg[svg.index("<svg") :],
        rows=shown.to_html(index=False, border=0, na_rep="", float_format="{:.6g}".format),
        command=escape(settings["command"]),
    )
    write_bytes(folder / "report.html", page.encode())
