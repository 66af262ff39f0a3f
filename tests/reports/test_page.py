"""The page of a study, in a browser."""

import re
from urllib.parse import urlencode

import pytest
from expertcache.instances.suites import SUITES
from expertcache.problem.instance_file import write_instance
from expertcache.studies.study import Study
from expertcache.studies.study_file import study_of_words

#: Ends a script element, a table's cell and a JSON text, if anything does.
HOSTILE = "</script><img src=x onerror=alert(1)>&amp;\"'\\ <!--<script> ü 漢"

METHODS = ("milp", "pipage", "random")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    Study(SUITES["tiny"].recipes[:3], METHODS, (0, 1), command="study <me> & all").run(folder)
    return folder / "report.html"


@pytest.fixture
def opened(chromium):
    """Open a page; no message on its console, no request but for itself, no error in a script."""
    contexts, complaints = [], []

    def open_page(path, width=1200, scheme="light", address="", **more):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **more
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on(
            "request",
            lambda request: request.url.startswith(path.as_uri()) or complaints.append(request.url),
        )
        tab.goto(path.as_uri() + address)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def column(tab, name):
    """Texts of a column of the cells that are seen."""
    return tab.evaluate(
        """name => {
          const table = document.querySelector("#rows-frame table");
          const place = [...table.tHead.rows[0].cells].findIndex(h => h.textContent === name);
          return [...table.tBodies[0].rows].filter(row => !row.hidden)
            .map(row => row.cells[place].textContent);
        }""",
        name,
    )


def shown(tab):
    """What the page says that it shows."""
    return tab.locator("#told").inner_text()


def test_everything_is_in_one_file(page):
    text = page.read_text()
    for name in ("ratio", "placement-map", "placement-grid"):
        assert f'<figure id="figure-{name}">' in text
    assert text.count('<table class="sortable">') == 2
    assert "study &lt;me&gt; &amp; all" in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    for attribute in ("src=", "@import", "<link"):
        assert attribute not in markup
    outside = re.findall(r'(?:href|url\()\s*=?\s*"?(https?:[^"\s)]+)', markup)
    assert outside == []
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', markup):
        assert (target[0] or target[1]) in ids
    # The libraries' licences, where the libraries are.
    for name in ("d3 7", "@observablehq/plot 0.6"):
        assert name in markup


def test_the_same_study_gives_the_same_page(page, tmp_path):
    """But for the times: here the same results are written again."""
    before = page.read_bytes()
    Study(SUITES["tiny"].recipes[:3], METHODS, (0, 1), command="study <me> & all").run(page.parent)
    assert page.read_bytes() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_shows_the_first_cell(page, opened, width, scheme):
    tab = opened(page, width, scheme)
    assert shown(tab) == "tiny-k1 by milp, seed 0"
    for name in ("map", "nodes", "held", "layers", "users", "run"):
        assert tab.locator(f"#{name} svg").first.is_visible()
        assert tab.locator(f"#{name} figcaption").inner_text()
    assert "optimal, stopped by proof" in tab.locator("#facts").inner_text()
    # Nothing but the tables' and the figures' own frames scrolls sideways.
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(
        "[...document.querySelectorAll('#charts svg')].every(svg =>"
        " svg.getBoundingClientRect().right <= window.innerWidth + 1)"
    )
    assert contrast(tab) >= 4.5


