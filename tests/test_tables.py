"""The numbers of figures: read out of the figure, laid out as tables and files, and on the page."""

import asyncio
import csv
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from dlutils import plotting, tabulate
from tools.build import book, exercises, notebooks, tables

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

PROLOGUE = notebooks.settings()["prologue"]


@pytest.fixture
def ax():
    return Figure().add_subplot()


def panel(ax):
    (found,) = tabulate.panels_of(ax.figure)
    return found


def series(ax):
    return {each["name"]: each for each in panel(ax)["series"]}


def table(ax):
    (found,) = tables.tables_of(panel(ax))
    return found


def columns(ax):
    return dict(table(ax)["columns"])


def test_lines_with_their_places_in_common_stand_in_one_table(ax):
    ax.plot([1, 2, 4], [0.5, 0.25, 0.125], label="ours")
    ax.plot([2, 4], [3, 5], "--", label="theirs")
    ax.set(xlabel="step", ylabel="loss", title="a run", xscale="log")
    assert table(ax) == {
        "caption": "a run: loss by step",
        "x": "step",
        "places": [1, 2, 4],
        "columns": [("ours", [0.5, 0.25, 0.125]), ("theirs", [None, 3, 5])],
        "log": True,
    }


def test_lines_with_places_of_their_own_get_tables_of_their_own(ax):
    ax.plot([1, 2, 3], [4, 5, 6], label="a")
    ax.plot([1.5, 2.5], [7, 8], label="b")
    first, second = tables.tables_of(panel(ax))
    assert first["caption"].endswith(", a")
    assert second["caption"].endswith(", b")
    assert second["places"] == [1.5, 2.5]


def test_a_few_points_among_many_are_not_lost(ax):
    ax.plot(np.arange(1000), label="line")
    ax.plot([7, 77, 777], [1, 2, 3], "o", label="points")
    ax.plot(np.arange(500, 1000), np.arange(500), label="second half")
    by_name = {table["columns"][0][0]: table for table in tables.tables_of(panel(ax))}
    assert set(by_name) == {"line", "points"}
    assert by_name["points"]["places"] == [7, 77, 777]
    assert [head for head, _ in by_name["line"]["columns"]] == ["line", "second half"]


def test_a_path_that_turns_back_is_kept_in_its_order(ax):
    ax.plot([1, 2, 1], [4, 5, 6], label="path")
    ax.plot([1, 2], [7, 8], label="line")
    assert [each["places"] for each in tables.tables_of(panel(ax))] == [[1, 2, 1], [1, 2]]


def test_a_line_without_a_name_is_called_after_its_axis_and_names_are_given_once(ax):
    ax.plot([1, 2, 3])
    ax.set(ylabel="loss")
    assert list(columns(ax)) == ["loss"]
    ax.plot([2, 3, 4])
    ax.plot([2, 3, 5], label="_hidden from the legend")
    assert list(columns(ax)) == ["loss, line 1", "loss, line 2", "hidden from the legend"]


def test_the_title_of_a_legend_belongs_to_its_names(ax):
    ax.plot([1, 2], label="16")
    ax.plot([1, 2, 3], label="_16")
    ax.legend(title="batches of")
    assert set(series(ax)) == {"batches of 16", "16"}


def test_what_an_axis_is_called_may_stand_elsewhere():
    figure = Figure()
    upper, lower = figure.subplots(2, sharex=True)
    upper.plot([1, 2, 3])
    lower.plot([1, 2, 3])
    lower.set(xlabel="step")
    upper.set(ylabel="loss")
    figure.supylabel("y of all")
    above, below = tabulate.panels_of(figure)
    assert (above["x"], above["y"], below["x"], below["y"]) == ("step", "loss", "step", "y of all")
    assert tables.tables_of(below)[0]["caption"] == "Panel 2 of 2: y of all by step"


