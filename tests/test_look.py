"""What make look sees: broken pages, each caught by the part that is to catch it. They need what make look installs."""

import shutil

from tools.trials import look

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright")
GOOD = """<!doctype html><html lang="en" data-theme="{}"><title>A page</title><main><h1>A page</h1>
<style>mjx-container[display] {{ display: block; overflow-x: auto; }} mjx-assistive-mml {{ display: none; }}</style>
<p>Text.</p>{}</main></html>"""
FORMULA = (
    '<mjx-container display="true" {}><mjx-math aria-hidden="true" style="display: block; width: {}px">x</mjx-math>{}'
)
MATHML = "<mjx-assistive-mml><math><mi>x</mi></math></mjx-assistive-mml></mjx-container>"
SCROLLING = 'tabindex="0" role="group" aria-label="Formula"'
WIDE = 'style="display: inline-block; width: 1400px"'
LIGHT = (
    """<script>addEventListener("beforeprint", () => { document.documentElement.dataset.theme = "light"; })</script>"""
)


@pytest.fixture(scope="module")
def browser():
    system = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=system)
        except sync_api.Error as error:
            pytest.skip(f"no browser: {error}")
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    page = browser.new_page(viewport=look.WINDOWS["desktop"])

    def opened(body="", theme="light"):
        page.set_content(GOOD.format(theme, body))
        return page

    yield opened
    page.close()


def seen(page):
    return list(look.examine(page, axe_api.Axe()))


@pytest.mark.parametrize(
    "body",
    [
        "",
        FORMULA.format("", 100, MATHML),
        FORMULA.format(SCROLLING, 2000, MATHML),
        "<details><summary>More</summary><p>Text.</p></details>",
    ],
)
def test_a_good_page_is_let_through(open_page, body):
    page = open_page(body)
    assert seen(page) == []
    assert list(look.unfold(page)) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (FORMULA.format(SCROLLING, 100, MATHML), "stops the Tab key at 1 formulas that do not scroll"),
        (FORMULA.format("", 100, '<span tabindex="0"></span>' + MATHML), "stops the Tab key at 1 formulas"),
        (FORMULA.format("", 2000, MATHML), "has 1 formulas that scroll, and not by key"),
        (FORMULA.format("", 100, "</mjx-container>"), "has 1 formulas without MathML"),
        (
            '<p style="overflow: hidden">' + FORMULA.format("", 100, MATHML).replace('display="true"', WIDE) + "</p>",
            "has 1 formulas in the text that do not fit",
        ),
        ("<h2></h2>", "axe, minor: Headings should not be empty"),
        ("<h4>Deep</h4>", "axe, moderate: Heading levels should only increase by one"),
        ('<img src="data:," width="5">', "axe, critical: Images must have alternative text"),
        ('<div style="width: 3000px">Wide</div>', "px wider than the window"),
        ('<div style="width: 90px; overflow: hidden; white-space: nowrap">Cut off here, alas</div>', "cuts 'Cut off"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(open_page, body, said):
    assert any(said in problem for problem in seen(open_page(body)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<details><summary aria-label="Toggle">More</summary>Text.</details>', "calls its fold 1 'Toggle'"),
        (
            '<details><summary onclick="event.preventDefault()">More</summary>Text.</details>',
            "does not open its fold 1",
        ),
    ],
)
def test_a_fold_that_does_not_do_what_it_should_is_named(open_page, body, said):
    assert any(said in problem for problem in look.unfold(open_page(body)))


def test_what_is_cut_off_on_paper_is_named_and_the_page_is_printed(open_page, tmp_path):
    for body in ("<pre>" + "long " * 50 + "</pre>", FORMULA.format(SCROLLING, 900, MATHML), '<p style="width: 50em">x'):
        page = open_page(body)
        problems = list(look.on_paper(page, tmp_path / "page.pdf"))
        assert [problem for problem in problems if problem.endswith("off where it is printed")], body
    page = open_page("<style>@media print { pre { white-space: pre-wrap; } }</style><pre>" + "long " * 50 + "</pre>")
    assert list(look.on_paper(page, tmp_path / "page.pdf")) == []
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert page.viewport_size == look.WINDOWS["desktop"]


def test_a_page_that_is_printed_in_the_dark_or_stays_in_the_light_is_named(open_page, tmp_path):
    assert list(look.on_paper(open_page(theme="dark"), tmp_path / "page.pdf")) == ["would be printed in the dark theme"]
    problems = list(look.on_paper(open_page(LIGHT, theme="dark"), tmp_path / "page.pdf"))
    assert problems == ["stays in another theme after it was printed"]
