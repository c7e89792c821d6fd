"""An extension for Sphinx: the places of the book that its search finds.

By itself that search knows pages, their headings, and the terms of the glossary. Here it is told of figures by their
captions, of the functions and classes that a chapter defines, and of those that it takes from a package, where it first
calls them. ``book/assets/search.js`` is given the text of every section, so that a result leads to the section that
holds the words, and shows them: Sphinx would fetch the whole page for that, which browsers refuse on a disk.
"""

import ast
import itertools
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.domains import Domain, ObjType

SCRIPTS = ("search-texts.js", "search.js")
SKIPPED = (nodes.raw, nodes.comment, nodes.image, nodes.math_block, nodes.system_message, nodes.target)


class Places(Domain):
    """Figures by number and caption, functions and classes by name; a domain, because that is what Sphinx searches."""

    name = "book"
    label = "Book"
    object_types = {  # noqa: RUF012, as Sphinx has it
        "figure": ObjType("figure", searchprio=1),
        "function": ObjType("function", searchprio=0),
        "class": ObjType("class", searchprio=0),
        "use": ObjType("first used", searchprio=1),
    }
    initial_data = {"found": {}}  # noqa: RUF012

    def clear_doc(self, docname):
        self.data["found"].pop(docname, None)

    def merge_domaindata(self, docnames, otherdata):
        self.data["found"] |= {name: otherdata["found"][name] for name in docnames if name in otherdata["found"]}

    def resolve_any_xref(self, *arguments):
        return []  # nothing refers to these; figures have their labels

    def get_type_name(self, type, primary=False):
        return type.lname

    def get_objects(self):
        for docname, found in self.data["found"].items():
            numbers = self.env.toc_fignumbers.get(docname, {}).get("figure", {})
            for kind, name, anchor in found:
                if kind == "figure" and anchor in numbers:
                    number = ".".join(map(str, numbers[anchor]))
                    name = f"{self.env.config.numfig_format['figure'] % number}: {name}"
                yield name, name, kind, docname, anchor, self.object_types[kind].attrs["searchprio"]


def names_in(sources):
    """The names that code cells with these sources define or take from packages.

    Returns
    -------
    list of (str, str, int)
        Kind, name as the cell writes it, and which cell: that of the definition, or the first one with a call.
    """
    found, imported = {}, set()
    for place, source in enumerate(sources):
        try:
            tree = ast.parse(source)
        except SyntaxError:  # a magic of IPython's, or what a reader is to complete
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imported |= {(each.asname or each.name).partition(".")[0] for each in node.names}
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                if node in tree.body:
                    found["class" if isinstance(node, ast.ClassDef) else "function", node.name] = place
                called = node.decorator_list
            else:
                called = [node.func] if isinstance(node, ast.Call) else []
            for function in called:
                root = function
                while isinstance(root, ast.Attribute):
                    root = root.value
                if isinstance(root, ast.Name) and root.id in imported:
                    found.setdefault(("use", ast.unparse(function)), place)
    return [(kind, name, place) for (kind, name), place in found.items()]


def text_of(node):
    """What ``node`` says, without pictures and sections below it; formulas as they would be read aloud, or nearly."""
    if isinstance(node, nodes.math):
        return re.sub(r"\\[,;!: ]|[\\{}$]", "", node.astext())
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, (*SKIPPED, nodes.section)):
        return " "
    if "cell_output" in node.get("classes", []):
        return " ".join(text_of(caption) for caption in node.findall(nodes.caption))
    between = "" if isinstance(node, nodes.TextElement) else " "
    return between.join(text_of(child) for child in node.children)


def one_line(text):
    return " ".join(text.split())


def note_places(app, doctree):
    """Note the figures of a page, and the functions and classes in its code cells, which get a name where they do."""
    found = []
    for figure in doctree.findall(nodes.figure):
        caption = next(figure.findall(nodes.caption), None)
        if figure["ids"] and caption is not None:
            found.append(("figure", one_line(text_of(caption)), figure["ids"][0]))
    cells = [cell for cell in doctree.findall(nodes.container) if "cell" in cell["classes"]]
    sources = []
    for cell in cells:
        inputs = [part for part in cell.children if "cell_input" in part.get("classes", [])]
        blocks = itertools.chain.from_iterable(part.findall(nodes.literal_block) for part in inputs)
        sources.append("\n".join(block.astext() for block in blocks))
    for kind, name, place in names_in(sources):
        cell, anchor = cells[place], f"code-{place + 1}"
        if anchor not in cell["ids"]:
            cell["ids"].append(anchor)
        found.append((kind, name, anchor))
    app.env.get_domain("book").data["found"][app.env.docname] = found


def note_texts(app, doctree, docname):
    """Note the text of every section of a page, and of every term that it explains, by the name of the place."""
    found = []
    for section in doctree.findall(nodes.section):
        title = next((child for child in section.children if isinstance(child, nodes.title)), None)
        if title is not None and section["ids"]:
            children = [child for child in section.children if child is not title]
            text = " ".join(text_of(child) for child in children)
            found.append((section["ids"][0], one_line(title.astext()), one_line(text)))
    for item in doctree.findall(nodes.definition_list_item):
        for term in item.findall(nodes.term):
            if term["ids"]:
                explained = " ".join(text_of(child) for child in item.findall(nodes.definition))
                found.append((term["ids"][0], one_line(text_of(term)), one_line(explained)))
    if not hasattr(app, "book_texts"):
        app.book_texts = {}
    app.book_texts[docname] = found


def give_the_search_page_its_scripts(app, pagename, templatename, context, doctree):
    if pagename == "search":
        for script in SCRIPTS:
            app.add_js_file(script)


def write_texts(app, exception):
    """Write the texts as a script: a page on a disk may load nothing else."""
    if exception is None and app.builder.name == "html":
        texts = json.dumps(getattr(app, "book_texts", {}), ensure_ascii=False, separators=(",", ":"))
        Path(app.outdir, "_static", SCRIPTS[0]).write_text(f"globalThis.bookTexts = {texts};\n", "utf-8")


def leave_out_the_downloads(app, config):
    """Without the theme's menu: it offers the sources of the pages, which do not run.

    tools/build/finish.py offers better.
    """
    if config.html_theme == "sphinx_book_theme":
        config.html_theme_options["use_download_button"] = False


def setup(app):
    app.add_domain(Places)
    app.connect("config-inited", leave_out_the_downloads)
    app.connect("doctree-read", note_places)
    app.connect("doctree-resolved", note_texts)
    app.connect("html-page-context", give_the_search_page_its_scripts)
    app.connect("build-finished", write_texts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