def test_error_bars_are_said(ax):
    ax.errorbar([1, 2, 3], [5, 6, 7], [1, np.nan, 0.5], label="even", capsize=3)
    ax.errorbar([1, 2, 3], [5, 6, 7], [[1, 1, 1], [2, 2, 2]], label="uneven")
    expected = {
        "even": [5, 6, 7],
        "even: ±": [1, None, 0.5],
        "uneven": [5, 6, 7],
        "uneven: from": [4, 5, 6],
        "uneven: to": [7, 8, 9],
    }
    assert columns(ax) == expected


def test_points_with_names_and_bars_to_both_sides_lie_along_the_other_axis(ax):
    ax.errorbar([5, 6], ["plain", "dropout"], xerr=2, fmt="o", capsize=4)
    ax.axvline(0)
    ax.set(xlabel="gain")
    found = panel(ax)
    assert table(ax)["places"] == ["plain", "dropout"]
    assert columns(ax) == {"gain": [5, 6], "gain: ±": [2, 2]}
    assert (table(ax)["caption"], table(ax)["x"]) == ("gain", "case")
    assert found["also"] == ["A vertical line stands at 0."]


def test_bars_tell_where_they_end_and_stacked_ones_how_long_they_are(ax):
    ax.bar([0, 1], [2, 3], label="low")
    ax.bar([0, 1], [4, 5], bottom=[2, 3], label="high")
    ax.set_xticks([0, 1], ["one", "two"])
    assert table(ax)["places"] == ["one", "two"]
    assert columns(ax) == {"low": [2, 3], "high": [4, 5]}


def test_bars_that_begin_at_one_on_an_axis_of_ratios_tell_the_ratio(ax):
    ax.barh([-0.2, 0.8], np.array([10, 0.5]) - 1, 0.38, left=1, label="graph")
    ax.barh([0.2, 1.2], np.array([100, 2]) - 1, 0.38, left=1, label="XLA")
    ax.set(xscale="log", xlabel="times faster")
    ax.set_yticks([0, 1], ["small", "large"])
    assert columns(ax) == {"graph": [10, 0.5], "XLA": [100, 2]}
    assert table(ax)["places"] == ["small", "large"]


def test_histograms_and_stairs_tell_the_range_of_each_bar(ax):
    edges = [0, 1, 2, 3]
    ax.hist([[0.5, 0.5, 2.5], [1.5]], edges, stacked=True, label=["a", "b"])
    ax.stairs([3, 2, 1], edges, label="by chance")
    assert table(ax)["places"] == ["0 to 1", "1 to 2", "2 to 3"]
    assert columns(ax) == {"a": [2, 0, 1], "b": [0, 1, 0], "by chance": [3, 2, 1]}


def test_stems_are_bars(ax):
    ax.stem(range(3), [0.1, 0.2, 0.7], basefmt=" ")
    ax.set(ylabel="probability")
    assert columns(ax) == {"probability": [0.1, 0.2, 0.7]}


def test_what_only_helps_is_said_in_words(ax):
    ax.plot([1, 2, 3], [1, 2, 3])
    ax.axhline(0.25, label="noise")
    ax.axvline(2)
    ax.axvspan(1, 2)
    ax.plot(2, 3, "*")
    ax.plot([1, 3], [4, 5], "--")
    ax.plot(np.ones((3, 4)), np.ones((3, 4)), "+")
    ax.axline((0, 0), slope=1)
    assert len(panel(ax)["series"]) == 1
    assert panel(ax)["also"] == [
        "The range from 1 to 2 is shaded.",
        "A horizontal line stands at 0.25 (noise).",
        "A vertical line stands at 2.",
        "A mark stands at (2, 3).",
        "A line leads from (1, 4) to (3, 5).",
        "There are 12 single points, which are not in the table.",
    ]


