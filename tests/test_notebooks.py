"""The notebooks in docs/examples run, and are stored without what they print."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "examples").glob("*.ipynb"))

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="needs the repository")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    for cell in json.loads(path.read_text())["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    for name in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(name, reason=f"needs {name} of expertcache[test]")
    import nbclient
    import nbformat

    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    work = tmp_path / "work"
    work.mkdir()
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=str(work))
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if path.stem == "researcher":
        assert (work / "gaps.pdf").read_bytes().startswith(b"%PDF")
        assert r"\begin{tabular}" in (work / "gaps.tex").read_text()
        pictures = [output for output in shown if "text/html" in output.get("data", {})]
        assert sum("<svg" in output["data"]["text/html"] for output in pictures) == 2
