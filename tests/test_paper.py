"""What goes to paper and to the EPUB, as far as it needs no browser; the rest is in test_look_paper.py."""

import datetime
import io
import re
import zipfile
from xml.etree import ElementTree

from tools.build import book, notebooks, paper, sheets

import nbformat
import pytest
from bs4 import BeautifulSoup

FACTS = {"title": "A & B", "author": "Somebody", "rights": "© 2026"}
OPF = "{http://www.idpf.org/2007/opf}"
PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)
ONE = """<div class="body" role="main"><section id="one"><span id="label"></span>
<h1><span class="section-number">1. </span>One</h1>
<p>A sum <span class="math notranslate nohighlight">\\(a &lt; b\\)</span>, see
<a class="reference internal" href="two.xhtml#end"><span class="std std-term">two</span></a>.</p>
<section id="deep"><h2>Deep</h2><div class="math" id="equation-x"><span class="eqno">(1.1)</span>\\[
c
\\]</div>
<figure><img alt="A dot." src="../_images/dot.png"/><figcaption><p>Fig. 1.1 A dot.</p></figcaption></figure>
</section></section></div>"""
TWO = """<div class="body"><section id="two"><h1>Two</h1><p id="end">The <a href="#two">end</a>.</p></section></div>"""
RENDERED = {
    ("a < b", False): paper.Formula('<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>a</mi></math>', "a < b"),
    ("c", True): paper.Formula('<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>c</mi></math>', "c"),
}


def page(source, name="one", part=None):
    return paper.page_of(BeautifulSoup(source, "html.parser").div, name, part)


def code(source, *tags, data=None, figure=None):
    outputs = [nbformat.v4.new_output("display_data", data)] if data else []
    settings = {"mystnb": {"figure": figure}} if figure else {}
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(tags), **settings})


def words(source):
    return nbformat.v4.new_markdown_cell(source)


def sheet(*cells, name="chapter"):
    return sheets.notebook(nbformat.v4.new_notebook(cells=list(cells)), name)


def test_folds_of_a_chapter_move_to_its_end_in_their_order():
    made = sheet(
        words(
            "# A\n\n## Exercises\n\n### Exercise 1: Add\n\nAdd.\n\n"
            '<details class="hint"><summary>Hint</summary>\n\n+\n\n</details>'
        ),
        code("sum", "exercise", "hide-cell"),
        code("assert sum", "hide-input"),
        words("What it comes to:"),
        code("use", "exercise", "hide-cell", data={"text/plain": "2"}),
        words("### Exercise 2: Say"),
        words("::::::{dropdown} Show an answer\nBecause.\n::::::"),
        words(
            "## Quiz\n\nOpen an answer to see whether it is right.\n\n*Question 1.* Which?\n\n"
            '<details class="quiz"><summary>This.</summary>\n\n✗ No.\n\n</details>\n\n'
            '<details class="quiz"><summary>That.</summary>\n\n✓ Right.\n\n</details>\n\n## Summary\n\nAll.'
        ),
    )
    text = "\n\n".join(cell.source for cell in made.cells)
    body, end = text.split("## Hints, solutions and answers")
    assert "details" not in text
    assert "dropdown" not in text
    assert "assert" not in text
    for secret in ("+", "sum", "use", "What it comes to", "Because", "Right", "No."):
        assert secret not in body
    order = [
        "**Exercise 1: Add.** +",
        "#### Exercise 1: Add",
        "sum",
        "What it comes to:",
        "use",
        "#### Exercise 2: Say",
    ]
    places = [end.index(part) for part in [*order, "Because.", "(a) ✗ No.", "(b) ✓ Right."]]
    assert places == sorted(places)
    assert "Open an answer" not in body
    assert "(a) This." in body
    assert "(b) That." in body
    for target in re.findall(r"\]\(#([\w-]+)\)", body):
        assert f"({target})=" in end
    assert len(re.findall(r"\]\(#", body)) == 4  # a hint, two solutions, the answers


def test_what_only_draws_leaves_its_figure_and_what_only_checks_leaves_nothing():
    drawn = code("draw()", "hide-input", data={"image/png": "x", "text/plain": "<Figure>"}, figure={"caption": "A."})
    made = sheet(words("# A"), drawn, code("assert True", "hide-input"), code("kept"))
    assert [cell.source for cell in made.cells] == ["# A", "draw()", "kept"]
    assert made.cells[1].metadata.tags == ["remove-input"]


