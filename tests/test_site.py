"""What is done to a site after Sphinx, and what its search finds: on a book of a few pages.

Some of it is seen in browsers, if there are: those of make look.
"""

import base64
import contextlib
import functools
import hashlib
import html
import http.server
import json
import os
import re
import shutil
import threading
import zipfile
from pathlib import Path

from tools.build import book, finish, notebooks, places
from tools.trials import live

import nbformat
import pytest
import quickjs
import yaml
from bs4 import BeautifulSoup

ROOT = notebooks.ROOT
PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
).decode()
CAPTION = "How the ladder of $\\omega_1$ & others leans on a wall."
PLAYER = '<div class="toy"></div><script>document.querySelector(".toy").textContent = "played " + 6 * 7;</script>'
READ = "training-neural-networks: read"


def cells():
    picture = {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "A"}, "metadata": {}}
    player = {"output_type": "display_data", "data": {"text/html": PLAYER, "text/plain": "A"}, "metadata": {}}
    figure = {"figure": {"name": "fig-ladder", "caption": CAPTION}, "image": {"alt": "A ladder leans on a wall."}}
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    return [
        text("(chapter)=\n# Apples & pears\n\nThe opening tells of <b>apples</b>. $a^2$\n\nNo more."),
        code("import numpy as np\nfrom toy import data"),
        text("## On growing\n\nA **weight** of plums is heavy, see {numref}`fig-ladder`."),
        code("def climb_slowly(a):\n    return np.cumsum(data.make_rungs(a))"),
        code("plot()", outputs=[nbformat.from_dict(picture)], metadata={"mystnb": figure}),
        code("play()", outputs=[nbformat.from_dict(player)]),
        text("### Deeper\n\nQuinces are yellow, and rungs are made of wood."),
    ]


TAKE = "\n\n:::{div} take\n:::\n"
PAGES = {
    "index.md": "(index)=\n# The toy book\n\nWelcome to orchards.\n\n## The chapters\n\nRead {ref}`chapter`." + TAKE,
    "setup.md": "# Setup\n\n## One chapter by itself\n\nInstall it." + TAKE,
    "glossary.md": """\
# Glossary

```{glossary}
weight
  A number that is learned.

learning rate
  A step's size.
```
""",
}
TOC = {
    "format": "jb-book",
    "root": "book/index",
    "parts": [
        {"caption": "Fruit", "numbered": True, "chapters": [{"file": "book/chapter"}]},
        {"caption": "Else", "chapters": [{"file": "book/glossary"}, {"file": "book/setup"}]},
    ],
}
PYPROJECT = """
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
[project]
name = "toy"
version = "1.5"
requires-python = ">=3.11"
description = "A toy"
[tool.book]
inputs = []
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A book whose chapter was run already, its site, and the site as Sphinx left it; returns its folder."""
    folder = tmp_path_factory.mktemp("toy")
    with pytest.MonkeyPatch.context() as patch:
        for module in (notebooks, book):
            patch.setattr(module, "ROOT", folder)
            patch.setattr(module, "BUILD", folder / "_build")
        for constant, name in (("STAGE", "stage"), ("SITE", "html")):
            patch.setattr(book, constant, folder / "_build" / name)
        shutil.copy(ROOT / "_config.yml", folder)
        shutil.copytree(ROOT / "book" / "assets", folder / "book" / "assets")
        shutil.copy(ROOT / "book" / "references.bib", folder / "book")
        (folder / "_toc.yml").write_text(yaml.safe_dump(TOC, sort_keys=False))
        for name, text in {"book/" + name: text for name, text in PAGES.items()}.items():
            (folder / name).write_text(text, "utf-8")
        for name, text in {"requirements.lock": "", "pyproject.toml": PYPROJECT, "toy.py": "VALUE = 1\n"}.items():
            (folder / name).write_text(text)
        (folder / "tools").mkdir()
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        chapter = nbformat.v4.new_notebook(cells=cells(), metadata=kernel)
        nbformat.write(chapter, folder / "book" / "chapter.ipynb")
        chapter.metadata["book"] = {"provenance": "Run on a Tuesday.", "seconds": 1.0}
        nbformat.write(chapter, folder / "executed.ipynb")
        dress = finish.dress

        def keep_and_dress(site, solutions=True):
            shutil.copytree(site, folder / "raw")
            dress(site, solutions)

        patch.setattr(finish, "dress", keep_and_dress)
        book.build(book.stage({folder / "book" / "chapter.ipynb": folder / "executed.ipynb"}), book.SITE)
        patch.setattr(finish, "dress", dress)
        yield folder


