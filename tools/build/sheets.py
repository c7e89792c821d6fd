"""What becomes of a staged page on paper, where nothing can be opened, played or worked with.

Hints, solutions and the answers of the quiz move to the end of the page, each with a link from where it stood. Of a
player and of a live figure the picture is left, and what it would show is said below it. Checks and the code of cells
that only draw stay away, as on the printed site.
"""

import itertools
import re

from tools.build import book, notebooks, tables

import nbformat

# A fold of the page, a heading, or a question; or a fenced block, in which none of them is meant.
_PIECE = re.compile(
    r"^(?P<fence>`{3,})[^\n]*\n.*?^(?P=fence)[ ]*$"
    r'|^<details class="(?P<kind>hint|quiz)"><summary>(?P<summary>[^\n]*)</summary>\n(?P<text>.*?)\n</details>$'
    r"|^\#{1,3}[ ](?P<heading>[^\n]*)$"
    r"|^\*(?P<question>Question[ ]\d+)\.\*"
    r"|^Open[ ]an[ ]answer[^\n]*\.\n\n",
    re.MULTILINE | re.DOTALL,
)
_DROPDOWN = re.compile(r"\A(:{3,})\{dropdown\}[^\n]*\n(.*)\n\1\Z", re.DOTALL)
PLAYER, LIVE = "dl-player", "data-live="
GISTS = {
    PLAYER: "Here is the last picture of an animation, which runs on the site and in the notebook: {}",
    LIVE: "On the site and in the notebook this figure is there to be worked with; here is its picture: {}",
}
NOTE = """:::{{admonition}} On paper
:class: on-paper
This edition holds the whole book, to be read without a computer. The answers of each quiz{solutions} and the hints
stand at the end of their chapter. Of an animation you see its last picture, of a figure that is there to be worked
with, a picture of it; what else they show is told below them. Left away are the checks of what was said, and the code
of cells that only draw: they stand on the site and in the notebooks.
:::"""


class _End:
    """What is to stand at the end of the page called ``name``."""

    def __init__(self, name):
        self.name = name
        self.hints, self.solutions, self.answers = [], [], []
        self.heading = ""  # the last one that was passed
        self.question = ""

    def moved(self, source):
        """``source``, Markdown, without its folds, which are kept here."""
        return _PIECE.sub(self._piece, source)

    def _piece(self, match):
        if match["heading"]:
            self.heading = match["heading"]
        elif match["question"]:
            self.question = match["question"]
            self.answers.append((self.question, []))
        elif match["kind"] == "hint":
            label = f"{self.name}-hint-{len(self.hints) + 1}"
            self.hints.append((label, self.heading, match["summary"], match["text"].strip()))
            return f"{{.elsewhere}}\n[{match['summary']}](#{label})"
        elif match["kind"] == "quiz":
            if not self.answers:
                raise notebooks.ChapterError(f"{self.name}: a quiz's answers stand before its first question")
            answers = self.answers[-1][1]
            answers.append(match["text"].strip())
            return f"{{.option}}\n({chr(ord('a') + len(answers) - 1)}) {match['summary']}"
        elif match[0].startswith("Open"):
            return f"[The answers](#{self.name}-quiz) stand at the end of the chapter.\n\n"
        return match[0]

    def solution(self, heading):
        """The label of the solution of the exercise below ``heading``, and whether it is a new one."""
        new = not self.solutions or self.solutions[-1][0] != heading
        if new:
            self.solutions.append((heading, []))
        return f"{self.name}-solution-{len(self.solutions)}", new

    def cells(self):
        """The cells of the last section of the page, of which there may be none."""
        parts = [
            (self.hints, "Hints", "Hints" if {hint[2] for hint in self.hints} != {"Answer"} else "Answers"),
            (self.solutions, "Solutions", "solutions"),
            (self.answers, "Answers of the quiz", "answers"),
        ]
        words = [word for kept, _, word in parts if kept]
        if not words:
            return []
        alone = len(words) == 1
        title = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
        made = [f"## {title[0].upper()}{title[1:]}"]
        if self.hints:
            made += [] if alone else ["### Hints"]
            made += [f"({label})=\n**{_sentence(heading)}** {text}" for label, heading, _, text in self.hints]
        if self.solutions:
            made += [] if alone else ["### Solutions"]
            for number, (heading, cells) in enumerate(self.solutions, 1):
                made += [f"({self.name}-solution-{number})=\n#### {heading}", *cells]
        if self.answers:
            made += [f"({self.name}-quiz)=" + ("" if alone else "\n### Answers of the quiz")]
            for question, answers in self.answers:
                lines = [f"({chr(ord('a') + n)}) {text}" for n, text in enumerate(answers)]
                made.append(f"*{question}.*\n\n" + "\n\n".join(f"{{.option}}\n{line}" for line in lines))
        return [
            nbformat.v4.new_markdown_cell(cell, id=f"end-{number}") if isinstance(cell, str) else cell
            for number, cell in enumerate(made)
        ]