@pytest.mark.parametrize(
    ("shown", "says"),
    [('<div class="dl-player">', "last picture of an animation"), ('<div data-live="x">', "to be worked with")],
)
def test_of_what_moves_a_picture_is_left_and_the_rest_is_told(shown, says):
    bundle = {"text/html": shown, "image/png": "x", "text/plain": "A_line *falls*."}
    made = sheet(words("# A"), code("play()", "hide-input", data=bundle, figure={"caption": "A fall.", "name": "f"}))
    cell = made.cells[1]
    assert set(cell.outputs[0].data) == {"image/png", "text/plain"}
    assert cell.metadata.mystnb["image"]["alt"] == "A_line *falls*."
    caption = cell.metadata.mystnb["figure"]["caption"]
    assert caption.startswith("A fall. ")
    assert says in caption
    assert r"A\_line \*falls\*" in caption


def test_a_page_keeps_what_stands_in_a_fence_and_moves_what_does_not():
    fold = '<details class="hint"><summary>Answer</summary>\n\n```python\nx = "# no heading"\n```\n\n</details>'
    source = sheets.page(f"# P\n\n## Ask\n\n{fold}\n\n```html\n{fold.replace('```', '~~~')}\n```\n", "p")
    body, end = source.split("## Answers")
    assert body.count("<details") == 1
    assert "[Answer](#p-hint-1)" in body
    assert "(p-hint-1)=\n**Ask.**" in end
    assert 'x = "# no heading"' in end


def test_without_folds_nothing_is_added():
    assert sheets.page("# P\n\nText.", "p").strip() == "# P\n\nText."


def test_a_quiz_without_a_question_is_an_error():
    with pytest.raises(notebooks.ChapterError, match="chapter: a quiz"):
        sheet(words('# A\n\n<details class="quiz"><summary>This.</summary>\n\n✗ No.\n\n</details>'))


@pytest.mark.parametrize("solutions", [True, False])
def test_the_first_page_says_what_this_edition_is(solutions):
    made = sheets.root("# The Book\n\nText.\n\n## How to read\n\nOn.\n", solutions)
    assert made.startswith("# About this book")
    assert made.index("## How to read") < made.index("On paper") < made.index("\nOn.")
    assert ("solutions" in made) == solutions


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("<details><summary>S</summary></details>", "what can be opened"),
        ('<img src="a.png"/>', "no alt text: a.png"),
        ('<section id="s"><h2>On <span class="math">\\(x\\)</span></h2></section>', "heading holds a formula"),
    ],
)
def test_what_cannot_stand_in_a_book_is_an_error_that_names_the_page(inner, problem):
    with pytest.raises(notebooks.ChapterError, match=f"one: .*{re.escape(problem)}"):
        page(f"<div>{inner}</div>")


def test_a_page_is_cleaned_for_a_book():
    body = page(
        "<div><style scoped>x</style><script>y</script><div class='sd-tab-set'><input checked id='i' type='radio'>"
        "<label class='sd-tab-label' for='i'>Windows</label><div>dir</div></div><p><div>within</div></p>"
        "<table border='1' class='dataframe'><thead><tr style='text-align: right;'><td></td><th>n</th></tr></thead>"
        "<tbody><tr><th>0</th><td>1</td></tr></tbody></table></div>"
    ).body
    assert not body.select("style, script, input, label, [border], p div")
    assert body.select_one("p.tab").get_text() == "Windows"
    assert not [element for element in body.find_all(True) if "style" in element.attrs]
    assert [cell["scope"] for cell in body.find_all("th")] == ["col", "row"]


def test_formulas_are_found_with_their_numbers_and_what_is_none_is_an_error():
    found = [(number and number.get_text(), tex, display) for _, number, tex, display in paper.formulas([page(ONE)])]
    assert found == [(None, "a < b", False), ("(1.1)", "c", True)]
    with pytest.raises(notebooks.ChapterError, match="one: this is no formula: 'x'"):
        list(paper.formulas([page("<div><span class='math'>x</span></div>")]))


def test_mathml_is_what_readers_know():
    made = paper.plain_mathml(
        '<math xmlns="m">\n  <mi data-mjx-texclass="ORD" mathvariant="double-struck">R</mi>\n</math>', 'a "real"'
    )
    assert made == '<math alttext=\'a "real"\' xmlns="m"><mi>ℝ</mi></math>'


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "dot.png").write_bytes(PIXEL)
    return tmp_path / "images"


def pack(path, images, rendered=RENDERED):
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    paper.write_epub(path, [page(ONE, "one"), page(TWO, "two", "A part")], images, PIXEL, "p {}", rendered, FACTS, now)
    return zipfile.ZipFile(io.BytesIO(path.read_bytes()))