@pytest.fixture
def site(toy):
    return toy / "_build" / "html"


@pytest.fixture
def copied(toy, site):
    """The site to do something to; as it was afterwards."""
    kept = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    yield site
    for path in [path for path in site.rglob("*") if path.is_file() and path not in kept]:
        path.unlink()
    for path, content in kept.items():
        finish.write(path, content)


def page(site, name="book/chapter.html"):
    return BeautifulSoup((site / name).read_text("utf-8"), "html.parser")


def dead_links(folder, name):
    """The links of a page that lead nowhere within ``folder``."""
    for link in page(folder, name).find_all(["a", "link", "script", "img"]):
        target = (link.get("href") or link.get("src") or "").partition("?")[0]
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not target:
            continue
        file = (folder / name).parent / path if path else folder / name
        if not file.exists() or (
            anchor and file.suffix == ".html" and not page(file.parent, file.name).find(id=anchor)
        ):
            yield target


# What a page lets in


def test_the_policy_of_a_page_names_its_own_scripts_and_no_other(site):
    for name in ("book/chapter.html", "book/index.html", "search.html", "404.html", "index.html", "genindex.html"):
        soup = page(site, name)
        (meta,) = soup.find_all("meta", attrs={"http-equiv": "Content-Security-Policy"})
        allowed = dict(each.split(" ", 1) for each in meta["content"].split("; "))
        inline = [script.string for script in soup.find_all("script", src=None)]
        digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline}
        assert set(allowed["script-src"].split()) == {"'self'", *(f"'sha256-{digest}'" for digest in digests)}
        assert "unsafe-eval" not in meta["content"]
        assert meta["content"].count("unsafe-inline") == 1, "for styles alone"
        before = [element.name for element in meta.find_all_previous(["script", "link", "style"])]
        assert before == [], "a policy holds for what comes after it"
    assert "toy" in str(page(site).find_all("script", src=None)), "the chapter's own script is among them"


def test_a_handler_in_an_attribute_is_refused_when_the_site_is_built():
    head = '<meta charset="utf-8" />'
    assert "sha256-" in finish.guarded(f"{head}<script>let on = 1;</script><p title='on x'>", "a.html")
    assert "onclick" not in finish.guarded(f'{head}<button onclick="toggleFullScreen()">', "a.html")
    with pytest.raises(notebooks.ChapterError, match=r"a\.html: its policy would refuse the handler onclick"):
        finish.guarded(f'{head}<button type="button"\n onclick="alert()">', "a.html")
    with pytest.raises(notebooks.ChapterError, match="no <meta charset>"):
        finish.guarded("<p>", "a.html")


def test_the_index_of_the_search_is_loaded_by_its_own_page_alone(site):
    assert "searchindex.js" in str(page(site, "search.html"))
    assert "search-texts.js" in str(page(site, "search.html"))
    for part in ("searchindex.js", "searchtools.js", "search-texts.js"):
        assert part not in str(page(site))


# To take away


def offered(site, name="book/chapter.html"):
    """What the page offers, by the text of its links."""
    return {link.get_text(): link["href"] for link in page(site, name).select(".take a")}


def test_a_chapter_offers_its_notebooks_and_they_run(site):
    links = offered(site)
    assert list(links) == ["Notebook", "Notebook with blanks", "How to run a notebook"]
    folder = site / "book"
    whole = nbformat.read(folder / links["Notebook"], 4)
    nbformat.validate(whole)
    assert "import numpy as np\nfrom toy import data" in [cell.source for cell in whole.cells]
    assert "*Setup* says how to have that" in whole.cells[0].source
    assert "YOUR CODE HERE" in nbformat.read(folder / links["Notebook with blanks"], 4).cells[0].source
    assert list(dead_links(site, "book/chapter.html")) == []
    place = page(site).select_one(".provenance").find_next_sibling()
    assert place.nav["aria-label"] == "Downloads of this chapter"


