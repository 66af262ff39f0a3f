"""Pages of the site that are made from the code: methods, commands, API."""

from __future__ import annotations

import contextlib
import enum
import importlib
import inspect
import io
import os
import pkgutil
from pathlib import Path

import expertcache
import pandas as pd
from expertcache.command_line.parser import COMMANDS, main
from expertcache.reports.figure import ratio_figure
from expertcache.solver import METHODS, find_method

#: Modules at the root that are no rooms.
_ROOT_MODULES = ("solver", "method", "guarantees", "structure", "watch", "events")

#: Methods in the figure of every method.
_BESIDE = ("greedy", "successive", "local-search")


def pages(root: Path) -> dict[str, str]:
    """All pages, by their names.

    Parameters
    ----------
    root : Path
        Of the repository, for the stored results.
    """
    measured = pd.read_csv(root / "benchmarks" / "results" / "methods.csv")
    return {**_method_pages(measured), "commands.md": _commands_page(), **_reference_pages()}


def _method_pages(measured: pd.DataFrame) -> dict[str, str]:
    found = {f"method/{name}.md": _method_page(name, measured) for name in METHODS}
    found |= {f"method/{name}.svg": _figure(name, measured) for name in measured["method"].unique()}
    rows = [f"| [](method/{name}.md) | {find_method(name).summary} |" for name in METHODS]
    found["method-list.md"] = "\n".join(
        [
            "# All methods",
            "",
            "Each with its theorem, its options and what was measured. [](algorithms.md) says",
            "how they work, [](guarantees.md) what is proven, [](methods.md) how to write",
            "another.",
            "",
            _table(["method", "what it does"], rows),
            "",
            _toctree([f"method/{name}" for name in METHODS], hidden=True),
        ]
    )
    return found


def _method_page(name: str, measured: pd.DataFrame) -> str:
    method = find_method(name)
    function = inspect.unwrap(method.run)
    lines = [f"# {name}", "", f"{method.summary[0].upper()}{method.summary[1:]}.", ""]
    lines += ["```text", _example(name), "```", ""]
    lines += ["## What it does, and what is proven", ""]
    lines += _directive("autofunction", f"{function.__module__}.{function.__qualname__}")
    if method.guarantee.__module__ != "expertcache.method":
        lines += ["For an instance at hand, `solve` prints what is proven in advance.", ""]
    options = _options(name)
    if options:
        rows = [f"| `{key}` | `{value}` |" for key, value in options.items()]
        lines += ["## Options", "", _table(["`--option`", "default"], rows), ""]
        if method.tuning() is not None:
            kind = type(method.tuning())
            link = f"{{py:obj}}`{kind.__module__}.{kind.__qualname__}`"
            lines += [f"{link} says what its parameters mean.", ""]
    rows = _measured_rows(measured[measured["method"] == name])
    if rows:
        lines += [
            "## Measured",
            "",
            "Saving as a share of the proved optimum, instances of the suites `tiny`, `small`",
            "and `k1`, at most 60 s each on a busy machine",
            "(`expertcache study benchmarks/studies/methods.toml`):",
            "",
            _table(["K", "instances", "mean", "smallest", "proved optimal"], rows),
            "",
            f"![Saving of {name} and others as a share of the optimum]({name}.svg)",
            "",
        ]
    return "\n".join(lines)


def _figure(name: str, measured: pd.DataFrame) -> str:
    """A point for each instance, above those of some methods to compare with."""
    names = list(dict.fromkeys([name, *_BESIDE]))
    rows = pd.concat([measured[measured["method"] == one] for one in names])
    drawn = io.StringIO()
    ratio_figure(rows).savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _example(name: str) -> str:
    verb = "solve" if find_method(name).places else "bound"
    return f"expertcache {verb} x.json --method {name}"


def _options(name: str) -> dict[str, object]:
    method = find_method(name)
    found = dict(method.option_defaults())
    if (tuning := method.tuning()) is not None:
        found |= {field: getattr(tuning, field) for field in tuning.__dataclass_fields__}
    return found


def _measured_rows(mine: pd.DataFrame) -> list[str]:
    rows = []
    for K, group in mine[mine["ratio"].notna()].groupby("top_k"):
        shares = group["ratio"]
        proved = int((group["status"] == "optimal").sum())
        rows.append(f"| {K} | {len(group)} | {shares.mean():.4f} | {shares.min():.4f} | {proved} |")
    return rows


def _commands_page() -> str:
    os.environ["COLUMNS"] = "100"
    lines = ["# Commands", "", "What `expertcache COMMAND --help` prints.", ""]
    for words, _, options, summary in COMMANDS:
        lines += [f"## {words}", ""]
        if options is None:
            lines += [f"`expertcache {words}`: {summary}.", ""]
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*words.split(), "--help"])
        lines += ["```text", printed.getvalue().rstrip(), "```", ""]
    return "\n".join(lines)


