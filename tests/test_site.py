"""What `make docs` puts together; the build itself is not part of the tests."""

import importlib
from pathlib import Path

import expertcache
import pytest
from expertcache.command_line.parser import COMMANDS
from expertcache.solver import METHODS

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"

pytestmark = pytest.mark.skipif(not SITE.exists(), reason="needs the repository")


@pytest.fixture
def module(monkeypatch):
    """Import a file of docs/site."""
    monkeypatch.syspath_prepend(SITE)
    for name in ("build", "generated"):
        monkeypatch.delitem(importlib.sys.modules, name, raising=False)
    return importlib.import_module


def test_everything_public_has_its_page(module):
    pages = module("generated").pages(ROOT)
    for name in METHODS:
        page = pages[f"method/{name}.md"]
        assert "autofunction" in page
        assert f"--method {name}" in page
    for name in expertcache.__all__:
        assert f":: expertcache.{name}\n" in pages["reference/face.rst"]
    for words, *_ in COMMANDS:
        assert f"## {words}\n" in pages["commands.md"]
    rooms = [path.parent.name for path in Path(expertcache.__file__).parent.glob("*/__init__.py")]
    assert {f"reference/{room}.rst" for room in rooms} <= pages.keys()


@pytest.mark.parametrize(
    ("page", "text", "on_site"),
    [
        ("docs/a.md", "[model.md](model.md#latency)", "[](model.md#latency)"),
        ("docs/a.md", "[the proof](guarantees.md)", "[the proof](guarantees.md)"),
        ("docs/a.md", "[README](../README.md)", "[README](index.md)"),
        ("docs/a.md", "[tests/x.py](../tests/x.py)", "`tests/x.py`"),
        ("docs/a.md", "[sums](../instances/records.csv)", "sums"),
        ("CHANGELOG.md", "[docs/formats.md](docs/formats.md)", "[](formats.md)"),
        ("docs/a.md", "`[x](model.md)` <https://x.org> ![](a.png)", None),
        ("docs/a.md", "```text\n[x.md](x.md)\n```\n", None),
    ],
)
def test_links_lead_to_pages_of_the_site(page, text, on_site, module):
    assert module("build").site_links(text, Path(page)) == (text if on_site is None else on_site)
