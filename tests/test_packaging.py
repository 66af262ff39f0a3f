"""The package as it is installed, against the repository."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

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


def test_wheel_holds_the_whole_package(tmp_path):
    # A copy, so that no build folder is left in the checkout.
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("needs git and a checkout")
    for name in filter(None, tracked.stdout.split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation",
        "--quiet", "--wheel-dir", str(tmp_path / "wheel"),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (wheel,) = (tmp_path / "wheel").glob("expertcache-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"expertcache/py.typed", "expertcache/instances/models.csv"} <= names
    for package in declared():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for module in folder.glob("*.py"):
            assert f"{package.replace('.', '/')}/{module.name}" in names
    assert not [name for name in names if "/tests/" in name]
