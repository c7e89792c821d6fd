"""What tools.trials.access sees: pages each with one fault that is caught, in every browser that is here."""

from tools.trials import access

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright")
PROSE, ONE_LINE = "Prose that does not wrap, as it should, at any size, in any window", "white-space: nowrap"
GOOD = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 1rem/1.5 sans-serif; overflow-wrap: anywhere; }}
a, button, summary {{ color: #00539b; font: inherit; }}
pre, .dl-table {{ overflow-x: auto; }}
img {{ max-width: 100%; }}
@media (prefers-reduced-motion: no-preference) {{ html {{ scroll-behavior: smooth; }} a {{ transition: color 1s; }} }}
</style></head><body><main><h1>A page</h1><p>Some <a href="#end">text</a>, and <button>a button</button>.</p>
<details><summary>More</summary><p>Folded <a href="#end">text</a>.</p></details>{}
<p id="end">The <a href="#">end</a>.</p></main></body></html>"""


@pytest.fixture(scope="module", params=list(access.BROWSERS))
def browser(request):
    with sync_api.sync_playwright() as playwright:
        try:
            browser = access.launch(playwright, request.param)
        except sync_api.Error as error:
            pytest.skip(f"no {request.param}: {error}")
        yield browser
        browser.close()


@pytest.fixture
def seen(browser, tmp_path):
    contexts = []

    def seen(body, *parts):
        path = tmp_path / "page.html"
        path.write_text(GOOD.format(body), "utf-8")
        page = access.open_view(browser, path, settled=50)
        contexts.append(page.context)
        page.evaluate("access.unfold()")
        return [problem for part in parts for problem in part(page)]

    yield seen
    for context in contexts:
        context.close()


def focus(page):
    return access.shows_focus(page, set())


def test_a_good_page_is_let_through(browser, tmp_path):
    wide = "<pre>" + "long " * 60 + '</pre><div class="dl-table" tabindex="0" role="group" aria-label="Table">'
    wide += "<table><caption>Numbers</caption><tr>" + "<td>1,000,000</td>" * 20 + "</tr></table></div>"
    radios = "".join(
        f'<label><input type="radio" name="of" {mark}> {n}</label>' for n, mark in ((1, "checked"), (2, ""))
    )
    path = tmp_path / "page.html"
    path.write_text(GOOD.format(wide.replace("<pre>", '<pre tabindex="0">') + radios), "utf-8")
    page = access.open_view(browser, path)
    problems = list(access.attempt(page, axe_api.Axe(), set(), "light"))
    page.context.close()
    assert problems == []


@pytest.mark.parametrize(
    ("part", "body", "said"),
    [
        (access.reflows, '<div style="width: 400px">Wide</div>', "at 320 px is "),
        (access.reflows, f'<div style="overflow: auto; {ONE_LINE}">{PROSE}</div>', "at 320 px scrolls 'Prose that"),
        (access.reflows, f'<div style="overflow: hidden; {ONE_LINE}">{PROSE}</div>', "at 320 px cuts 'Prose that"),
        (access.zooms, '<div style="width: 800px">Wide</div>', "at a zoom of 200 % is "),
        (access.zooms, '<div style="width: 45rem">Wide</div>', "with text of twice the size is "),
        (
            access.zooms,
            f'<p style="width: 600px; overflow: hidden; {ONE_LINE}">{PROSE}</p>',
            "with text of twice the size cuts 'Prose that",
        ),
        (access.zooms, '<p style="font-size: 16px">Fixed</p>', "keeps the text 'Fixed' small"),
        (focus, '<a href="#" style="outline: none">No ring</a>', "does not show the focus on a 'No ring'"),
        (focus, '<a href="#" style="outline: 2px solid transparent">Clear</a>', "does not show the focus on a 'Clear'"),
        (focus, '<p style="opacity: 0"><a href="#" class="b">Unseen</a></p>', "shows no focus that is seen on a.b"),
        (focus, '<a href="#" style="position: absolute; left: -999px">Away</a>', "out of sight on a 'Away'"),
        (focus, "<button onfocus='this.blur()'>Shy</button>", "does not come to 'button Shy'"),
        (
            access.rests,
            '<p style="animation: a 1s infinite">x</p><style>@keyframes a { to { color: red; } }</style>',
            "p is animated",
        ),
        (access.rests, '<a class="slow" href="#" style="transition: color 300ms">x</a>', "a.slow changes slowly"),
        (access.rests, '<div style="scroll-behavior: smooth">x</div>', "div scrolls smoothly"),
        (
            access.rests,
            "<script>setInterval(() => { scrollBy(0, 1); }, 30)</script><div style='height: 3000px'>Long</div>",
            "moves by itself",
        ),
    ],
)
def test_a_fault_is_named(seen, part, body, said):
    problems = seen(body, part)
    assert any(said in problem for problem in problems), problems


def test_what_axe_finds_in_a_fold_is_named(seen):
    fold = '<details><summary>Sum</summary><img src="data:," width="5"></details>'
    problems = seen(fold, lambda page: access.attempt(page, axe_api.Axe(), set(), "light"))
    assert any("axe, critical: Images must have alternative text" in problem for problem in problems), problems