def test_only_what_is_shown_is_told(ax):
    ax.plot([1, 2, 3, 4], [1, 2, np.nan, np.inf])
    ax.plot([1, 2], [1, 2], visible=False)
    ax.set(xlim=(1.5, 4))
    (found,) = panel(ax)["series"]
    assert (found["x"], found["y"]) == ([2, 3, 4], [2, None, None])


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plotting.plot_classes(np.eye(2), np.array([0, 1]), ax=ax),
        lambda ax: ax.contour(np.eye(3)),
        lambda ax: ax.contourf(np.eye(3)),
        lambda ax: ax.imshow(np.eye(3)),
        lambda ax: ax.pcolormesh(np.eye(3)),
        lambda ax: ax.axis("off"),
        lambda ax: ax.set_visible(False),
    ],
)
def test_maps_pictures_and_networks_have_no_numbers(ax, draw):
    ax.plot([1, 2, 3])
    draw(ax)
    assert tabulate.panels_of(ax.figure) is None


def test_a_cloud_of_points_and_a_network_have_no_numbers(ax):
    ax.plot([1, 2, 3], [3, 1, 2], "o")
    assert tabulate.panels_of(ax.figure) is None
    assert tabulate.panels_of(plotting.plot_network([2, 3]).figure) is None
    plt.close("all")


def test_fits_are_told_in_their_order(ax):
    plotting.plot_fits([1, 2, 3], np.arange(9).reshape(3, 3), ax=ax)
    assert columns(ax) == {"fit 1 of 3": [0, 1, 2], "fit 2 of 3": [3, 4, 5], "fit 3 of 3": [6, 7, 8]}


def test_a_player_tells_the_numbers_of_its_last_frame():
    player = plotting.animate(lambda ax, n: ax.plot([1, 2, 3], [n, n, n]), [1, 2], alt="A line rises.")
    (found,) = tabulate.panels_of(player.last)
    assert found["series"][0]["y"] == [2, 2, 2]


def cells_of(text):
    """The caption, the heads, the rows and the rows at the foot of a table that is well-formed XML."""
    root = ElementTree.fromstring(text)
    rows = {
        name: [[cell.text for cell in row] for row in root.iterfind(f".//{name}/tr")]
        for name in ("thead", "tbody", "tfoot")
    }
    assert {cell.get("scope") for cell in root.iterfind(".//thead//th")} == {"col"}
    assert {row[0].get("scope") for row in root.iterfind(".//tbody/tr")} == {"row"}
    return root.find(".//caption").text, rows["thead"][0], rows["tbody"], rows["tfoot"]


def test_a_long_line_is_thinned_and_its_extremes_stand_below(ax):
    y = np.sin(np.arange(2001) / 100)
    ax.plot(y)
    ax.set(xlabel="step", ylabel="height")
    caption, head, body, foot = cells_of(tables.as_html(table(ax)))
    assert caption == "height by step (every 100th of 2,001 points)"
    assert head == ["step", "height"]
    assert [row[0] for row in body] == [f"{n:,}" for n in range(0, 2001, 100)]
    assert float(body[3][1]) == pytest.approx(y[300], abs=1e-4)
    assert foot == [["lowest of all", "−1"], ["highest of all", "1"]]
    text, what = tables.as_csv(table(ax))
    rows = list(csv.reader(io.StringIO(text)))
    assert what.startswith("all 2,001 rows")
    np.testing.assert_allclose(np.array(rows[1:], dtype=float)[:, 1], y, atol=1e-7)


def test_the_last_point_is_always_shown_and_short_lines_are_whole(ax):
    ax.plot(range(100))
    caption, _, body, _ = cells_of(tables.as_html(table(ax)))
    assert caption.endswith("(every 5th of 100 points, and the last)")
    assert body[-1][0] == "99"
    assert tables.chosen(list(range(26)), False) == (list(range(26)), "")


def test_on_a_logarithmic_axis_rows_are_thinned_by_powers(ax):
    ax.plot(range(1, 1001), range(1, 1001))
    ax.set(xscale="log")
    rows, which = tables.chosen(table(ax)["places"], table(ax)["log"])
    assert rows[:5] == [0, 1, 2, 3, 4]
    assert rows[-1] == 999
    assert which == f"{len(rows)} of 1,000 points"
    assert len(rows) <= tables.ROWS + 1


