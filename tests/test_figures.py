"""The pictures that no cell draws: what they show is what the book holds."""

import runpy

from tools.build import notebooks

import nbformat
import pytest
import yaml

BOOK = notebooks.ROOT / "book"


@pytest.fixture(scope="module")
def plan():
    """What map.py says of the book."""
    return runpy.run_path(str(BOOK / "figures" / "map.py"))


def test_the_map_has_the_parts_and_chapters_of_the_book_in_their_order(plan):
    parts = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text("utf-8"))["parts"]
    named = {
        part["caption"]: [entry["file"].removeprefix("book/") for entry in part["chapters"]]
        for part in parts
        if part["numbered"]
    }
    assert {part: chapters.split() for part, (_, chapters) in plan["PARTS"].items()} == named
    assert sorted(plan["BOXES"]) == sorted(chapter for chapters in named.values() for chapter in chapters)


def test_what_a_chapter_leans_on_is_named_in_it_and_stands_before_it(plan):
    order = [chapter for _, chapters in plan["PARTS"].values() for chapter in chapters.split()]
    assert set(plan["NEEDS"]) == set(order[1:])
    for chapter, needed in plan["NEEDS"].items():
        cells = nbformat.read(BOOK / f"{chapter}.ipynb", 4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for other in needed:
            assert order.index(other) < order.index(chapter)
            assert f"{{ref}}`{other}`" in text or f"<{other}>`" in text, f"{chapter} does not name {other}"


def test_the_page_on_costs_tells_what_was_measured():
    costs = runpy.run_path(str(BOOK / "figures" / "costs.py"))
    page, kept = (BOOK / "costs.md").read_text("utf-8"), costs["record"]()
    assert costs["table"](kept["rows"]) in page
    assert kept["machine"].split(",")[0] in page
    for name in ("ratios", "growth", "limit"):
        assert f"figures/costs-{name}.png" in page