def test_without_solutions_only_the_notebook_with_blanks_is_made(toy, tmp_path):
    finish.make_downloads(tmp_path, solutions=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chapter.ipynb", "toy-1.5-py3-none-any.whl"]


def test_the_package_is_offered_as_a_file_whose_bytes_are_always_the_same(toy, site, tmp_path):
    (wheel,) = (site / "downloads").glob("*.whl")
    assert offered(site, "book/setup.html") == {"the package as a file": f"../downloads/{wheel.name}"}
    assert f'install "./{wheel.name}[chapters]"' in page(site, "book/setup.html").get_text()
    assert "toy.py" in zipfile.ZipFile(wheel).namelist()
    os.utime(toy / "toy.py", (1e9, 1e9))
    finish.make_downloads(tmp_path, solutions=False)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_zip_is_the_site_and_does_not_offer_itself(site, tmp_path):
    archive = site.parent / "training-neural-networks.zip"
    assert archive.read_bytes() == (site / archive.name).read_bytes()
    assert offered(site, "book/index.html") == {"This site as a zip": f"../{archive.name}"}
    assert list(dead_links(site, "book/index.html")) == []
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        assert {name.split("/")[0] for name in names} == {archive.stem}
        assert not [name for name in names if name.endswith(".zip") or "/." in name]
        opened.extractall(tmp_path)
    unpacked = tmp_path / archive.stem
    for path in unpacked.rglob("*.html"):
        name = path.relative_to(unpacked).as_posix()
        assert "_static" in name or list(dead_links(unpacked, name)) == [], name
        assert name == "book/index.html" or path.read_bytes() == (site / name).read_bytes()
    assert offered(unpacked, "book/index.html") == {}
    assert len(names) == len([path for path in site.rglob("*") if path.is_file() and not path.name.startswith(".")]) - 1


def test_of_one_site_the_zip_always_has_the_same_bytes_and_is_not_made_twice(copied, monkeypatch):
    archive = copied.parent / "training-neural-networks.zip"
    before = archive.read_bytes()
    archive.unlink()
    for path in copied.rglob("*.html"):
        path.touch()
    finish.offer(copied)
    assert archive.read_bytes() == before
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *arguments: pytest.fail("it is made anew"))
    finish.offer(copied)
    archive.write_bytes(before[:-100])  # a build that was killed, say
    with pytest.raises(pytest.fail.Exception):
        finish.offer(copied)


