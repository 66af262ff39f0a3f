"""The package as it is installed, against the repository."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import expertcache
import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="needs the repository"
)


def declared():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]


def test_every_sub_package_is_declared():
    outside = {"tests", "build", "demo"}
    found = {
        ".".join(("expertcache", *path.parent.relative_to(ROOT).parts))
        for path in ROOT.rglob("__init__.py")
        if not any(part.startswith(".") or part in outside for part in path.relative_to(ROOT).parts)
    }
    assert set(declared()) == found


def run(command, folder):
    """Run a command, which must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return [name for name in run(words, ROOT).split("\0") if (ROOT / name).is_file()]


def test_distributions_hold_what_they_should(tracked, tmp_path):
    """The source has all that the tests need, and the wheel made of it the whole package."""
    # A copy, so that no build folder is left in the checkout.
    for name in tracked:
        target = tmp_path / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    run([sys.executable, "-c", code], tmp_path / "copy")
    (archive,) = tmp_path.glob("expertcache-*.tar.gz")
    with tarfile.open(archive) as tar:
        # Python 3.11.0 to 3.11.3 know no filters.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    missing = [name for name in tracked if not (source / name).exists()]
    assert not [name for name in missing if not name.startswith(".")]
    command = [
        sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation",
        "--quiet", "--wheel-dir", str(tmp_path / "wheel"),
    ]  # fmt: skip
    run(command, tmp_path)
    (wheel,) = (tmp_path / "wheel").glob("expertcache-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"expertcache/py.typed", "expertcache/instances/models.csv"} <= names
    for package in declared():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for module in folder.glob("*.py"):
            assert f"{package.replace('.', '/')}/{module.name}" in names
    outside = ("tests/", "docs/", "benchmarks/")
    assert not [name for name in names if name.removeprefix("expertcache/").startswith(outside)]


def test_the_version_is_the_same_everywhere():
    version = expertcache.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == version
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == (
        version
    )
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()