def test_many_lines_of_one_name_are_told_by_their_spread(ax):
    ax.plot(np.arange(3), np.arange(21).reshape(3, 7), label="_fit")
    ax.plot([5, 5, 5], label="sine")
    _, head, body, _ = cells_of(tables.as_html(table(ax)))
    assert head == ["x", "fit, lowest of 7", "fit, middle of 7", "fit, highest of 7", "sine"]
    assert body[1][1:] == ["7", "10", "13", "5"]
    assert len(next(csv.reader(io.StringIO(tables.as_csv(table(ax))[0])))) == 9


def test_very_long_lines_are_thinned_in_the_file_too_and_it_says_so(ax):
    ax.plot(np.arange(20_000))
    text, what = tables.as_csv(table(ax))
    assert what.startswith("5,000 of 20,000 rows")
    assert text.count("\n") == 5001


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (12345.678, "12,350"), (1234.5, "1,234"), (0.000123456, "0.0001235"), (-0.5, "−0.5"),
        (1.5e-9, "1.5e−9"), (0.00001, "1e−5"), (2.5e12, "2.5e12"), ("a < b", "a &lt; b"), (999.96, "1000"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are_read(value, text):
    assert tables.shown(value) == text


def test_formulas_and_markup_in_names_are_harmless():
    assert tables.said("rate $10^{-6}$\n<b>") == "rate 10<sup>−6</sup> &lt;b&gt;"
    assert tables.said(r"κ$_\mathrm{max}$ & x") == "κ<sub>max</sub> &amp; x"


DRAWING = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [1, 4, 9], label='squares')\nplt.legend();"


def executed(folder, *sources, tags=()):
    cells = [nbformat.v4.new_markdown_cell("(chapter)=\n# A chapter")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells[1:], 1):
        cell.metadata.update(
            {"mystnb": {"figure": {"name": f"fig-{number}", "caption": "A line."}}, "tags": list(tags)}
        )
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "chapter.ipynb")
    made, _, _ = asyncio.run(notebooks.run(folder / "chapter.ipynb", timeout=60, prologue=PROLOGUE))
    made.metadata["book"] = {"provenance": ""}
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return executed(tmp_path_factory.mktemp("run"), DRAWING, "plt.imshow([[1, 2]]);")


def test_a_chapter_that_runs_for_the_site_gives_its_numbers_and_the_page_has_them(run, tmp_path):
    page = book.page_of(run.copy(), "chapter")
    assert tables.NUMBERS == tabulate.MIME
    assert [list(output.data) for output in page.cells[1].outputs] == [["text/plain", "image/png", tables.NUMBERS]]
    assert page.cells[1].execution_count == 1, "the prologue counts as no cell"
    tables.unfold(page, tmp_path, "../_static/")
    assert "vnd.dlutils.numbers" not in nbformat.writes(page)
    nbformat.validate(page)
    assert [cell.cell_type for cell in page.cells] == ["markdown", "code", "markdown", "code"], "images have no table"
    fold = BeautifulSoup(page.cells[2].source, "html.parser").find("details")
    assert not fold.has_attr("open")
    assert [[cell.text for cell in row("td")] for row in fold.tbody("tr")] == [["1"], ["4"], ["9"]]
    assert fold.a["href"] == "../_static/numbers/fig-1.csv"
    text = (tmp_path / "numbers" / "fig-1.csv").read_text("utf-8-sig")
    assert text.split() == ["x,squares", "1,1", "2,4", "3,9"]


def test_the_edition_without_solutions_has_no_numbers_of_solutions(tmp_path):
    made = executed(tmp_path, DRAWING, tags=[exercises.EXERCISE])
    page = book.page_of(made, "chapter", solutions=False)
    tables.unfold(page, tmp_path / "out", "")
    assert not [cell for cell in page.cells if "dl-numbers" in cell.source or cell.get("outputs")]
    assert not Path(tmp_path, "out").exists()
