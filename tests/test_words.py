"""What the website shows of references, numbers and captions, in words."""

import re

from tools.build import exercises, notebooks, student, words

import nbformat
import pytest

CONFIG = """\
title: A Book
bibtex_bibfiles: [book/references.bib]
html:
  baseurl: "{address}"
"""
TOC = """\
format: jb-book
root: book/index
parts:
  - caption: Before
    numbered: false
    chapters:
      - file: book/setup
  - caption: One
    numbered: true
    chapters:
      - file: book/first
  - caption: Two
    numbered: true
    chapters:
      - file: book/second
"""
BIB = """\
@article{kingma2015adam,
  author = {Kingma, Diederik P. and Ba, Jimmy}, title = {Adam}, journal = {A Journal}, year = {2015}}
@misc{van2001x,
  author = {van Gogh, Vincent}, title = {Sun {FLOWERS}}, howpublished = {\\url{http://example.org/a_b}}, year = 2001}
@misc{many, author = {One, A. and Two, B. and Three, C.}, title = {M}, howpublished = {Lecture}, year = {n.d.}}
@misc{many2, author = {One, A. and Two, B. and Three, C.}, title = {N}, howpublished = {Lecture}, year = {n.d.}}
"""


def figure(name, caption):
    return nbformat.v4.new_code_cell("draw()", metadata={"mystnb": {"figure": {"name": name, "caption": caption}}})


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that makes the book, with an address or none."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "book" / "references.bib").write_text(BIB)
    (tmp_path / "book" / "index.md").write_text("# A Book\n")
    (tmp_path / "book" / "setup.md").write_text("(setup)=\n# Setup and More\n\n(part)=\n## A Part\n")
    for name, count in (("first", 2), ("second", 1)):
        cells = [nbformat.v4.new_markdown_cell(f"({name})=\n# The {name.title()}")]
        cells += [
            figure(f"fig-{name}-{n}", "See what {eq}`eq-first-2` says, $x_1$ and `{eq}`.") for n in range(1, count + 1)
        ]
        cells += [
            nbformat.v4.new_markdown_cell(f"$$\nx\n$$ (eq-{name}-{n})\n\n$$\nz\n$$\n") for n in range(1, count + 1)
        ]
        notebooks.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book" / f"{name}.ipynb")

    def make(address=""):
        (tmp_path / "_config.yml").write_text(CONFIG.format(address=address))
        return words.Book()

    return make


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(first)=\n# The First\n\nText.", "# The First\n\nText."),
        ("the chapter {ref}`first`", "the chapter *The First*"),
        ("{ref}`here <first>`, {ref}`part`", "here, *A Part*"),
        ("{numref}`fig-first-2` and {numref}`fig-second-1`", "Fig. 1.2 and Fig. 2.1"),
        ("{numref}`figure %s <fig-first-1>`, {numref}`{number} <fig-first-1>`", "figure 1.1, 1.1"),
        ("{numref}`first`", "Section 1"),
        ("{eq}`eq-first-2`, {eq}`eq-second-1`", "(1.2), (2.1)"),
        ("$$\nx^{(i)}\n$$ (eq-second-1)", "$$\nx^{(i)}\n\\tag{2.1}\n$$"),
        ("$$ x $$ (eq-first-1)", "$$ x \n\\tag{1.1}\n$$"),
        ("$$\na\n$$\n\ntext\n\n$$\nb\n$$ (eq-first-1)", "$$\na\n$$\n\ntext\n\n$$\nb\n\\tag{1.1}\n$$"),
        ("{doc}`setup`, {doc}`this <setup>`, {doc}`/book/second`", "*Setup and More*, this, *The Second*"),
        ("{term}`gradient`, {term}`slopes <slope>`", "gradient, slopes"),
        ("by {cite:t}`kingma2015adam`", "by Kingma and Ba (2015)"),
        ("{cite:t}`kingma2015adam,van2001x`", "Kingma and Ba (2015) and van Gogh (2001)"),
        ("so it is {cite}`many, kingma2015adam`", "so it is (One et al., n.d.; Kingma and Ba, 2015)"),
        ("{cite:p}`many` and {cite:t}`many2`", "(One et al., n.d.a) and One et al. (n.d.b)"),
        (":::{note}\nMind.\n\nAnd {ref}`first`.\n:::\nOn.", "> **Note**\n>\n> Mind.\n>\n> And *The First*.\nOn."),
        ("```{admonition} A title\n:class: tip\nMind.\n```", "> **A title**\n>\n> Mind."),
        ("::::{tip}\n:::{note}\nA\n:::\n::::", "> **Tip**\n>\n> > **Note**\n> >\n> > A"),
        (":::{div} provenance\nRun.\n:::", "Run."),
        ("```python\nx = '{ref}`first`'\n```", "```python\nx = '{ref}`first`'\n```"),
        ("`a[0](x)` and $f[i](x)$ and a [link](https://a.b/c)", "`a[0](x)` and $f[i](x)$ and a [link](https://a.b/c)"),
        ("[how](setup.md) and [](setup.md#part) and [](#first)", "how and *A Part* and *The First*"),
        ("$x^{(i)}$ and $\\sum_{i}$ `{ref}`", "$x^{(i)}$ and $\\sum_{i}$ `{ref}`"),
        ('<details class="hint"><summary>Hint</summary>\n\n{ref}`first`\n\n</details>',
         '<details class="hint"><summary>Hint</summary>\n\n*The First*\n\n</details>'),
    ],
)  # fmt: skip
def test_in_words(make, text, wanted):
    assert make().words(text) == wanted


