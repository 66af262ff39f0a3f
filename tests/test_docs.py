"""What README, docs/ and docstrings say: blocks run, tables are as measured, names exist."""

import ast
import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.suites import SUITES
from expertcache.solver import METHODS
from expertcache.studies.study_file import read_study

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md"), reverse=True), *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.skipif(not PAGES, reason="needs the repository")


def blocks(page):
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text())]


def small_recordings(folder):
    """Files with the names and the form of the recorded ones, but small."""
    rng = np.random.default_rng(0)
    tokens, sequences = 400, 40
    ids = rng.random((tokens, 24, 32)).argsort(axis=2)[:, :, :4].astype(np.uint8)
    sequence = np.sort(rng.integers(0, sequences, tokens)).astype(np.int32)
    np.savez(folder / "gpt_oss_20b_topk.npz", expert_ids=ids, sequence=sequence)
    rows = [{"category": f"c{number % 5}"} for number in range(sequences)]
    (folder / "sequences.json").write_text(json.dumps(rows))
    for name, count in (("site-optus-melbCBD", 12), ("users-melbcbd-generated", 60)):
        lines = ["LATITUDE,LONGITUDE"]
        lines += [
            f"{-37.81 + 0.005 * y:.6f},{144.96 + 0.006 * x:.6f}" for x, y in rng.random((count, 2))
        ]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    if page.name != "pictures.md":
        request.getfixturevalue("empty_pictures")
    small_recordings(tmp_path)
    examples = page.parent / "examples" / page.stem
    if examples.exists():
        shutil.copytree(examples, tmp_path, dirs_exist_ok=True)
    for kind, text in blocks(page):
        if kind == "python":
            exec(compile(text, page.name, "exec"), {"__name__": "__main__"})
        elif kind == "toml":
            name = text.splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
        elif kind == "console":
            for line in text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    assert words[0] == "expertcache", line
                    # What is shown for a minute need not run for a minute.
                    if "--time-limit" in words:
                        words[words.index("--time-limit") + 1] = "2"
                    assert main(words[1:]) == 0, (line, capsys.readouterr().err)
        else:
            assert kind == "text", f"{page.name}: a block of an unknown kind {kind!r}"


def test_the_operators_log_is_what_its_script_makes():
    folder = ROOT / "docs" / "examples" / "operator"
    lines = runpy.run_path(str(folder / "make_log.py"))["lines"]()
    assert "".join(f"{line}\n" for line in lines) == (folder / "log.jsonl").read_text()


def test_the_operators_tables_are_what_is_printed(tmp_path, capsys):
    folder = ROOT / "docs" / "examples" / "operator"
    words = ["import", "network", str(folder / "network.toml")]
    assert main([*words, "--output", str(tmp_path / "x.json")]) == 0
    tables = capsys.readouterr().out.partition("\n\n")[2]
    assert tables.rstrip() in (ROOT / "docs" / "operator.md").read_text()


def test_links_lead_somewhere():
    for page in PAGES:
        text = re.sub(r"`[^`]*`", "", BLOCK.sub("", page.read_text()))
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), (page.name, target)


def test_tests_that_are_named_exist():
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    known = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"`(test_\w+)`", BLOCK.sub("", page.read_text()))
        assert set(named) <= known, (page.name, set(named) - known)


def test_tables_come_from_stored_results():
    for page, tables in runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))["TABLES"].items():
        for table in tables:
            assert table() in (ROOT / page).read_text(), (page, table.__name__)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks" / "studies").glob("*.toml")), ids=lambda path: path.stem
)
def test_studies_can_be_read(path, tmp_path):
    # trace.toml needs its recordings beside it.
    (tmp_path / path.name).write_text(path.read_text())
    small_recordings(tmp_path)
    assert read_study(tmp_path / path.name).recipes


def test_names_in_docstrings_exist():
    # `import` is a command, and no name in Python.
    known, quoted = {"expertcache", "import", *METHODS, *SUITES}, []
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in ("benchmarks", "build", "tests") or parts[0].startswith("."):
            continue
        known.update(parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                words = re.findall(r"(?<!`)`([\w.-]+)`(?!`)", ast.get_docstring(node) or "")
                quoted += [(path.name, word) for word in words]
            # What is defined: functions and classes, arguments, variables, attributes.
            if not isinstance(getattr(node, "ctx", None), ast.Load):
                known.update(getattr(node, field, None) for field in ("name", "arg", "id", "attr"))
    assert len(quoted) > 100
    assert not [
        (name, word)
        for name, word in quoted
        if word not in known and not set(word.split(".")) <= known
    ]
