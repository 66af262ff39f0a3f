"""The page of a study, in a browser."""

import re
import shutil
import subprocess

import pytest
from expertcache.instances.suites import SUITES
from expertcache.studies.study import Study

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")

#: Clicks on the heading "latency_s" of the last table, and leaves what it sees.
CLICKS = """<script>
window.addEventListener("load", () => {
  const table = [...document.querySelectorAll("table.sortable")].at(-1);
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex(head => head.textContent === "latency_s");
  const order = () => [...table.tBodies[0].rows].map(row => row.cells[column].textContent);
  const seen = [];
  for (let click = 0; click < 2; click++) {
    heads[column].querySelector("button").click();
    seen.push(heads[column].getAttribute("aria-sort") + ":" + order().join(","));
  }
  const wide = [...document.querySelectorAll("svg")].filter(
    svg => svg.getBoundingClientRect().width > window.innerWidth
  );
  seen.push("body:" + document.documentElement.scrollWidth + "/" + window.innerWidth);
  seen.push("wide:" + wide.length);
  document.body.setAttribute("data-seen", seen.join(";"));
});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    methods = ("milp", "pipage", "random")
    Study(SUITES["tiny"].recipes[:3], methods, command="study <me> & all").run(folder)
    return folder / "report.html"


def test_everything_is_in_one_file(page):
    text = page.read_text()
    for name in ("ratio", "placement-map", "placement-grid"):
        assert f'<figure id="figure-{name}"><svg' in text
    assert text.count('<table class="sortable">') == 2
    assert "study &lt;me&gt; &amp; all" in text
    for attribute in ("src=", "@import", "<link"):
        assert attribute not in text
    outside = re.findall(r'(?:href|url\()\s*=?\s*"?(https?:[^"\s)]+)', text)
    assert outside == []
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text):
        assert (target[0] or target[1]) in ids


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser(page, tmp_path, width):
    copy = tmp_path / "page.html"
    copy.write_text(page.read_text().replace("</body>", CLICKS + "</body>"))
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}", f"--window-size={width},900",
            "--virtual-time-budget=4000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    seen = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert seen, done.stderr[-2000:]
    up, down, body, wide = seen[1].split(";")
    values = [float(value) for value in up.removeprefix("ascending:").split(",") if value]
    assert values == sorted(values)
    assert len(values) == 3 * 2 + 2
    values = [float(value) for value in down.removeprefix("descending:").split(",") if value]
    assert values == sorted(values, reverse=True)
    # Nothing but the tables' own frames scrolls sideways.
    shown, window = map(int, body.removeprefix("body:").split("/"))
    assert shown <= window
    assert wide == "wide:0"
