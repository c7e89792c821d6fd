"""References, captions and boxes of the book in plain words, for notebooks that are opened in Jupyter.

What MyST and Sphinx make of ``{numref}`fig-x```, ``(label)=``, ``:::{note}`` and of captions in the metadata of cells,
Jupyter does not show. The numbers are those of the website.
"""

import re

from tools.build import notebooks

import nbformat
import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

LABEL = re.compile(r"^\(([\w-]+)\)=[ \t]*\n+", re.MULTILINE)
EQUATION = re.compile(r"^\$\$([^$]*?)\n?\$\$[ \t]*\(([\w-]+)\)[ \t]*$", re.MULTILINE)
BOX = re.compile(r"^(:{3,}|`{3,})\{([\w-]+)\}[ \t]*([^\n]*)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(:[\w-]+:[^\n]*\n)+")
NAMED = {"note", "tip", "hint", "important", "warning", "caution", "attention", "danger", "seealso"}
INLINE = re.compile(
    r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|\$\$.*?\$\$|(?<!\\)\$[^$\n]+\$)"
    r"|\{(?P<role>[a-z:]+)\}`(?P<what>[^`]+)`"
    r"|(?P<span>(?P<ticks>`+)(?!`)(?:(?!\n\n).)*?(?<!`)(?P=ticks)(?!`))"
    r"|(?<!!)\[(?P<text>[^\]\n]*)\]\((?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)


class Book:
    """What the pages of the book, as their sources stand, are called and numbered."""

    def __init__(self):
        config = yaml.safe_load((notebooks.ROOT / "_config.yml").read_text("utf-8"))
        self.title = config.get("title", "")
        self.address = (config.get("html") or {}).get("baseurl", "").rstrip("/")
        self.page_of, self.title_of, self.number_of = {}, {}, {}
        self.chapter_number = _chapter_numbers()
        for page in notebooks.pages():
            self._read(page)
        self.entries = {}
        for path in config.get("bibtex_bibfiles") or []:
            self.entries |= parse_file(notebooks.ROOT / path).entries

    def _read(self, page):
        """Note the titles and labels of ``page``, and number its figures and equations."""
        if (notebooks.ROOT / f"{page}.md").is_file():
            parts = [((notebooks.ROOT / f"{page}.md").read_text("utf-8"), None)]
        else:
            cells = notebooks.read(notebooks.ROOT / f"{page}.ipynb").cells
            parts = [(cell.source if cell.cell_type == "markdown" else "", _figure(cell)) for cell in cells]
        chapter = [str(self.chapter_number[page])] if page in self.chapter_number else []
        figures, equations = 0, 0
        for text, figure in parts:
            if figure:
                figures += 1
                self.number_of[figure.get("name")] = ".".join([*chapter, str(figures)])
            for _, label in EQUATION.findall(text):
                equations += 1
                self.number_of[label] = ".".join([*chapter, str(equations)])
            for label in LABEL.findall(text):
                self.page_of[label] = page
            for label, level, title in re.findall(r"^\(([\w-]+)\)=\s+(#+) (.*)$", text, re.MULTILINE):
                self.title_of[label] = title
                if level == "#" and chapter:
                    self.number_of[label] = chapter[0]
            if title := re.search(r"^# (.*)$", text, re.MULTILINE):
                self.title_of.setdefault(page, title[1])

    def link(self, text, page, anchor=""):
        """``text``, as a link to the website's ``page`` if that has an address."""
        return f"[{text}]({self.address}/{page}.html{anchor})" if self.address and page else text

    def words(self, text, cited=()):
        """Markdown ``text`` without the book's own markup; ``cited`` are the keys of what is cited along with it."""
        short = _short({key: self.entries[key] for key in [*cited, *_cited(text)] if key in self.entries})

        def inline(found):
            if found["role"]:
                return self._role(found["role"], found["what"], short)
            if found["target"]:
                return self._followed(found["text"], found["target"])
            return found[0]

        return INLINE.sub(inline, self._in_quotes(LABEL.sub("", text)))

    def _in_quotes(self, text):
        """``text`` with its boxes as quotes, and its numbered equations with their numbers."""

        def quote(found):
            _, name, title, body = found.groups()
            title = title if title or name not in NAMED else name.capitalize().replace("Seealso", "See also")
            body = self._in_quotes(OPTIONS.sub("", body)).strip()
            if name == "div":
                return body
            return "\n".join(
                f"> {line}".rstrip() for line in [*([f"**{title}**", ""] if title else []), *body.split("\n")]
            )

        def numbered(found):
            formula, label = found.groups()
            return f"$${formula}\n\\tag{{{self.number_of.get(label, '?')}}}\n$$"

        return EQUATION.sub(numbered, BOX.sub(quote, text))

    def _role(self, role, what, short):
        """What a role like ``{ref}`` says."""
        given = re.fullmatch(r"(.*?)\s*<([^<>]+)>", what, re.DOTALL)
        text, target = given.groups() if given else ("", what)
        number = self.number_of.get(target, "?")
        if role == "numref":
            text = text or ("Section %s" if target in self.title_of else "Fig. %s")
            return text.replace("%s", number).replace("{number}", number)
        if role == "eq":
            return f"({number})"
        if role == "ref":
            return self.link(text or f"*{self.title_of.get(target, target)}*", self.page_of.get(target), f"#{target}")
        if role == "doc":
            page = f"book/{target.lstrip('/').removeprefix('book/')}"
            return self.link(text or f"*{self.title_of.get(page, target)}*", page)
        if role.startswith("cite"):
            names = [short.get(key.strip(), (key, "n.d.")) for key in what.split(",")]
            if role in ("cite:t", "cite:ct"):
                return " and ".join(f"{authors} ({year})" for authors, year in names)
            return f"({'; '.join(f'{authors}, {year}' for authors, year in names)})"
        return text or target

    def _followed(self, text, target):
        """A link in Markdown, which may lead to another page of the book."""
        if re.match(r"[a-z]+:", target):
            return f"[{text}]({target})"
        file, _, anchor = target.partition("#")
        page = f"book/{file.rpartition('.')[0]}" if file else self.page_of.get(anchor)
        title = f"*{self.title_of.get(anchor) or self.title_of.get(page, target)}*"
        return self.link(text or title, page, f"#{anchor}" if anchor else "")

    def caption(self, cell):
        """The caption of a cell that draws a figure, with its number, in Markdown; or None."""
        if not (figure := _figure(cell)):
            return None
        return f"**Fig. {self.number_of.get(figure.get('name'), '?')}** {self.words(figure.get('caption', ''))}"

    def in_words(self, notebook):
        """``notebook`` with all of this in words: captions below figures, and at the end the works that it cites."""
        cells, cited = [], _cited("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"))
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.words(cell.source, cited)
            cells.append(cell)
            if caption := self.caption(cell):
                cells.append(nbformat.v4.new_markdown_cell(caption, id=f"{cell.id[:50]}-caption"))
        if cited:
            listed = "\n".join(f"- {each}" for each in self._works(cited))
            cells.append(nbformat.v4.new_markdown_cell(f"## References\n\n{listed}", id="references"))
        notebook.cells = cells
        return notebook

    def _works(self, cited):
        """The works with these keys: authors, title, where and when, in Markdown, by author."""
        short = _short({key: self.entries[key] for key in cited if key in self.entries})
        entries = sorted(
            (self.entries[key] for key in short), key=lambda entry: [each.lower() for each in short[entry.key]]
        )
        style, backend = find_plugin("pybtex.style.formatting", "unsrt")(), find_plugin("pybtex.backends", "markdown")()
        for entry in style.format_entries(entries):
            text = " ".join(entry.text.render(backend).split())
            text = re.sub(r"\\([^\w\s*_`\[\]\\])", r"\1", text)  # escaped more than need be
            text = re.sub(r"\\+url (\S+?)(?=[,.]?( |$))", _address, text)
            authors, year = short[entry.key]
            yield f"{authors} ({year}): {text}"


