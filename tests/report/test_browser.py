"""Reports in a real browser: no request leaves the file, nothing overflows, axe-core finds nothing serious.

Skipped where there is no Chromium or no Playwright; `make test-browser` installs both where it may.
"""

import os
import shutil
from importlib.util import find_spec

import pytest

import tfkit

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WIDTHS = (360, 768, 1440)
SAMPLES = {
    "tabular": {"epochs": 2, "body": "mlp"},
    "regression": {"epochs": 1, "body": "mlp", "table": str(tfkit.sample("diamonds.csv.gz")), "target": "price"},
    "image": {"epochs": 2},
    "text": {"epochs": 1, "encoder": "none", "refit": False},
    "series": {"epochs": 2},
    "forecast": {"epochs": 2},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: make test-browser"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="there is no Playwright: make test-browser"),
    pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="there is no axe-core: make test-browser"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=[*SAMPLES, "compare", "names"])
def page(request, tmp_path_factory):
    """The path of a page; that of names that are not to be taken for HTML, and of two runs compared, too."""
    folder = tmp_path_factory.mktemp("pages")
    if request.param == "names":
        return request.getfixturevalue("runs")[0].path("report.html")
    if request.param == "compare":
        return tfkit.compare(*request.getfixturevalue("runs"), out=folder / "compare.html")
    recipe = "tabular" if request.param == "regression" else request.param
    return tfkit.train(recipe, out=folder, report=True, quiet=True, **SAMPLES[request.param]).path("report.html")


def opened(browser, page, width, scheme="light"):
    """The page at a width, and what it said and asked for while it opened; every fold is unfolded."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, wanted = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: wanted.append(request.url))
    tab.goto(page.resolve().as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    return tab, said, [url for url in wanted if not url.startswith("data:")]


TOO_WIDE = """
() => [...document.querySelectorAll('body *')].filter(one => {
    if (one.closest('.scroll') && !one.matches('.scroll')) return false;
    if (one.closest('svg') && one.tagName !== 'svg') return false;
    if (one.matches('.skip, .hidden')) return false;
    return one.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map(one => one.outerHTML.slice(0, 120))
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_it_says_and_asks_nothing_and_nothing_overflows(browser, page, width):
    tab, said, wanted = opened(browser, page, width)
    assert said == []
    assert wanted == [page.resolve().as_uri()]
    assert tab.evaluate(TOO_WIDE) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_finds_nothing_serious(browser, page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab, _, _ = opened(browser, page, 1440, scheme)
    found = Axe().run(tab).response["violations"]
    serious = [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    tab.close()


def test_what_is_wrong_would_be_found(browser, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    page = tmp_path / "wrong.html"
    page.write_text(
        '<html><body><p style="color:#ccc;background:#fff">pale</p><img src="none.png">'
        '<div style="width:2000px">wide</div></body></html>'
    )
    tab, said, wanted = opened(browser, page, 768)
    assert len(said) == 1
    assert [url.rsplit("/", 1)[-1] for url in wanted] == ["wrong.html", "none.png"]
    assert "wide" in tab.evaluate(TOO_WIDE)[0]
    found = {one["id"] for one in Axe().run(tab).response["violations"]}
    assert {"color-contrast", "image-alt", "html-has-lang"} <= found
    tab.close()


def test_words_in_drawings_stay_inside_of_them(browser, page):
    tab, _, _ = opened(browser, page, 1440)
    outside = tab.evaluate("""
        () => [...document.querySelectorAll('svg text')].filter(text => {
            const one = text.getBoundingClientRect(), all = text.closest('svg').getBoundingClientRect();
            return one.right > all.right + 12 || one.left < all.left - 12;
        }).map(text => text.closest('svg').getAttribute('aria-label').slice(0, 60) + ': ' + text.textContent)
    """)
    assert outside == []
    tab.close()
