"""Each room's docstring is its map."""

import re
from importlib import import_module
from pathlib import Path

import expertcache
import pytest

ROOT = Path(expertcache.__file__).parent
ROOMS = sorted(
    path.parent.name
    for path in ROOT.glob("*/__init__.py")
    if path.parent.name not in ("tests", "benchmarks")
)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_its_files(room):
    text = import_module(f"expertcache.{room}").__doc__
    files = {path.stem for path in (ROOT / room).glob("*.py")} - {"__init__"}
    assert files <= set(re.findall(r"`(\w+)`", text))