def _cited(text):
    """The keys of the works that ``text`` cites, each once."""
    found = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    return list(dict.fromkeys(key.strip() for keys in found for key in keys.split(",")))


def _address(found):
    """What an address is that pybtex has left in LaTeX."""
    return f"<{found[1].replace(chr(92), '')}>"


def _chapter_numbers():
    """The numbers of the pages that _toc.yml numbers, counted on from part to part."""
    toc = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text("utf-8"))
    parts = toc.get("parts") or [toc]
    numbered = [chapter["file"] for part in parts if part.get("numbered") for chapter in part.get("chapters", [])]
    return {page: number for number, page in enumerate(numbered, 1)}


def _figure(cell):
    """What the metadata say of the figure that ``cell`` draws, or None."""
    return cell.metadata.get("mystnb", {}).get("figure")


def _short(entries):
    """By key, authors and year as they are cited; a letter tells apart what would read the same."""
    found = {}
    for key, entry in entries.items():
        names = [" ".join([*each.prelast_names, *each.last_names]) for each in entry.persons.get("author", [])]
        authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names) or entry.fields.get("title", key)
        found[key] = re.sub("[{}]", "", authors), entry.fields.get("year", "n.d.")
    alike = {}
    for key, pair in found.items():
        alike.setdefault(pair, []).append(key)
    for (authors, year), keys in alike.items():
        for letter, key in zip("abcdefgh", keys, strict=False):
            found[key] = authors, f"{year}{letter}" if len(keys) > 1 else year
    return found
