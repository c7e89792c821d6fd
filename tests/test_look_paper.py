"""A small book printed by a real browser, and its formulas set. They need what make look installs."""

import io

from tools.build import notebooks, paper

import pytest
from test_paper import FACTS, ONE, PIXEL, RENDERED, TWO, page

pytest.importorskip("playwright.sync_api")
pikepdf = pytest.importorskip("pikepdf")


@pytest.fixture(scope="module")
def chromium():
    try:
        with paper.browser() as chromium:
            yield chromium
    except notebooks.ChapterError as error:
        pytest.skip(str(error))


@pytest.fixture
def built(tmp_path):
    for name, content in (("_images/dot.png", PIXEL), ("_static/pygments.css", b"")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    return tmp_path


def book(chromium, built, one=ONE, rendered=RENDERED):
    pages = [page(one, "one"), page(TWO, "two", "A part")]
    headings = [text for sheet in pages for _, _, text in sheet.headings]
    return paper.laid_out(chromium, pages, rendered, built, FACTS), headings


def test_a_book_is_tagged_with_bookmarks_and_words_and_its_contents_name_the_pages(chromium, built):
    opened, headings = book(chromium, built, ONE.replace("Deep", "Deep " + "and deeper " * 12))
    printed = paper.numbered(opened)
    data = paper.finished(printed, "A & B", "Somebody", headings)
    assert list(paper.faults(data, headings)) == []
    assert opened.evaluate("document.querySelectorAll('.kept > h2:first-child').length"), "headings are kept with text"
    with pikepdf.open(io.BytesIO(data)) as made:
        assert str(made.docinfo["/Title"]) == "A & B"
        words = {str(item.Alt) for item in made.objects if isinstance(item, pikepdf.Dictionary) and "/Alt" in item}
        assert {"A dot.", "a < b", "c"} <= words
        count = len(made.pages)
    where = paper.places(data)
    assert where["one--one"] == 3
    assert where["two--two"] == count == 4
    told = opened.evaluate("[...document.querySelectorAll('.page-ref')].map((at) => [at.dataset.to, at.textContent])")
    assert told == [[anchor, str(where[anchor])] for anchor in ("one--one", "one--deep", "two--two")]


def test_what_a_pdf_lacks_is_found(chromium, built):
    opened, headings = book(chromium, built)
    plain = opened.pdf(tagged=False)
    assert "is not tagged" in list(paper.faults(plain, headings))
    mute = opened.evaluate("document.querySelector('.formula').removeAttribute('aria-label')")
    assert mute is None
    wrong = list(paper.faults(opened.pdf(tagged=True, outline=True), [*headings, "Lost"]))
    assert "has no bookmark for 'Lost'" in wrong
    assert "has 1 pictures or formulas without words for them" in wrong


@pytest.mark.parametrize("inner", ["<p style='width: 700px'>w</p>", f"<p style='white-space: pre'>{'far ' * 80}</p>"])
def test_a_book_that_would_be_cut_off_is_not_printed(chromium, built, inner):
    with pytest.raises(notebooks.ChapterError, match="cut off"):
        book(chromium, built, ONE.replace("<h2>", f"{inner}<h2>"))


def test_long_lines_of_code_are_broken_not_cut(chromium, built):
    source = f"<div class='cell_input'><pre>{'x' * 200}</pre></div><h2>"
    book(chromium, built, ONE.replace("<h2>", source))


def test_a_formula_that_mathjax_does_not_know_is_an_error(chromium, built):
    wrong = {("\\nosuch", True): RENDERED["c", True], **RENDERED}
    with pytest.raises(notebooks.ChapterError, match="with errors"):
        book(chromium, built, ONE.replace("\nc\n", "\n\\frac{\n"), {**wrong, ("\\frac{", True): RENDERED["c", True]})
    opened = chromium.new_page()
    with pytest.raises(notebooks.ChapterError, match="frac"):
        paper.set_formulas(opened, [("\\frac{", False)])


def test_formulas_become_mathml_and_words(chromium):
    wanted = [("x^\\top \\in \\mathbb{R}", False), ("\\frac{a}{b}", True)]
    made = paper.set_formulas(chromium.new_page(), wanted)
    assert made[wanted[0]].words == "x transposed is a member of the real numbers"
    assert "ℝ" in made[wanted[0]].mathml
    assert made[wanted[1]].words == "a over b"
    assert 'display="block"' in made[wanted[1]].mathml


def test_one_page_alone_has_no_links_that_lead_nowhere(chromium, built):
    opened, _ = book(chromium, built)
    paper.numbered(opened)
    assert opened.evaluate(paper.ALONE, "two--") == "Two"
    data = opened.pdf(prefer_css_page_size=True)
    with pikepdf.open(io.BytesIO(data)) as made:
        assert len(made.pages) == 1
        links = [link for sheet in made.pages for link in sheet.get("/Annots", [])]
    assert len(links) == 1  # to itself; on the other page stands one that would lead here
    assert opened.evaluate(paper.ALONE, "one--") == "1. One"
    with pikepdf.open(io.BytesIO(opened.pdf(prefer_css_page_size=True))) as made:
        assert not [link for sheet in made.pages for link in sheet.get("/Annots", [])]