def _sentence(heading):
    return heading if heading[-1] in ".?!" else f"{heading}."


def as_picture(cell):
    """Put the picture of a player or of a live figure in its place, and what it would show into its caption."""
    for output in cell.get("outputs", []):
        shown = output.get("data", {}).get("text/html", "")
        for kind, gist in GISTS.items():
            if kind in shown:
                says = output.data["text/plain"]
                output.data = nbformat.from_dict({"image/png": output.data["image/png"], "text/plain": says})
                settings = cell.metadata.setdefault("mystnb", {})
                settings.setdefault("image", {})["alt"] = says
                if "figure" in settings:
                    caption = settings["figure"]["caption"].strip()
                    settings["figure"]["caption"] = f"{caption} *{gist.format(book.plain(says))}*"
                break


def _is_folded(cell):
    """Whether the site shows ``cell`` only to who opens it: a solution, or what comes of it."""
    folded = cell.cell_type == "markdown" and _DROPDOWN.match(cell.source)
    return bool(folded) or "hide-cell" in cell.metadata.get("tags", [])


def _is_mute(cell):
    """Whether nothing is left of ``cell`` once its source is away, or it holds tables to download."""
    hidden = cell.cell_type == "code" and "hide-input" in cell.metadata.get("tags", [])
    return cell.id.startswith(tables.CELL) or (hidden and not cell.get("outputs"))


def notebook(staged, name):
    """Make a sheet of the ``staged`` notebook, a chapter called ``name`` as book.page_of leaves it, in place."""
    end, kept, heading = _End(name), [], ""
    staged.cells = [cell for cell in staged.cells if not _is_mute(cell)]
    for cell, following in itertools.zip_longest(staged.cells, staged.cells[1:]):
        as_picture(cell)
        tags = cell.metadata.get("tags", [])
        folded = _DROPDOWN.match(cell.source) if cell.cell_type == "markdown" else None
        # What leads over from a solution to what comes of it goes with them.
        between = (
            cell.cell_type == "markdown" and not _PIECE.search(cell.source) and following and _is_folded(following)
        )
        if _is_folded(cell) or (between and end.solutions and end.solutions[-1][0] == heading):
            label, new = end.solution(heading)
            if new:
                link = f"{{.elsewhere}}\n[Solution](#{label})"
                kept.append(nbformat.v4.new_markdown_cell(link, id=f"to-{label}"[:64]))
            if folded:
                cell.source = folded[2]
            cell.metadata["tags"] = [tag for tag in tags if tag != "hide-cell"]
            end.solutions[-1][1].append(cell)
        elif cell.cell_type == "markdown":
            cell.source = end.moved(cell.source)
            heading = end.heading
            kept.append(cell)
        else:
            cell.metadata["tags"] = [tag if tag != "hide-input" else "remove-input" for tag in tags]
            kept.append(cell)
    staged.cells = [*kept, *end.cells()]
    return staged


def page(source, name):
    """The sheet of a page that is Markdown."""
    end = _End(name)
    return "\n\n".join([end.moved(source), *(cell.source for cell in end.cells())]) + "\n"


def root(source, solutions):
    """The first page: it is no longer the book's title that stands above it, and it says what this edition is."""
    source = re.sub(r"^# .*$", "# About this book", source, count=1, flags=re.MULTILINE)
    note = NOTE.format(solutions=", the solutions" if solutions else "")
    where = re.search(r"^## How to read\n\n", source, re.MULTILINE)
    return f"{source[: where.end()]}{note}\n\n{source[where.end() :]}" if where else f"{source}\n{note}\n"