def test_links_lead_to_the_website_if_it_has_an_address(make):
    book = make("https://book.example/")
    assert book.words("{ref}`first`") == "[*The First*](https://book.example/book/first.html#first)"
    assert book.words("[how](setup.md)") == "[how](https://book.example/book/setup.html)"
    assert book.words("{numref}`fig-first-1`") == "Fig. 1.1"


def test_captions_and_works_become_cells(make):
    book = make()
    source = notebooks.read(notebooks.ROOT / "book" / "first.ipynb")
    source.cells.append(nbformat.v4.new_markdown_cell("{cite}`van2001x`, {cite:t}`kingma2015adam`, {cite}`van2001x`"))
    made = book.in_words(source)
    nbformat.validate(made)
    kinds = [(cell.id, cell.cell_type) for cell in made.cells]
    assert len({name for name, _ in kinds}) == len(kinds)
    place = next(place for place, (_, kind) in enumerate(kinds) if kind == "code")
    assert made.cells[place + 1].source == "**Fig. 1.1** See what (1.2) says, $x_1$ and `{eq}`."
    assert made.cells[place + 1].id == f"{made.cells[place].id}-caption"
    assert made.cells[-1].source.splitlines() == [
        "## References",
        "",
        "- Kingma and Ba (2015): Diederik P. Kingma and Jimmy Ba. Adam. *A Journal*, 2015.",
        "- van Gogh (2001): Vincent van Gogh. Sun FLOWERS. <http://example.org/a_b>, 2001.",
    ]


CHAPTERS = notebooks.chapters()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("solutions", [False, True], ids=["student", "lab"])
def test_nothing_of_the_books_markup_is_left_in_a_notebook(path, solutions):
    notebook = notebooks.read(path)
    made = student.edition(notebook, words.Book(), solutions)
    nbformat.validate(made)
    figures = [cell for cell in notebook.cells if "figure" in cell.metadata.get("mystnb", {})]
    captions = [cell.source for cell in made.cells if cell.id.endswith("-caption")]
    assert len(captions) == len(figures)
    for caption, cell in zip(captions, figures, strict=True):
        assert re.match(r"\*\*Fig\. \d+\.\d+\*\* ", caption)
        assert caption.endswith(cell.metadata.mystnb.figure.caption) or "{" in cell.metadata.mystnb.figure.caption
    for cell in made.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            text = re.sub(r"\$\$.*?\$\$", "$$", text, flags=re.DOTALL)
            assert not re.search(r"\{[a-z:]+\}$|^\([\w-]+\)=|^:::|\$\$ *\(|Fig\. \?|\(\?\)", text, re.MULTILINE), text
            assert not re.search(r"\{(ref|numref|eq|cite(:\w+)?|term|doc)\}`", cell.source)
        else:
            assert cell.outputs == []
            assert not solutions or "### BEGIN" not in cell.source
    assert ("YOUR CODE HERE" in nbformat.writes(made)) == (not solutions and bool(exercises.tasks_of(notebook)))


def test_a_copy_that_a_reader_has_changed_is_left_as_it_is(make, tmp_path, monkeypatch, capsys):
    make()
    monkeypatch.setattr(student, "LAB", tmp_path / "lab")
    path = tmp_path / "lab" / "first.ipynb"
    assert student.main(["--solutions"]) == 0
    first = path.read_text("utf-8")
    assert "draw()" in first

    def change_the_book(old, new):
        chapter = tmp_path / "book" / "first.ipynb"
        chapter.write_text(chapter.read_text("utf-8").replace(old, new), "utf-8")

    change_the_book("draw()", "redraw()")
    assert student.main(["--solutions"]) == 0
    assert "redraw()" in path.read_text("utf-8"), "nobody has changed it, so it follows the book"
    path.write_text(first.replace("draw()", "mine()"), "utf-8")
    capsys.readouterr()
    assert student.main(["--solutions"]) == 0
    assert "mine()" in path.read_text("utf-8")
    assert "is yours by now" not in capsys.readouterr().out, "it was made of this very chapter"
    change_the_book("redraw()", "draw_again()")
    assert student.main(["--solutions"]) == 0
    assert "mine()" in path.read_text("utf-8")
    assert "first.ipynb is yours by now" in capsys.readouterr().out
    path.unlink()
    assert student.main(["--solutions"]) == 0
    assert "draw_again()" in path.read_text("utf-8")


def test_help_makes_nothing(make, tmp_path, monkeypatch, capsys):
    make()
    monkeypatch.setattr(student, "LAB", tmp_path / "lab")
    monkeypatch.setattr(student, "STUDENT", tmp_path / "student")
    with pytest.raises(SystemExit) as ended:
        student.main(["--help"])
    assert ended.value.code == 0
    assert "--solutions" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        student.main(["chapter.ipynb"])
    assert ended.value.code == 2
    assert not (tmp_path / "lab").exists()
    assert not (tmp_path / "student").exists()
