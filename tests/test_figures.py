"""The pictures that no cell draws: what they show is what the book holds."""

import re
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


@pytest.fixture(scope="module")
def costs():
    """What costs.py makes of what was measured, the record of that, and the page."""
    script = runpy.run_path(str(BOOK / "figures" / "costs.py"))
    return script, script["record"](), (BOOK / "costs.md").read_text("utf-8")


def test_the_page_on_costs_tells_what_was_measured(costs):
    script, kept, page = costs
    assert script["table"](kept["rows"]) in page
    assert kept["machine"] in page
    for name in ("ratios", "growth", "limit"):
        assert f"figures/costs-{name}.png" in page
    text = " ".join(page.split())
    told = list(script["phrases"](kept))
    assert [phrase for phrase in told if phrase not in text] == []
    # What is left when these are taken away has no measured number in it.
    rest = re.sub(r"```bash[^`]*```|`[^`]*`|^\|[^\n]*$", "", page, flags=re.MULTILINE)
    for phrase in [*told, kept["machine"]]:
        rest = " ".join(rest.split()).replace(phrase, "")
    assert re.findall(r"\d+\.\d+|\d+ %", rest) == []


def test_what_the_page_on_costs_says_in_words_is_so(costs):
    script, kept, _ = costs
    rows = {(row["work"], row["peer"]): row for row in kept["rows"]}
    assert all(row["same_quality"] is not False for row in kept["rows"])
    sessions = {work: row["ratio"] for (work, peer), row in rows.items() if peer == "TF 1 session"}
    assert min(sessions, key=sessions.get) == "autoencoder", "where the products are large, it loses least"
    assert 1 < rows["mnist", "NumPy"]["ratio"] < 2, "NumPy is nearly as fast"
    jax = kept["others"][0]
    assert 5 * jax["peer_epoch_s"] < jax["peer_s"] / 2, "most of its time is start-up"
    limits = {row["work"]: row["book"] / row["products"] for row in kept["limits"]}
    assert limits["autoencoder"] < 1.2 < min(limits["mnist"], limits["astronaut"]), "hardly longer"
    for ours, theirs in script["pairs_of"](kept):
        assert 3 < theirs["epoch_s"] / ours["epoch_s"] < 30, "some ten times as high"
        if ours["size"] == 60_000:
            assert abs(ours["rss_mb"] / theirs["rss_mb"] - 1) < 0.05, "level"
