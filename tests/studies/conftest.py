"""What the tests of running studies share."""

import time

import pytest
from expertcache.reports import drawing
from matplotlib.figure import Figure


def _wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("nothing happened for a minute")


@pytest.fixture(scope="session")
def wait_for():
    """Wait until a condition holds."""
    return _wait_for


@pytest.fixture(scope="session")
def cells_of():
    """Files of the finished cells of a study's folder."""
    return lambda folder: sorted((folder / "cells").glob("*.json"))


@pytest.fixture(scope="session")
def _empty_pictures():
    return {kind: drawing.drawn(Figure((1, 1)), kind) for kind in drawing.KINDS}


@pytest.fixture(autouse=True)
def _quick_pictures(request, monkeypatch, _empty_pictures):
    """Empty pictures, but with `real_pictures`: they take most of a small study's time."""
    if "real_pictures" not in request.fixturenames:
        monkeypatch.setattr(drawing, "drawn", lambda figure, kind: _empty_pictures[kind])


@pytest.fixture
def real_pictures():
    """Draw what a study draws."""