def test_a_paper_is_offered_if_it_is_of_the_same_sources_and_as_long_as_it_is(copied, toy):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    stamp, made = (copied / finish.STAMP).read_text(), toy / "_build" / "pdf"
    names = ("training-neural-networks.pdf", "training-neural-networks.epub", "chapter.pdf", "old.pdf")
    made.mkdir()
    for name in names:
        (made / name).write_bytes(b"%PDF" * 400_000)
        (made / f"{name}.built-from").write_text("another" if name == "old.pdf" else stamp)
    try:
        finish.offer(copied)
        assert offered(copied)["PDF"] == "../downloads/chapter.pdf"
        links = offered(copied, "book/index.html")
        assert list(links) == ["This site as a zip", "The book as PDF", "The book as EPUB"]
        assert "1.6 MB" in page(copied, "book/index.html").select_one(".take").get_text()
        assert not (copied / "downloads" / "old.pdf").exists()
        for name in ("book/index.html", "book/chapter.html"):
            assert list(dead_links(copied, name)) == []
        with zipfile.ZipFile(copied / "training-neural-networks.zip") as opened:
            assert [name for name in opened.namelist() if name.endswith((".pdf", ".epub"))] == []
            assert b".pdf" not in opened.read("training-neural-networks/book/chapter.html")
            assert b"PDF" not in opened.read("training-neural-networks/book/index.html")
        (made / "chapter.pdf.built-from").write_text("another")
        finish.offer(copied)
        assert offered(copied)["PDF of the book"] == "../downloads/training-neural-networks.pdf"
    finally:
        shutil.rmtree(made)
    finish.offer(copied)
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    finish.write(path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(finish.os, "replace", lambda *arguments: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            finish.write(path, "new")
    assert path.read_text() == "old"


# With an address


def test_without_an_address_there_is_neither_map_nor_card(site):
    assert not (site / "sitemap.xml").exists()
    for name in ("book/chapter.html", "index.html", "404.html"):
        text = (site / name).read_text("utf-8")
        for part in ("og:", "twitter:", "canonical", "http://", "https://fruit"):
            assert part not in text.replace("http://www.w3.org", "").replace('"http-equiv', "")


def test_with_an_address_there_are_a_map_and_cards_that_show_the_first_figure(toy, tmp_path, monkeypatch):
    config = (toy / "_config.yml").read_text("utf-8")
    try:
        (toy / "_config.yml").write_text(config.replace('baseurl: ""', "baseurl: https://fruit.example/book"), "utf-8")
        shutil.copytree(toy / "raw", tmp_path / "site")
        finish.dress(tmp_path / "site")
    finally:
        (toy / "_config.yml").write_text(config, "utf-8")
    site = tmp_path / "site"
    facts = {tag["property"]: tag["content"] for tag in page(site).find_all("meta", property=True)}
    assert facts["og:title"] == "Apples & pears"
    assert facts["og:description"] == "The opening tells of apples. \\(a^2\\)"
    assert facts["og:url"] == "https://fruit.example/book/book/chapter.html"
    assert facts["og:image:alt"] == "A ladder leans on a wall."
    assert (site / facts["og:image"].removeprefix("https://fruit.example/book/")).is_file()
    named = re.findall("<loc>(.*?)</loc>", (site / "sitemap.xml").read_text("utf-8"))
    pages = ["chapter", "glossary", "index", "setup"]
    assert named == [f"https://fruit.example/book/book/{name}.html" for name in pages]
    missing = {link["href"] for link in page(site, "404.html").select("a.to")}
    assert "https://fruit.example/book/book/chapter.html" in missing
    assert all(link.startswith("https://fruit.example/book/") for link in missing)
    assert (
        page(site, "index.html").find("link", rel="canonical")["href"] == "https://fruit.example/book/book/index.html"
    )


def test_an_address_must_be_one(toy):
    config = (toy / "_config.yml").read_text("utf-8")
    try:
        (toy / "_config.yml").write_text(config.replace('baseurl: ""', "baseurl: fruit.example"), "utf-8")
        with pytest.raises(notebooks.ChapterError, match=r"html\.baseurl must begin with https://, got 'fruit"):
            finish.settings()
    finally:
        (toy / "_config.yml").write_text(config, "utf-8")


# What a search finds

STUBS = """
var window = globalThis, ready = [];
var listen = (name, callback) => { if (name === "DOMContentLoaded") ready.push(callback); };
var document = {
    readyState: "loading", addEventListener: listen, getElementById: () => null, documentElement: { dataset: {} },
    createElement: () => ({
        set textContent(text) { this.innerHTML = text.replace(/&/g, "&amp;").replace(/</g, "&lt;"); }
    }),
};
var localStorage = { setItem() {} }, SPHINX_HIGHLIGHT_ENABLED = false, _ = text => text, _ready = () => {};
var DOCUMENTATION_OPTIONS = { LINK_SUFFIX: ".html" };
var MutationObserver = class { observe() {} };
"""


@pytest.fixture(scope="module")
def search(toy):
    """A function that gives what the site's search finds: for each result its title and where it leads, best first."""
    built = toy / "_build" / "html"
    context = quickjs.Context()
    context.eval(STUBS)
    scripts = ["_static/language_data.js", "_static/searchtools.js", "searchindex.js"]
    for name in [*scripts, *(f"_static/{script}" for script in places.SCRIPTS)]:
        context.eval((built / name).read_text("utf-8"))
    context.eval("""
        ready.forEach(callback => callback());
        var found = query => JSON.stringify(Search._performSearch(...Search._parseQuery(query))
            .map(([page, title, anchor]) => [title, page + ".html" + anchor]).reverse());
    """)
    return lambda query: [tuple(each) for each in json.loads(context.get("found")(query))]


@pytest.mark.parametrize(
    ("query", "title", "place"),
    [
        ("learning rate", "Glossary > learning rate", "book/glossary.html#term-learning-rate"),
        ("climb_slowly", "climb_slowly", "book/chapter.html#code-2"),
        ("make_rungs", "data.make_rungs", "book/chapter.html#code-2"),
        ("np.cumsum", "np.cumsum", "book/chapter.html#code-2"),
        (
            "ladder wall",
            "Fig. 1.1: How the ladder of omega_1 & others leans on a wall.",
            "book/chapter.html#fig-ladder",
        ),
        ("quinces", "1. Apples & pears > Deeper", "book/chapter.html#deeper"),
        ("yellow rung", "1. Apples & pears > Deeper", "book/chapter.html#deeper"),
        ("orchard", "The toy book", "book/index.html"),
    ],
)
def test_a_search_leads_to_the_place(search, site, query, title, place):
    found = [(html.unescape(html.unescape(re.sub("<[^>]*>", "", shown))), where) for shown, where in search(query)]
    assert (title, place) in found[:2]
    assert len(set(found)) == len(found), "nothing twice"
    path, _, anchor = place.partition("#")
    assert not anchor or page(site, path).find(id=anchor), "and the place is there"


def test_a_search_for_nothing_of_the_book_finds_nothing(search):
    assert search("xyzzy") == []


def test_names_are_found_where_they_are_defined_or_first_called():
    sources = [
        "import numpy as np\nfrom a import b, c as d\nimport e.f",
        "%magic",
        "x = np.zeros(3); d(1)\ndef own():\n    def inner(): pass\n    return e.f.g(np.random.rng(1).normal())",
        "np.zeros(1); own()\nclass Own: pass\n@b.wrap\ndef other(): ...\nmodel.fit()",
    ]
    assert sorted(places.names_in(sources)) == [
        ("class", "Own", 3),
        ("function", "other", 3),
        ("function", "own", 2),
        ("use", "b.wrap", 3),
        ("use", "d", 2),
        ("use", "e.f.g", 2),
        ("use", "np.random.rng", 2),
        ("use", "np.zeros", 2),
    ]


# In browsers


class _Server(http.server.SimpleHTTPRequestHandler):
    """As GitHub's: what is missing gets 404.html, at any depth; all lies in a folder."""

    def log_message(self, *arguments):
        pass

    def translate_path(self, path):
        return super().translate_path(path.removeprefix("/project"))

    def send_error(self, code, *arguments, **named):
        content = Path(self.directory, "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def address(toy):
    handler = functools.partial(_Server, directory=str(toy / "_build" / "html"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/project"
    server.shutdown()


@pytest.fixture(scope="module", params=list(live.BROWSERS))
def browser(request):
    sync_api = pytest.importorskip("playwright.sync_api")
    name = request.param
    system = next((found for command in live.BROWSERS[name] if (found := shutil.which(command))), None)
    with sync_api.sync_playwright() as playwright:
        channel = {"channel": "moz-firefox"} if name == "firefox" and system else {}
        try:
            browser = getattr(playwright, name).launch(executable_path=system, **channel)
        except sync_api.Error as error:
            pytest.skip(f"no {name}: {error}")
        yield browser
        browser.close()


@pytest.fixture(params=["disk", "server"])
def where(request, site, address):
    return site.as_uri() if request.param == "disk" else address


@contextlib.contextmanager
def opened(browser, problems=None):
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        tab = context.new_page()
        if problems is not None:
            tab.on("console", lambda told: problems.append(told.text) if told.type == "error" else None)
            tab.on("pageerror", lambda error: problems.append(str(error)))
        yield tab


THEME = "Got invalid theme mode"  # the theme's own, on a reader's first visit


def test_a_reader_searches_and_comes_to_the_place(browser, where):
    problems = []
    with opened(browser, problems) as tab:
        tab.goto(f"{where}/book/index.html")
        tab.locator(".bd-sidebar-primary .search-button__button").click()
        tab.locator("dialog input[name=q]").fill("quinces")
        tab.keyboard.press("Enter")
        result = tab.locator("#search-results ul.search li").first
        result.locator("p.context").wait_for()
        assert result.locator("p.context").inner_text() == "Quinces are yellow, and rungs are made of wood."
        assert result.locator("p.context .highlighted").inner_text() == "Quinces"
        result.locator("a").click()
        tab.locator("#deeper").wait_for()
        assert tab.url.endswith("/book/chapter.html#deeper")
        assert tab.locator(".toy").inner_text() == "played 42", "the page's own script is let in"
        tab.locator("mjx-container mjx-math").first.wait_for()
    assert [problem for problem in problems if THEME not in problem] == []


def test_a_script_that_somebody_smuggles_in_is_refused(browser, where, copied):
    path = copied / "book" / "chapter.html"
    smuggled = (
        "<script>document.body.dataset.smuggled = 'script'</script>"
        "<img src='none.png' alt='' onerror=\"document.body.dataset.smuggled = 'handler'\">"
        "<a id='trick' href=\"javascript:document.body.dataset.smuggled = 'address'\">Click</a>"
    )
    path.write_text(path.read_text("utf-8").replace("</article>", f"{smuggled}</article>"), "utf-8")
    problems = []
    with opened(browser, problems) as tab:
        tab.goto(f"{where}/book/chapter.html")
        tab.locator("#trick").click()
        tab.locator(".toy").wait_for()
        tab.wait_for_timeout(200)
        assert tab.evaluate("document.body.dataset.smuggled") is None
    assert [problem for problem in problems if "inline script" in problem]


def test_chapters_are_ticked_by_the_reader_and_by_nobody_else(browser, where):
    with opened(browser) as tab:
        tab.goto(f"{where}/book/chapter.html")
        button = tab.get_by_role("button", name="Chapter read")
        assert tab.locator(".read-tick").count() == 0
        assert tab.evaluate(f"localStorage.getItem({READ!r})") is None
        assert button.get_attribute("aria-pressed") == "false"
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert tab.locator(".read [role=status]").inner_text() == "1 of 1 chapters read"
        tab.goto(f"{where}/book/index.html")
        tab.get_by_role("link", name="1. Apples & pears , read").wait_for()  # a tick is not read out
        assert tab.locator("#the-chapters p .read-tick").count() == 1
        tab.goto(f"{where}/book/glossary.html")
        tab.locator(".read-tick").wait_for()
        assert tab.locator(".read").count() == 0, "what is no chapter is not ticked off"
        tab.goto(f"{where}/book/index.html")
        tab.get_by_role("button", name="Remove the ticks").press("Enter")
        assert tab.locator(".read-tick").count() == 0
        assert tab.evaluate("document.activeElement.textContent") == "0 of 1 chapters read"
        tab.goto(f"{where}/book/chapter.html")
        assert tab.get_by_role("button", name="Chapter read").get_attribute("aria-pressed") == "false"


def test_where_nothing_may_be_kept_no_tick_is_offered(browser, where):
    problems = []
    with opened(browser, problems) as tab:
        script = (
            "Storage.prototype.getItem = (key) => { if (key.includes('read')) throw new Error('no'); return null; }"
        )
        tab.context.add_init_script(script)
        tab.goto(f"{where}/book/chapter.html")
        tab.locator(".toy").wait_for()
        assert tab.locator(".read").count() == 0
    assert [problem for problem in problems if THEME not in problem] == []


@pytest.mark.parametrize("missing", ["nothing.html", "book/nothing.html", "some/where/deep/down/"])
def test_a_page_that_is_not_found_leads_on_from_any_depth(browser, address, missing):
    with opened(browser) as tab:
        tab.goto(f"{address}/{missing}")
        link = tab.get_by_role("link", name="1. Apples & pears")
        tab.wait_for_function("link => link.href.endsWith('/project/book/chapter.html')", arg=link.element_handle())
        link.click()
        tab.locator("h1:visible").wait_for()
        assert tab.url == f"{address}/book/chapter.html"


def test_on_a_disk_the_page_for_what_is_missing_leads_on_too(browser, site):
    with opened(browser) as tab:
        tab.goto(f"{site.as_uri()}/404.html")
        tab.wait_for_timeout(200)
        tab.get_by_role("link", name="search").click()
        assert tab.url == f"{site.as_uri()}/search.html"


def test_axe_finds_nothing_on_the_page_for_what_is_missing(browser, site):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser) as tab:
        tab.goto(f"{site.as_uri()}/404.html")
        assert axe.run(tab).response["violations"] == []