def test_an_epub_has_all_that_its_manifest_says_and_no_tex(tmp_path, images):
    archive = pack(tmp_path / "b.epub", images)
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    package = ElementTree.fromstring(archive.read("EPUB/package.opf"))
    items = {item.get("id"): item for item in package.iter(f"{OPF}item")}
    files = {f"EPUB/{item.get('href')}" for item in items.values()} | {"EPUB/package.opf"}
    assert files == {name for name in archive.namelist() if name.startswith("EPUB/")}
    assert [item.get("idref") for item in package.iter(f"{OPF}itemref")] == ["cover", "title", "nav", "one", "two"]
    assert [items[name].get("properties") for name in ("one", "two", "nav")] == ["mathml", None, "nav"]
    assert items["cover-image"].get("properties") == "cover-image"
    assert package.findtext(".//{http://purl.org/dc/elements/1.1/}title") == "A & B"
    one = archive.read("EPUB/one.xhtml").decode()
    assert one.count("<math") == 2
    assert "(1.1)" in one
    assert "\\" not in one
    assert 'src="images/dot.png"' in one
    assert 'alt="A dot."' in one


def test_the_navigation_has_parts_pages_and_sections(tmp_path, images):
    nav = BeautifulSoup(pack(tmp_path / "b.epub", images).read("EPUB/nav.xhtml"), "html.parser").nav
    links = [(len(link.find_parents("ol")), link["href"], link.get_text()) for link in nav.find_all("a")]
    assert links == [(1, "one.xhtml", "1. One"), (2, "one.xhtml#deep", "Deep"), (2, "two.xhtml", "Two")]
    assert nav.find("span").get_text() == "A part"


def test_an_epub_that_is_not_xml_does_not_replace_the_last_one(tmp_path, images):
    path = tmp_path / "b.epub"
    path.write_bytes(b"good")
    broken = RENDERED | {("c", True): paper.Formula("<math><mi>\x01</mi></math>", "c")}
    with pytest.raises(notebooks.ChapterError, match=r"one\.xhtml is not XML"):
        pack(path, images, broken)
    assert path.read_bytes() == b"good"
    assert sorted(tmp_path.iterdir()) == [path, images]


def test_in_the_whole_book_each_id_is_one_and_each_link_leads_to_one():
    pages = [page(ONE, "one"), page(TWO, "two")]
    paper.joined(pages)
    ids = [element["id"] for sheet in pages for element in sheet.body.find_all(id=True)]
    ids += [paper.anchored(sheet.name) for sheet in pages]
    links = [link["href"] for sheet in pages for link in sheet.body.find_all("a")]
    assert links == ["#two--end", "#two--two"]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)


def test_without_a_browser_it_says_what_to_install(monkeypatch, capsys):
    def none():
        raise notebooks.ChapterError(paper.INSTALL)

    monkeypatch.setattr(paper, "pikepdf", lambda: None)
    monkeypatch.setattr(paper, "browser", none)
    assert paper.main(["pdf"]) == 1
    assert "playwright install chromium" in capsys.readouterr().err


def test_a_secret_is_a_line_that_no_chapter_shows(tmp_path):
    solution = "### BEGIN SOLUTION\nshown_by_the_other = 1\nshown_by_nobody = 12345\n### END SOLUTION"
    graded = {"grade": False, "grade_id": "a-x", "locked": False, "schema_version": 3, "solution": True, "task": False}
    check = graded | {"grade": True, "grade_id": "a-x-check", "locked": True, "solution": False, "points": 1}
    cells = [words("(a)=\n# A"), code(solution), code("assert shown_by_nobody")]
    for cell, settings in zip(cells[1:], (graded, check), strict=True):
        cell.metadata["nbgrader"] = settings
    paths = [tmp_path / "a.ipynb", tmp_path / "b.ipynb"]
    notebooks.write(nbformat.v4.new_notebook(cells=cells), paths[0])
    notebooks.write(nbformat.v4.new_notebook(cells=[words("# B"), code("shown_by_the_other = 1")]), paths[1])
    assert book.secrets(paths[:1]) == {"shown_by_the_other = 1", "shown_by_nobody = 12345"}
    assert book.secrets(paths) == {"shown_by_nobody = 12345"}


def test_a_heading_is_kept_with_what_follows_it():
    body = BeautifulSoup(
        "<div><section id='a'><h2>A</h2><section id='b'><span></span><h3>B</h3><div class='cell'>x</div><p>y</p>"
        "</section></section><section id='c'><h2>C</h2><p>z</p></section><h2>D</h2><table></table>"
        "<h4>E</h4><p> <em>F.</em></p><p>u</p><p><strong>G</strong></p><div class='highlight-sh notranslate'>v</div>"
        "<p><em>H</em> w</p><p>t</p><p class='tab'>I</p><div class='sd-tab-content'>s</div></div>",
        "html.parser",
    )
    paper.kept_together(body)
    assert [box.get_text("|") for box in body.select(".kept")] == ["A|B|x", "C|z", "E| |F.|u", "G|v", "I|s"]
    assert body.get_text("|") == "A|B|x|y|C|z|D|E| |F.|u|G|v|H| w|t|I|s"