def contrast(tab):
    """Smallest contrast of the page's colours of text against those below them (WCAG 2)."""
    colours = tab.evaluate(
        """() => ["body", "figcaption", "td a", "tr[aria-current] a", "th", "#choice select", "pre"]
          .map(name => document.querySelector(name)).map(element => {
            const canvas = document.createElement("canvas");
            const probe = canvas.getContext("2d", {willReadFrequently: true});
            const of = colour => {
              probe.fillStyle = colour;
              probe.fillRect(0, 0, 1, 1);
              return [...probe.getImageData(0, 0, 1, 1).data];
            };
            let below = element;
            while (getComputedStyle(below).backgroundColor === "rgba(0, 0, 0, 0)")
              below = below.parentElement;
            const style = getComputedStyle(element);
            return [of(style.color), of(getComputedStyle(below).backgroundColor)];
          })"""
    )

    def luminance(colour):
        linear = [
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in (part / 255 for part in colour[:3])
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def ratio(pair):
        low, high = sorted(map(luminance, pair))
        return (high + 0.05) / (low + 0.05)

    return min(map(ratio, colours))


def test_choosing(page, opened):
    tab = opened(page)
    tab.select_option("#instance", "tiny-k2")
    assert shown(tab) == "tiny-k2 by milp, seed 0"
    tab.select_option("#method", "random")
    tab.select_option("#seed", "1")
    assert shown(tab) == "tiny-k2 by random, seed 1"
    tab.select_option("#server", "1")
    assert "What server 1" in tab.locator("#held figcaption").inner_text()
    assert "Storage of server 1" in tab.locator("#facts").inner_text()
    tab.select_option("#user", "2")
    assert "Latency of user 2" in tab.locator("#facts").inner_text()
    # The same state by its link, in another tab and in this one.
    state = tab.evaluate("location.hash")
    again = opened(page, address=state)
    assert shown(again) == shown(tab)
    assert again.locator("#user").input_value() == "2"
    # A method that has failed for this instance.
    tab.select_option("#method", "pipage")
    assert "pipage takes K = 1" in shown(tab) or "failed" in shown(tab)
    assert not tab.locator("#map").is_visible()
    # An address that leads nowhere.
    nowhere = "#" + urlencode({"instance": "x", "server": "99", "user": "-1", "sort": "y"})
    assert shown(opened(page, address=nowhere)) == "tiny-k1 by milp, seed 0"


def test_a_click_on_the_map(page, opened):
    tab = opened(page)
    square = tab.locator("#map svg g[font-weight=bold] text").first
    square.scroll_into_view_if_needed()
    box = square.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.up()
    assert tab.locator("#server").input_value() == "0"
    assert "server=0" in tab.evaluate("location.hash")


def test_sorting(page, opened):
    tab = opened(page)
    head = tab.locator("#rows-frame th button", has_text=re.compile("^latency_s$"))
    for way in ("ascending", "descending"):
        head.click()
        assert tab.locator(f"#rows-frame th[aria-sort={way}]").count() == 1
        values = [float(text) for text in column(tab, "latency_s") if text]
        assert values == sorted(values, reverse=way == "descending")
        assert len(values) == 3 * 6 - 2
    again = opened(page, address=tab.evaluate("location.hash"))
    assert column(again, "latency_s") == column(tab, "latency_s")


def test_filtering(page, opened):
    tab = opened(page)
    tab.fill("#words", "random ratio<0.99 seed=1")
    assert set(column(tab, "method")) == {"random"}
    assert all(float(ratio) < 0.99 for ratio in column(tab, "ratio"))
    assert f"{len(column(tab, 'seed'))} of" in tab.locator("#count").inner_text()
    again = opened(page, address=tab.evaluate("location.hash"))
    assert column(again, "ratio") == column(tab, "ratio")
    tab.fill("#words", "nothing has this")
    assert column(tab, "method") == []
    assert tab.locator("#count").inner_text().startswith("0 of")
    tab.fill("#words", "")
    assert len(column(tab, "method")) == 3 * 6


def test_by_keyboard(page, opened):
    tab = opened(page)
    tab.focus("#words")
    stops = 0
    while not tab.evaluate("document.activeElement.matches('tbody a')"):
        tab.keyboard.press("Tab")
        stops += 1
        assert stops < 40
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    focus = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.evaluate(focus) == "solid"
    tab.keyboard.press("Enter")
    assert shown(tab).startswith("tiny-k1 by pipage")
    assert tab.locator("tr[aria-current]").count() == 1
    tab.keyboard.press("End")
    tab.keyboard.press("Enter")
    assert shown(tab) == "tiny-k2 by random, seed 1"
    tab.focus("#method")
    tab.keyboard.press("ArrowUp")
    assert not shown(tab).startswith("tiny-k2 by random")


def test_without_scripts(page, opened):
    tab = opened(page, java_script_enabled=False)
    assert not tab.locator("#explore").is_visible()
    for name in ("ratio", "placement-map", "placement-grid"):
        assert tab.locator(f"#figure-{name} svg").is_visible()
    assert tab.locator("table").first.is_visible()


def test_names_that_would_be_markup(tmp_path, opened):
    instance = SUITES["tiny"].recipes[2].make()
    instance = instance.replace(
        name=HOSTILE,
        server_names=(HOSTILE,) * instance.servers,
        user_names=(HOSTILE,) * instance.users,
    )
    write_instance(instance, tmp_path / "x.json")
    words = {"instances": [str(tmp_path / "x.json")], "methods": ["greedy"], "reference": "none"}
    study_of_words(words, ["study", HOSTILE]).run(tmp_path / "study")
    tab = opened(tmp_path / "study" / "report.html")
    assert shown(tab) == f"{HOSTILE} by greedy"
    assert tab.locator("#server option").nth(1).inner_text() == f"0: {HOSTILE}"
    assert tab.locator("img").count() == 0
    assert column(tab, "instance") == [HOSTILE]


def test_a_study_without_any_placement(tmp_path, opened):
    Study(SUITES["tiny"].recipes[2:3], ("pipage",), reference="none").run(tmp_path)
    tab = opened(tmp_path / "report.html")
    assert "failed" in shown(tab)
    assert tab.locator("#charts figure:visible").count() == 0
