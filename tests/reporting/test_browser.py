"""Tests of reports in a browser: no external requests, no overflow, no serious axe-core violations.

Skipped without Chromium or Playwright; `make test-browser` installs both if possible.
"""

import os
import shutil
from importlib.util import find_spec

import pytest

import tfkit

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WIDTHS = (360, 768, 1440)
SAMPLES = {
    "tabular": {"epochs": 2, "architecture": "mlp"},
    "regression": {
        "epochs": 1,
        "architecture": "mlp",
        "data": str(tfkit.sample_path("diamonds.csv.gz")),
        "target": "price",
    },
    "image": {"epochs": 2},
    "text": {"epochs": 1, "architecture": "none", "refit": False},
    "series": {"epochs": 2},
    "forecast": {"epochs": 2},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: make test-browser"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="needs Playwright: make test-browser"),
    pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="needs axe-core: make test-browser"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=[*SAMPLES, "compare", "names"])
def report_path(request, tmp_path_factory):
    """Path of the report of a recipe, of names that must be escaped, or of the comparison of two runs."""
    folder = tmp_path_factory.mktemp("pages")
    if request.param == "names":
        return request.getfixturevalue("runs")[0].path("report.html")
    if request.param == "compare":
        return tfkit.compare(*request.getfixturevalue("runs"), out=folder / "compare.html")
    recipe = "tabular" if request.param == "regression" else request.param
    return tfkit.train(recipe, out=folder, report=True, quiet=True, **SAMPLES[request.param]).path("report.html")


def open_page(browser, report_path, width, scheme="light"):
    """Open a report with all details expanded; return tab, console messages and requested URLs."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages, requests = [], []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(report_path.resolve().as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
    return tab, messages, [url for url in requests if not url.startswith("data:")]


TOO_WIDE = """
() => [...document.querySelectorAll('body *')].filter(element => {
    if (element.closest('.scroll') && !element.matches('.scroll')) return false;
    if (element.closest('svg') && element.tagName !== 'svg') return false;
    if (element.matches('.skip, .hidden')) return false;
    return element.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map(element => element.outerHTML.slice(0, 120))
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_no_messages_no_requests_no_overflow(browser, report_path, width):
    tab, messages, requests = open_page(browser, report_path, width)
    assert messages == []
    assert requests == [report_path.resolve().as_uri()]
    assert tab.evaluate(TOO_WIDE) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_reports_no_serious_violation(browser, report_path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab, _, _ = open_page(browser, report_path, 1440, scheme)
    violations = Axe().run(tab).response["violations"]
    serious = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    tab.close()


def test_violations_are_detected(browser, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    report_path = tmp_path / "wrong.html"
    report_path.write_text(
        '<html><body><p style="color:#ccc;background:#fff">pale</p><img src="none.png">'
        '<div style="width:2000px">wide</div></body></html>'
    )
    tab, messages, requests = open_page(browser, report_path, 768)
    assert len(messages) == 1
    assert [url.rsplit("/", 1)[-1] for url in requests] == ["wrong.html", "none.png"]
    assert "wide" in tab.evaluate(TOO_WIDE)[0]
    ids = {violation["id"] for violation in Axe().run(tab).response["violations"]}
    assert {"color-contrast", "image-alt", "html-has-lang"} <= ids
    tab.close()


def test_text_in_figures_stays_inside(browser, report_path):
    tab, _, _ = open_page(browser, report_path, 1440)
    outside = tab.evaluate("""
        () => [...document.querySelectorAll('svg text')].filter(text => {
            const box = text.getBoundingClientRect(), svg = text.closest('svg').getBoundingClientRect();
            return box.right > svg.right + 12 || box.left < svg.left - 12;
        }).map(text => text.closest('svg').getAttribute('aria-label').slice(0, 60) + ': ' + text.textContent)
    """)
    assert outside == []
    tab.close()
