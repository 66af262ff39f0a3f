"""What the tests of running studies share."""

import time

import pytest


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


@pytest.fixture(autouse=True)
def _quick_pictures(request):
    if "real_pictures" not in request.fixturenames:
        request.getfixturevalue("empty_pictures")


@pytest.fixture
def real_pictures():
    """Draw what a study draws."""