def _reference_pages() -> dict[str, str]:
    rooms = sorted(
        module.name
        for module in pkgutil.iter_modules(expertcache.__path__)
        if module.ispkg and module.name not in ("benchmarks", "docs", "tests")
    )
    found = {"reference/face.rst": _face_page(), "reference/root.rst": _root_page()}
    found |= {f"reference/{room}.rst": _room_page(room) for room in rooms}
    names = ["face", "root", *rooms]
    found["reference/index.rst"] = "\n".join(
        [
            *_title("API", "="),
            "What a program imports is on one page, :doc:`face`; behind it stand the rooms, whose "
            "imports run downwards only. They are for those who write methods and formats.",
            "",
            ".. toctree::",
            "   :maxdepth: 1",
            "",
            *[f"   {name}" for name in names],
            "",
        ]
    )
    return found


def _face_page() -> str:
    """Everything public, in the order of the rooms from below."""
    lines = [*_title("import expertcache as ec", "="), ""]
    lines += ["Everything that ``dir(expertcache)`` lists.", ""]
    groups: dict[str, list[str]] = {}
    for name in expertcache.__all__:
        groups.setdefault(_room_of(name), []).append(name)
    for room, names in sorted(groups.items(), key=lambda group: _HEADINGS.index(group[0])):
        lines += _title(_TITLES[room], "-")
        for name in names:
            lines += _entry(f"expertcache.{name}", getattr(expertcache, name))
    return "\n".join(lines)


#: Heading for the public names of each room, in the order of the page.
_TITLES = {
    "problem": "Instances, placements, solutions",
    "instances": "Where instances come from",
    "routing": "Recorded routing",
    "solver": "Solving and bounding",
    "formulations": "Exact models",
    "method": "Methods of your own",
    "studies": "Studies",
    "reports": "Tables and figures",
    "events": "Watching a run",
    "engines": "Serving engines",
    "version": "Version",
}
_HEADINGS = list(_TITLES)
_TOGETHER = {"guarantees": "method", "watch": "events"}


def _room_of(name: str) -> str:
    stub = Path(expertcache.__file__).with_suffix(".pyi").read_text()
    for line in stub.splitlines():
        if line.endswith(f" import {name} as {name}"):
            room = line.removeprefix("from .").split()[0].split(".")[0]
            return _TOGETHER.get(room, room)
    raise AssertionError(name)


def _root_page() -> str:
    lines = _title("solver, method, guarantees, structure, watch, events", "=")
    for name in _ROOT_MODULES:
        lines += [*_title(name, "-"), *_module(f"expertcache.{name}")]
    return "\n".join(lines)


def _room_page(room: str) -> str:
    package = importlib.import_module(f"expertcache.{room}")
    lines = [*_title(room, "="), f".. automodule:: expertcache.{room}", ""]
    for module in pkgutil.iter_modules(package.__path__):
        lines += [*_title(module.name, "-"), *_module(f"expertcache.{room}.{module.name}")]
    return "\n".join(lines)


def _module(name: str) -> list[str]:
    """Docstring and public members of a module; what is on the face has a link."""
    module = importlib.import_module(name)
    public = {id(getattr(expertcache, each)): each for each in expertcache.__all__}
    own = [
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and getattr(value, "__module__", None) == name
        and (inspect.isclass(value) or inspect.isfunction(value))
    ]
    shown = [key for key in own if id(getattr(module, key)) in public]
    lines = [f".. automodule:: {name}", ""]
    if shown:
        links = ", ".join(f":py:obj:`~expertcache.{public[id(getattr(module, k))]}`" for k in shown)
        lines += [f"On the face: {links}.", ""]
    for key in own:
        if key not in shown:
            lines += _entry(f"{name}.{key}", getattr(module, key))
    return lines


def _entry(name: str, value: object) -> list[str]:
    if inspect.isclass(value):
        members = ["   :members:"]
        if issubclass(value, enum.Enum):
            members.append("   :undoc-members:")
        return [f".. autoclass:: {name}", *members, ""]
    if callable(value):
        return [f".. autofunction:: {name}", ""]
    return [f".. autodata:: {name}", "   :no-value:", ""]


def _directive(kind: str, name: str) -> list[str]:
    return ["```{eval-rst}", f".. {kind}:: {name}", "   :no-index:", "```", ""]


def _title(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def _table(head: list[str], rows: list[str]) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows])


def _toctree(names: list[str], *, hidden: bool) -> str:
    options = [":hidden:"] if hidden else []
    return "\n".join(["```{toctree}", *options, "", *names, "```", ""])
