"""Links between chapters and glossary, made when the book is staged: from each term's first use in a chapter to the
glossary, and from the glossary to the place where the term is bold.
"""

import re

from tools.build import exercises

GLOSSARY = re.compile(r"(```\{glossary\}\n)(.*?)(^```)", re.MULTILINE | re.DOTALL)
# What is no running text: fences, headings, lines of HTML up to the next blank one, directives, formulas, code and
# roles, links, tags. A bold word is running text.
PROTECTED = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|\$\$.*?\$\$|^#.*?$|^[ \t]*<.*?(?:\n[ \t]*\n|\Z)|^:{3,}.*?$|^\(.*?\)=$"
    r"|^:[\w-]+:.*?$|(?<!\\)\$[^$\n]+\$|(?:\{[a-z:]+\})?(?P<ticks>`+)(?!`)(?:(?!\n\n).)*?(?<!`)(?P=ticks)(?!`)"
    r"|!?\[[^\]\n]*\](?:\([^)\n]*\)|\{[^}\n]*\})|<[^>\n]+>",
    re.MULTILINE | re.DOTALL,
)
BOLD = re.compile(r"\*\*([^*\n]+)\*\*")


def entries_of(glossary):
    """The terms of ``glossary``, the page's source, in its order."""
    block = GLOSSARY.search(glossary)
    return re.findall(r"^(\S.*?)[ \t]*$", block[2], re.MULTILINE) if block else []


def label_of(term):
    """The name of the place where ``term`` is explained."""
    return "term-" + re.sub(r"\W+", "-", term.lower()).strip("-")


def forms_of(terms):
    """A pattern that finds each of ``terms``, its plural too, and the longest where several begin."""
    longest = sorted(terms, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, longest)) + r")(e?s)?(?![\w-])", re.IGNORECASE)


def in_running_text(change, text):
    """``text`` with ``change`` applied to what is running text in it."""
    parts, end = [], 0
    for kept in PROTECTED.finditer(text):
        parts += [change(text[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*parts, change(text[end:])])


class Links:
    """The links of one book; ``add`` is called for each chapter in the order of the book, then ``places``."""

    def __init__(self, glossary):
        self.terms = {term.lower(): term for term in entries_of(glossary)}
        self.pattern = forms_of(self.terms) if self.terms else None
        self.explained = {}

    def add(self, notebook):
        """Link, in ``notebook``, each term where it is first used, and give the places of bold terms a name."""
        seen, title = set(), exercises.title_of(notebook)

        def link(found):
            term = self.terms[found[1].lower()]
            if term in seen:
                return found[0]
            seen.add(term)
            return f"{{term}}`{found[0]} <{term}>`"

        def name(found):
            known = self.pattern.fullmatch(found[1])
            term = known and self.terms[known[1].lower()]
            if term is None or term in self.explained:
                return found[0]
            self.explained[term] = title
            seen.add(term)  # here the text explains it
            return f"[**{found[1]}**]{{#{label_of(term)}}}"

        for cell in notebook.cells:
            if self.pattern and cell.cell_type == "markdown":
                cell.source = in_running_text(lambda text: BOLD.sub(name, text), cell.source)
        for cell in notebook.cells:
            if self.pattern and cell.cell_type == "markdown":
                cell.source = in_running_text(lambda text: self.pattern.sub(link, text), cell.source)

    def places(self, glossary):
        """``glossary`` with a link from each term to the place that explains it."""

        def lead(entry):
            term = entry[1].strip()
            if term not in self.explained:
                return entry[0]
            return f"{entry[0].rstrip()} {{ref}}`→ {self.explained[term]} <{label_of(term)}>`\n\n"

        def entries(block):
            return (
                block[1] + re.sub(r"^(\S[^\n]*)\n(?:[ \t]+[^\n]*\n|\n)+", lead, block[2], flags=re.MULTILINE) + block[3]
            )

        return GLOSSARY.sub(entries, glossary)


def link(chapters, page):
    """Link ``chapters``, notebooks in the order of the book, with the glossary at the path ``page``."""
    links = Links(page.read_text("utf-8"))
    for notebook in chapters:
        links.add(notebook)
    page.write_text(links.places(page.read_text("utf-8")), "utf-8")
