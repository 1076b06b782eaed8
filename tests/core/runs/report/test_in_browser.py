"""The page as Chromium shows it."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from PIL import Image

from dlcore.runs.report.writing import write_report
from tests.browser import find_browser, open_browser
from tests.core.runs.report.conftest import build_full_run

BROWSER = find_browser()

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="there is no Chromium: install chromium or google-chrome"
)

WIDTHS = [320, 768, 1280]
PHONE, DESKTOP = 360, 1280


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(BROWSER, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    full_run = build_full_run(tmp_path_factory.mktemp("runs"))
    return SimpleNamespace(
        path=write_report(full_run),
        test=json.loads((full_run / "evaluation_test.json").read_text()),
    )


@pytest.fixture
def desktop(browser, report):
    """The browser with the page, which may be open already."""
    if browser.run("innerWidth") != DESKTOP:
        browser.open(report.path, DESKTOP)
    return browser


def values(selector):
    """The numbers behind what a selector finds, in a list."""
    return f"[...document.querySelectorAll({selector!r})].map(e => e.value)"


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_any_width_without_complaints_or_requests(browser, report, width):
    browser.open(report.path, width)

    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('section').length") >= 8
    assert browser.complaints == []
    assert browser.requests[0] == report.path.resolve().as_uri()
    assert all(url.startswith("data:") for url in browser.requests[1:])
    wide = "[...document.querySelectorAll('p, li, dt, dd, h1, h2, h3, figcaption, summary')]"
    beyond = f"{wide}.filter(e => e.getBoundingClientRect().right > {width}).length"
    assert browser.run(beyond) == 0


def test_the_numbers_are_those_of_the_evaluation(desktop, report):
    metrics = desktop.run(values("#result .tiles:not(.small) data"))
    rows = desktop.run(
        "[...document.querySelectorAll('table[data-split=test] tbody tr')].map("
        "row => [...row.cells].slice(1).map(cell => cell.querySelector('data')?.value ?? null))"
    )
    known = [value for value in report.test["metrics"].values() if value is not None]

    assert [float(value) for value in metrics] == known
    names = ("labelled", "predicted", "rmse", "rmse_pcutoff", "median", "p75", "p90", "p95")
    for row, item in zip(rows, report.test["keypoints"], strict=True):
        wanted = [item[name] for name in (*names, "coverage")]
        wanted += [item["pck"][share] for share in ("0.05", "0.1", "0.2")]
        assert [None if cell is None else float(cell) for cell in row] == wanted
    shown = desktop.run(
        "document.querySelector('table[data-split=test] tbody td:nth-child(4)').textContent"
    )
    assert shown == f"{report.test['keypoints'][0]['rmse']:.2f}"
    confusion = desktop.run(values("#identities table data"))[:4]
    assert [int(value) for value in confusion] == [19, 1, 4, 16]


def test_the_bars_are_as_long_as_their_errors(desktop, report):
    widths = desktop.run(
        "[...document.querySelectorAll('#bodyparts .bars')][0].querySelectorAll('.track b')"
        ".values().map(e => e.getBoundingClientRect().width).toArray()"
    )
    medians = [item["median"] for item in report.test["keypoints"]]
    ratios = [width / median for width, median in zip(widths, medians, strict=True)]
    assert max(ratios) == pytest.approx(min(ratios), rel=0.03)


def test_the_pictures_are_seen(desktop):
    sizes = desktop.run("[...document.images].map(e => [e.naturalWidth, e.complete])")
    assert sizes == [[320, True]] * 6


def test_names_run_no_scripts(desktop):
    assert desktop.run("document.scripts.length") == 0
    assert "<script>alert('x')</script>" in desktop.run("document.body.textContent")


def test_it_is_readable_in_the_dark(browser, report):
    def contrast():
        return browser.run(
            "(() => { const light = text => { const [r, g, b] = text.match(/\\d+/g).map(Number);"
            "return 0.2126 * r + 0.7152 * g + 0.0722 * b };"
            "const style = getComputedStyle(document.body);"
            "return light(style.color) - light(style.backgroundColor) })()"
        )

    browser.open(report.path, PHONE, dark=True)
    assert contrast() > 150
    browser.open(report.path, PHONE)
    assert contrast() < -150


def test_it_can_be_photographed_and_printed(browser, report, tmp_path):
    browser.open(report.path, PHONE)
    browser.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert image.width == PHONE
        assert image.height > 2000
        darkest, lightest = image.convert("L").getextrema()
    assert (darkest < 60, lightest) == (True, 255)

    browser.print(tmp_path / "page.pdf")
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 12
