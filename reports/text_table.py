"""A table of text for a terminal, a paper or a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pandas as pd

Format = Literal["text", "latex", "markdown", "csv"]

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}  # fmt: skip


def text_table(table: pd.DataFrame, title: str = "") -> str:
    """Columns for a terminal; the first one stands on the left.

    Parameters
    ----------
    table : DataFrame
        Text; columns are pairs of a group, perhaps empty, and a name.
    title : str
        A line above.
    """
    first = table.columns[0]
    # pandas aligns to the right only; names read better on the left.
    width = int(table[first].str.len().max()) if len(table) else 0
    aligned = table.copy()
    aligned[first] = table[first].str.ljust(width)
    if not any(group for group, _ in _heads(table)):
        aligned.columns = pd.Index([name for _, name in _heads(table)])
    lines = aligned.to_string(index=False).splitlines()
    return "\n".join([title] * bool(title) + [line.rstrip() for line in lines])


def latex_table(table: pd.DataFrame, title: str = "") -> str:
    """``tabular`` with the rules of the package booktabs; the title is a comment.

    Parameters
    ----------
    table, title
        See `text_table`.
    """
    groups = _groups(table)
    count = len(table.columns)
    lines = [f"% {title}"] if title else []
    lines += [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (count - 1)}}}",
        r"\toprule",
    ]
    if any(name for name, _, _ in groups):
        heads = [
            rf"\multicolumn{{{last - first + 1}}}{{c}}{{{_latex(name)}}}" if name else
            " & ".join([""] * (last - first + 1))
            for name, first, last in groups
        ]  # fmt: skip
        lines.append(" & ".join(heads) + r" \\")
        lines.append(
            " ".join(rf"\cmidrule(lr){{{a + 1}-{b + 1}}}" for name, a, b in groups if name)
        )
    lines += [_line([name for _, name in _heads(table)]), r"\midrule"]
    lines += [_line(row) for row in table.itertuples(index=False, name=None)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def markdown_table(table: pd.DataFrame, title: str = "") -> str:
    """Table of GitHub's Markdown; the title is a paragraph above it.

    Parameters
    ----------
    table, title
        See `text_table`.
    """
    heads = [f"{group} {name}".strip() for group, name in _heads(table)]
    rules = ["---", *["---:"] * (len(heads) - 1)]
    rows = [heads, rules, *table.itertuples(index=False, name=None)]
    lines = ["| " + " | ".join(str(v).replace("|", r"\|") for v in row) + " |" for row in rows]
    return "\n".join([title, ""] * bool(title) + lines)


#: What writes a table, but for CSV, which has the numbers and no text.
WRITERS: dict[Format, Callable[[pd.DataFrame, str], str]] = {
    "text": text_table,
    "latex": latex_table,
    "markdown": markdown_table,
}


def _heads(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Group and name of each column."""
    columns: Any = table.columns
    return [(str(group), str(name)) for group, name in columns]


def _groups(table: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Name, first and last column of each run of columns of the same group."""
    found: list[tuple[str, int, int]] = []
    for place, (group, _) in enumerate(_heads(table)):
        if found and found[-1][0] == group:
            found[-1] = (group, found[-1][1], place)
        else:
            found.append((group, place, place))
    return found


def _line(cells: Iterable[object]) -> str:
    return " & ".join(_latex(str(cell)) for cell in cells) + r" \\"


def _latex(text: str) -> str:
    if group := re.fullmatch(r"K(>?)=(\d+)", text):
        relation = r"\ge" if group[1] else "="
        return f"$K {relation} {group[2]}$"
    escaped = "".join(_LATEX.get(sign, sign) for sign in text)
    # A minus is longer than a hyphen.
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)
