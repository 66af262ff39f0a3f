"""How large the page of a study is, and how long a browser takes to open it.

    python benchmarks/page.py [FOLDER]

Runs a study of 504 cells (126 instances of Mixtral-8x7B with 4 layers, 4 servers and 20 users; four
quick methods) in the folder, by default a temporary one, writes its page again, and opens it in
Chromium, which must be installed, with Playwright (``expertcache[test]``). What opening takes, to
the last chart of the first cell, is the median of five: on the clock, and as processor time of the
page's process. "Another cell" is a choice in the page, on the clock.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import expertcache as ec
from expertcache.instances.recipe import Generated
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
METHODS = ("greedy", "successive", "popularity", "random")


def study() -> ec.Study:
    """504 cells."""
    scenario = {"models": ["mixtral-8x7b"], "layers": 4, "servers": 4, "users": 20}
    recipes = [Generated(f"seed {seed}", scenario, seed) for seed in range(126)]
    return ec.Study(tuple(recipes), METHODS, reference="none")


def opening(path: Path) -> list[float]:
    """Seconds to open the page, processor time of that, and seconds to show another cell."""
    executable = next(filter(None, map(shutil.which, NAMES)))
    runs = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable")
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.locator("#run svg").wait_for()
            opened = time.perf_counter() - began
            metrics = devtools.send("Performance.getMetrics")["metrics"]
            (processor,) = (m["value"] for m in metrics if m["name"] == "ProcessTime")
            took = """() => {
              const select = document.getElementById("instance");
              select.selectedIndex = 60;
              const began = performance.now();
              select.dispatchEvent(new Event("change"));
              document.body.getBoundingClientRect();
              return performance.now() - began;
            }"""
            runs.append((opened, processor, page.evaluate(took) / 1000))
            page.close()
        browser.close()
    return [median(values) for values in zip(*runs, strict=True)]


def main(folder: Path) -> None:
    """Measure and print."""
    study().run(folder, jobs=2)
    began = time.process_time()
    report = study().run(folder)
    made = time.process_time() - began
    path = folder / "report.html"
    opened, processor, chosen = opening(path)
    print(f"{len(report.rows)} cells, {path.stat().st_size / 1e6:.2f} MB")
    print(f"read the folder, draw and write everything: {made:.1f} s of processor time")
    print(f"opened in {opened:.2f} s, {processor:.2f} s of processor time")
    print(f"another cell in {chosen:.2f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
