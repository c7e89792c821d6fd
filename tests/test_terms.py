"""The glossary: links to it from the chapters, and from it to where a term is explained."""

from tools.build import terms

import nbformat
import pytest

GLOSSARY = """# Glossary

```{glossary}
batch
  Some examples.

gradient
  A slope, of a {term}`loss`.

gradient descent
  Steps against it.

loss
  A number.

  A second paragraph.
```

The end.
"""


def chapter(*sources, title="Down"):
    cells = [nbformat.v4.new_markdown_cell(text) for text in (f"# {title}", *sources)]
    return nbformat.v4.new_notebook(cells=cells)


def linked(*sources, links=None):
    notebook = chapter(*sources)
    (links or terms.Links(GLOSSARY)).add(notebook)
    return [cell.source for cell in notebook.cells[1:]]


def test_the_first_use_of_a_term_leads_to_the_glossary():
    assert linked("A loss, and a loss.", "The loss.") == ["A {term}`loss <loss>`, and a loss.", "The loss."]
    assert linked("Batches of ten.") == ["{term}`Batches <batch>` of ten."]
    assert linked("Gradient descent.") == ["{term}`Gradient descent <gradient descent>`."]
    assert linked("a lossless, mini-batch") == ["a lossless, mini-batch"]


@pytest.mark.parametrize(
    "text",
    [
        "## The loss",
        "`loss`",
        "```python\nloss = 1\n```",
        "$loss$",
        "$$\nloss\n$$ (eq-loss)",
        "[the loss](optimization.ipynb)",
        "{ref}`the loss <loss>`",
        "(loss)=",
        ":::{note} The loss",
        "<details class='hint'><summary>The loss</summary>\n\n",
        "<b>x</b> the loss",
    ],
)
def test_what_is_no_running_text_stays(text):
    assert linked(text, "A loss") == [text, "A {term}`loss <loss>`"]


def test_what_stands_below_a_line_of_html_is_text():
    (text,) = linked("<details><summary>Hint</summary>\n\nThe loss.\n\n</details>")
    assert text == "<details><summary>Hint</summary>\n\nThe {term}`loss <loss>`.\n\n</details>"


def test_a_bold_term_is_a_place_and_the_glossary_leads_there():
    links = terms.Links(GLOSSARY)
    first = linked("A loss first.", "The **loss** and **batches**; a loss, and **much**.", links=links)
    assert first == [
        "A loss first.",
        "The [**loss**]{#term-loss} and [**batches**]{#term-batch}; a loss, and **much**.",
    ]
    assert linked("The **loss**.", links=links) == ["The **{term}`loss <loss>`**."]
    assert links.places(GLOSSARY) == GLOSSARY.replace(
        "Some examples.\n", "Some examples. {ref}`→ Down <term-batch>`\n"
    ).replace("A second paragraph.\n", "A second paragraph. {ref}`→ Down <term-loss>`\n\n")


def test_without_a_glossary_nothing_changes():
    assert linked("A loss.", links=terms.Links("# Nothing")) == ["A loss."]
