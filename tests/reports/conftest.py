"""A browser for the tests of pages."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EXECUTABLE = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium():
    """Chromium, driven by Playwright; skips where one of the two is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    if EXECUTABLE is None:
        pytest.skip("no Chromium here")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield browser
        browser.close()
