"""The book to take away: one tagged PDF, or one EPUB, of all its pages.

    python -m tools.build.paper pdf|epub [--solutions 0]

Chapters run as for the site (tools/build/book.py). The pages are then brought into the form that paper needs
(tools/build/sheets.py) and built once by Sphinx, for both. A browser sets the formulas: for the EPUB as MathML, and for
the PDF it also prints, twice, because only then the table of contents knows the pages. A finished file replaces the old
one only when it is whole and was found in order. Beside the PDF of the book stands one of each chapter.
"""

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import datetime
import html
import importlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from tools.build import book, finish, notebooks, sheets, tables
from tools.build.notebooks import BUILD, ROOT
from tools.build.printed import PRINTED

import yaml
from bs4 import BeautifulSoup

NAME = "training-neural-networks"
CSS, PRINT = Path(__file__).with_name("paper.css"), Path(__file__).with_name("paper-print.css")
STAMP = ".built-from"
SHEET = {"width": 612, "height": 952}  # A4 between the margins of paper-print.css, in CSS pixels
COVER = {"width": 1200, "height": 1600}
LICENCE = "Text under CC BY 4.0, code under the MIT licence."
INSTALL = (
    "A browser sets the formulas and prints. Install what drives it: python -m pip install -e '.[look]'\n"
    "and Chromium or Google Chrome, or the Chromium that comes with the driver: python -m playwright install chromium"
)


@dataclasses.dataclass
class Page:
    """A page of the book as it goes to paper."""

    name: str
    body: BeautifulSoup
    part: str | None  # under which it stands in the table of contents
    headings: list  # of (level, id, text)


# Staging and Sphinx


def stage(results, solutions):
    """Lay out what Sphinx reads for paper, in a folder of its own, and return that."""
    staged = book.stage(results, solutions)
    folder = book.edition(BUILD / "sheets", solutions)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(staged, folder, ignore=shutil.ignore_patterns(tables.FOLDER))
    first, *_ = notebooks.pages()
    for page in notebooks.pages():
        path = folder / f"{page}.ipynb"
        if path.is_file():
            notebooks.write(sheets.notebook(notebooks.read(path), path.stem), path)
            continue
        path = path.with_suffix(".md")
        source = sheets.page(path.read_text("utf-8"), path.stem)
        path.write_text(sheets.root(source, solutions) if page == first else source, "utf-8")
    config = yaml.safe_load((folder / "_config.yml").read_text("utf-8"))
    for key in ("repository", "launch_buttons"):  # the builder does not know them
        config.pop(key, None)
    config["sphinx"]["config"] |= {
        "epub_show_urls": "no",
        "epub_use_index": False,
        "pygments_style": "a11y-high-contrast-light",  # the site's
        "version": "1",
    }
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "utf-8")
    return folder


def build(folder, solutions, secret=frozenset()):
    """Let Sphinx make plain XHTML of the staged ``folder``; return where it is, and the stamp of all that is in it.

    None of the lines in ``secret`` may stand in it.
    """
    built, aside = book.edition(BUILD / "paper", solutions), BUILD / "next-paper"
    stamp = book.digest(folder, ROOT / "requirements.lock", ROOT / "tools")
    notebooks.restore(built)
    if (built / STAMP).is_file() and (built / STAMP).read_text() == stamp:
        return built, stamp
    print("pages: building", flush=True)
    shutil.rmtree(aside, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(folder)]
    command += ["--path-output", str(aside), "--builder", "custom", "--custom-builder", "epub"]
    command += ["--warningiserror", "--nitpick", "--keep-going", "--all", "-q"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = notebooks.plain(done.stdout).replace(f"{folder}{os.sep}", "")
    made = aside / "_build" / "epub"
    if done.returncode != 0 or not (made / "content.opf").is_file():
        warnings = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
        raise notebooks.ChapterError("Sphinx refused the book\n" + ("\n".join(warnings) or log))
    for path in made.rglob("*.xhtml"):  # where book.answers_in looks
        shutil.copy(path, path.with_suffix(".html"))
    if leaks := book.answers_in(made, secret):
        raise notebooks.ChapterError("\n".join(["The book would give answers away:", *leaks]))
    (made / STAMP).write_text(stamp)
    notebooks.replace(made, built)
    shutil.rmtree(aside, ignore_errors=True)
    return built, stamp


# Pages


def parts():
    """The pages' names in the order of _toc.yml, each with the caption of its part, or None."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    found = [(toc["root"], None)]
    for part in toc["parts"]:
        found += [(chapter["file"], part["caption"]) for chapter in part["chapters"]]
    return [(Path(page).name, part) for page, part in found]


def read(built):
    """The pages of the book, cleaned, in their order."""
    folder = built / notebooks.pages()[0].rpartition("/")[0]
    found = []
    for name, part in parts():
        soup = BeautifulSoup((folder / f"{name}.xhtml").read_text("utf-8"), "html.parser")
        found.append(page_of(soup.select_one("div.body"), name, part))
    return found


def page_of(body, name, part=None):
    """A page out of what Sphinx wrote, without what is of no use, or not allowed, in a book."""
    body = body.extract()
    for element in body.select("script, style, .toctree-wrapper, .clearer, .headerlink, .sd-stretched-link, input"):
        element.decompose()
    for element in body.find_all("details"):
        raise notebooks.ChapterError(f"{name}: what can be opened must not go to paper: {element.get_text()[:60]!r}")
    for label in body.select(".sd-tab-label"):
        label.name = "p"
        label.attrs = {"class": ["tab"]}
    for wrapper in body.select("p > div, p > p"):
        wrapper.parent.unwrap()
    for table in body.find_all("table"):
        for element in table.find_all(True):
            for key in ("border", "style", "align", "halign", "valign"):
                element.attrs.pop(key, None)
        table.attrs.pop("border", None)
        for cell in table.find_all("th"):
            cell["scope"] = "col" if cell.find_parent("thead") else "row"
    for image in body.find_all("img"):
        if not image.get("alt", "").strip():
            raise notebooks.ChapterError(f"{name}: a picture has no alt text: {image.get('src')}")
    for element in body.find_all(True):
        if "class" in element.attrs:
            kept = [word for word in element["class"] if not word.startswith(("tag_", "docutils", "notranslate"))]
            element.attrs["class"] = kept
            if not kept:
                del element.attrs["class"]
    for term in body.select("a > .std-term"):
        term.parent["class"] = ["term"]
    headings = []
    for heading in body.find_all(re.compile("^h[1-6]$")):
        section = heading.find_parent("section")
        if heading.select_one(".math"):  # bookmarks and tables of contents hold text alone
            raise notebooks.ChapterError(f"{name}: a heading holds a formula: {heading.get_text()!r}")
        headings.append((int(heading.name[1]), section["id"], " ".join(heading.get_text().split())))
    return Page(name, body, part, headings)


def formulas(pages):
    """The elements that hold a formula, each with its TeX and whether it stands on a line of its own."""
    for page in pages:
        for element in page.body.select(".math"):
            number = element.select_one(".eqno")
            text = "".join(node for node in element.find_all(string=True) if number not in node.parents).strip()
            match = re.fullmatch(r"\\\((.*)\\\)|\\\[(.*)\\\]", text, re.DOTALL)
            if match is None:
                raise notebooks.ChapterError(f"{page.name}: this is no formula: {text[:80]!r}")
            yield element, number, (match[1] or match[2]).strip(), match[1] is None


# The browser


@contextlib.contextmanager
def browser():
    """Chromium, the system's if there is one; or a ChapterError that says what to install."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise notebooks.ChapterError(INSTALL) from None
    system = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=system, args=quiet)
        except Error as error:
            raise notebooks.ChapterError(f"{INSTALL}\n{str(error).splitlines()[0]}") from None
        yield started
        started.close()


def mathjax():
    """The folder of the book's own MathJax."""
    return Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"


@dataclasses.dataclass(frozen=True)
class Formula:
    """What a formula is in a book: MathML, and words for who hears it."""

    mathml: str
    words: str


# MathML Core knows letters with a double stroke by their own code points alone.
_DOUBLE = re.compile(r'<mi mathvariant="double-struck">([A-Z])</mi>')
_STRUCK = {"C": "ℂ", "E": "𝔼", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}
MATHJAX = {"startup": {"typeset": False}, "options": {"enableMenu": False, "renderActions": {"assistiveMml": []}}}


def set_formulas(page, wanted):
    """A Formula for each of ``wanted``, (TeX, whether it is displayed), by the book's MathJax in a browser."""
    page.set_content(f"<script>MathJax = {json.dumps(MATHJAX | {'loader': {'load': ['a11y/sre']}})}</script>")
    page.add_script_tag(path=mathjax() / "tex-chtml-full-speech.js")
    made = page.evaluate(
        """async (formulas) => {
            await MathJax.startup.promise;
            const speech = MathJax._.a11y.sre.Sre, made = [];
            await speech.setupEngine({ locale: "en", domain: "clearspeak", speech: "shallow" });
            for (const [tex, display] of formulas) {
                const mathml = await MathJax.tex2mmlPromise(tex, { display });
                made.push([mathml, speech.toSpeech(mathml)]);
            }
            return made;
        }""",
        [list(formula) for formula in wanted],
    )
    for (tex, _), (mathml, _) in zip(wanted, made, strict=True):
        if "<merror" in mathml:
            raise notebooks.ChapterError(f"MathJax does not understand {tex!r}")
    made = [(mathml, words.replace("raised to the down tack power", "transposed")) for mathml, words in made]
    return {
        formula: Formula(plain_mathml(mathml, words), words)
        for formula, (mathml, words) in zip(wanted, made, strict=True)
    }


def formulas_of(pages, built, chromium):
    """A Formula for each that ``pages`` hold; they are kept with the pages that Sphinx ``built``."""
    kept, wanted = built / "formulas.json", sorted({(tex, display) for _, _, tex, display in formulas(pages)})
    if kept.is_file():
        return {(tex, display): Formula(*made) for tex, display, *made in json.loads(kept.read_text("utf-8"))}
    print(f"formulas: setting {len(wanted)}", flush=True)
    page = chromium.new_page()
    page.set_default_timeout(600_000)
    rendered = set_formulas(page, wanted)
    page.close()
    rows = [[*formula, made.mathml, made.words] for formula, made in rendered.items()]
    save(kept, json.dumps(rows, ensure_ascii=False).encode())
    return rendered


def plain_mathml(mathml, words):
    """``mathml`` as MathJax writes it, brought to what e-readers know, with ``words`` for who hears it."""
    mathml = re.sub(r' data-[\w-]+="[^"]*"', "", re.sub(r">\s+<", "><", mathml))
    mathml = _DOUBLE.sub(lambda match: f"<mi>{_STRUCK[match[1]]}</mi>", mathml)
    return mathml.replace("<math ", f"<math alttext={quoteattr(words)} ", 1)


# EPUB

XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><meta charset="utf-8"/><title>{title}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body{kind}>{body}</body>
</html>
"""
CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>en</dc:language>
<dc:creator>{author}</dc:creator>
<dc:rights>{rights}</dc:rights>
<dc:description>{description}</dc:description>
<meta property="dcterms:modified">{now}</meta>
<meta name="cover" content="cover-image"/>
{accessibility}
</metadata>
<manifest>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""
ACCESSIBILITY = [
    ("accessMode", "textual"),
    ("accessMode", "visual"),
    ("accessModeSufficient", "textual"),
    ("accessModeSufficient", "textual,visual"),
    ("accessibilityFeature", "alternativeText"),
    ("accessibilityFeature", "describedMath"),
    ("accessibilityFeature", "MathML"),
    ("accessibilityFeature", "readingOrder"),
    ("accessibilityFeature", "structuralNavigation"),
    ("accessibilityFeature", "tableOfContents"),
    ("accessibilityHazard", "none"),
    (
        "accessibilitySummary",
        "All figures have alternative texts. All formulas are MathML and have words as their alternative text.",
    ),
]
MEDIA = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}


def xhtml(title, body, kind=""):
    return XHTML.format(title=html.escape(title), body=body, kind=kind)


def navigation(pages):
    """The EPUB's table of contents: parts, pages and their sections, nested."""

    def entry(page, headings):
        """A list item for the first of ``headings``, with all that are deeper in it; and what is left of them."""
        level, anchor, text = headings[0]
        target = f"{page.name}.xhtml" if level == 1 else f"{page.name}.xhtml#{anchor}"
        rest, inner = headings[1:], ""
        while rest and rest[0][0] > level:
            item, rest = entry(page, rest)
            inner += item
        return f'<li><a href="{target}">{html.escape(text)}</a>{f"<ol>{inner}</ol>" if inner else ""}</li>\n', rest

    items, part = "", None
    for page in pages:
        if page.part != part:
            items += "</ol></li>\n" if part else ""
            items += f"<li><span>{html.escape(page.part)}</span><ol>\n"
            part = page.part
        item, _ = entry(page, [heading for heading in page.headings if heading[0] <= 3])
        items += item
    items += "</ol></li>\n" if part else ""
    landmarks = (
        f'<nav epub:type="landmarks" hidden="hidden"><h2>Landmarks</h2><ol><li><a epub:type="toc" href="nav.xhtml">'
        f'Contents</a></li><li><a epub:type="bodymatter" href="{pages[0].name}.xhtml">Start</a></li></ol></nav>'
    )
    return xhtml("Contents", f'<nav epub:type="toc"><h1>Contents</h1>\n<ol>{items}</ol></nav>\n{landmarks}')


def facts_of(solutions):
    """The title of this edition, the authors and the rights, as the book's configuration has them."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    return {
        "title": config["title"] + ("" if solutions else " (without solutions)"),
        "author": config["author"],
        "rights": f"© {config['copyright']} {config['author']}. {LICENCE}",
    }


def write_epub(path, pages, images, cover, css, rendered, facts, now):
    """Write the EPUB whole or not at all.

    ``images`` is the folder of the pictures that the pages name, ``cover`` a PNG, ``css`` the style, ``rendered`` a
    Formula for each that they hold, ``facts`` a dict of title, author and rights, and ``now`` a time.
    """
    for element, number, tex, display in list(formulas(pages)):
        made = BeautifulSoup(rendered[tex, display].mathml, "html.parser")
        element.clear()
        if number is not None:
            element.append(number)
        element.append(made)
    files, used = {}, set()
    for page in pages:
        for image in page.body.find_all("img"):
            name = Path(image["src"]).name
            used.add(name)
            image["src"] = f"images/{name}"
        text = page.body.decode_contents(formatter="minimal")
        files[f"{page.name}.xhtml"] = xhtml(page.headings[0][2], f'<main epub:type="bodymatter">{text}</main>').encode()
    title = f'<section class="title" epub:type="titlepage"><h1>{html.escape(facts["title"])}</h1>'
    title += f"<p>{html.escape(facts['author'])}</p><p>{html.escape(facts['rights'])}</p></section>"
    picture = f'<section epub:type="cover"><img src="front.png" alt={quoteattr(facts["title"])}/></section>'
    files["cover.xhtml"] = xhtml("Cover", picture, ' class="cover"').encode()
    files["title.xhtml"] = xhtml(facts["title"], title).encode()
    files["nav.xhtml"] = navigation(pages).encode()
    files["style.css"] = css.encode()
    pictures = {f"images/{name}": (images / name).read_bytes() for name in sorted(used)}
    spine = ["cover", "title", "nav", *(page.name for page in pages)]
    items = ['<item id="cover-image" href="front.png" media-type="image/png" properties="cover-image"/>']
    items += ['<item id="style" href="style.css" media-type="text/css"/>']
    for name in spine:
        kind = "nav" if name == "nav" else "mathml" if b"<math" in files[f"{name}.xhtml"] else ""
        extra = f' properties="{kind}"' if kind else ""
        items.append(f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"{extra}/>')
    items += [
        f'<item id="image-{n}" href="{name}" media-type="{MEDIA[Path(name).suffix]}"/>'
        for n, name in enumerate(pictures)
    ]
    package = PACKAGE.format(
        **{key: html.escape(value) for key, value in facts.items()},
        identifier=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, facts['title'])}",
        description="A book that runs: how neural networks are trained, with the results of its own code.",
        now=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        accessibility="\n".join(f'<meta property="schema:{key}">{value}</meta>' for key, value in ACCESSIBILITY),
        manifest="\n".join(items),
        spine="\n".join(f'<itemref idref="{name}"/>' for name in spine),
    )
    files |= {"package.opf": package.encode(), "front.png": cover} | pictures
    for name, content in files.items():
        if name.endswith((".xhtml", ".opf")):
            try:
                ElementTree.fromstring(content)
            except ElementTree.ParseError as error:
                raise notebooks.ChapterError(f"{name} is not XML: {error}") from None
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)  # first, and not compressed
        archive.writestr("META-INF/container.xml", CONTAINER)
        for name, content in files.items():
            archive.writestr(f"EPUB/{name}", content)
    save(path, data.getvalue())


def title_page(facts):
    """The first page of the PDF, and the cover of the EPUB."""
    picture = base64.b64encode((ROOT / "book" / "figures" / "cover.png").read_bytes()).decode()
    title, _, edition = facts["title"].partition(" (")
    edition = f"<p class='edition'>Edition {edition.rstrip(')')}</p>" if edition else ""
    return (
        f"<section class='title-page'><h1>{html.escape(title)}</h1>{edition}<p class='under'>A book that runs</p>"
        "<img alt='Handwritten digits with a network’s answers, and the losses of its training' "
        f"src='data:image/png;base64,{picture}'><p class='by'>{html.escape(facts['author'])}</p>"
        f"<p class='rights'>{html.escape(facts['rights'])}</p></section>"
    )


def epub(path, built, solutions):
    """Make the EPUB of the pages that Sphinx ``built``."""
    facts, pages = facts_of(solutions), read(built)
    with browser() as chromium:
        rendered = formulas_of(pages, built, chromium)
        page = chromium.new_page(viewport=COVER)
        page.set_content(f"<style>{styles(built)}</style><body class='front'>{title_page(facts)}")
        cover = page.screenshot()
    print("epub: packing", flush=True)
    now = datetime.datetime.now(datetime.UTC)
    look_of_it = CSS.read_text("utf-8") + colours(built)
    write_epub(path, pages, built / "_images", cover, look_of_it, rendered, facts, now)


# PDF


def anchored(name, anchor=""):
    """The id in the whole book of an element of a page, or of the page itself."""
    return f"{name}--{anchor}" if anchor else f"{name}--"


def joined(pages):
    """Give all ids of ``pages`` names that mean one thing in the whole book, and let all links lead to them."""
    for page in pages:
        for element in page.body.find_all(id=True):
            element["id"] = anchored(page.name, element["id"])
        for link in page.body.find_all("a", href=True):
            target, _, anchor = link["href"].partition("#")
            if not re.match(r"[a-z]+:", target):
                link["href"] = "#" + anchored(Path(target).stem or page.name, anchor)
        page.headings = [(level, anchored(page.name, anchor), text) for level, anchor, text in page.headings]


def is_heading(element):
    """Whether it is one, or a line that stands for one: what a tab was called, all bold, or all in italics."""
    if element.name == "p":
        inside = [child for child in element.children if str(child).strip()]
        return "tab" in element.get("class", []) or (len(inside) == 1 and inside[0].name in ("strong", "em"))
    return element.name in ("h2", "h3", "h4")


def kept_together(body):
    """Put each heading of a page into one box with what follows, so that no sheet of paper ends in a heading.

    ``break-after: avoid`` is to do that, and Chromium does not always heed it where sections lie in each other.
    """
    for heading in reversed(body.find_all(is_heading)):
        following = heading.find_next_sibling()
        if following is None:
            continue
        classes = following.get("class", [])
        short = following.name == "p" or {"cell", "math", "sd-tab-content"} & set(classes)
        inner = following.select_one(".kept") if following.name == "section" else None
        inner = following if "kept" in classes else inner
        if inner is not None:
            inner.insert(0, heading.extract())
        elif short or any(name.startswith("highlight-") for name in classes):
            heading.wrap(BeautifulSoup("<div class='kept'></div>", "html.parser").div)
            heading.parent.append(following.extract())


def contents(pages):
    """The table of contents, with room for the numbers of the pages."""
    lines, part = [], None
    for page in pages:
        if page.part != part:
            lines.append(f"<p class='toc-part'>{html.escape(page.part)}</p>")
            part = page.part
        for level, anchor, text in page.headings:
            if level <= 2:
                at = f"<span class='page-ref' data-to='{anchor}'></span>"
                lines.append(f"<p class='toc-{level}'><a href='#{anchor}'><span>{html.escape(text)}</span>{at}</a></p>")
    return f"<nav class='contents' aria-labelledby='contents'><h1 id='contents'>Contents</h1>{''.join(lines)}</nav>"


def document(pages, facts, rendered, built):
    """The whole book as one page of HTML, whose ids are those that ``joined`` gives."""
    for element, number, tex, display in list(formulas(pages)):
        made = element.find_all(string=True)
        for node in made:
            if number is None or number not in node.parents:
                node.extract()
        words = quoteattr(rendered[tex, display].words)
        source = html.escape(f"\\[{tex}\\]" if display else f"\\({tex}\\)")
        inner = f"<span class='formula' role='img' aria-label={words}>{source}</span>"
        element.append(BeautifulSoup(inner, "html.parser"))
    joined(pages)
    for page in pages:
        kept_together(page.body)
        for element in page.body.find_all(
            ["figure", "figcaption"]
        ):  # a tagged figure would need words besides its picture's
            element["class"] = [*element.get("class", []), element.name]
            element.name = "div"
        for image in page.body.find_all("img"):
            image["src"] = (built / "_images" / Path(image["src"]).name).as_uri()
        for link in page.body.select(".elsewhere a[href], p > a[href$='-quiz']"):
            link.insert_after(
                BeautifulSoup(f"<span class='on-page' data-to='{link['href'][1:]}'></span>", "html.parser")
            )
    sheet = {page.name: "p-" + re.sub("[^a-z]", "-", page.name) for page in pages}  # what CSS calls it
    running = "".join(
        f"@page {sheet[page.name]} {{ @top-left {{ content: {json.dumps(page.headings[0][2])} }} }}" for page in pages
    )
    bodies = "".join(
        f"<section class='page' id='{anchored(page.name)}' style='page: {sheet[page.name]}'>"
        f"{page.body.decode_contents(formatter='minimal')}</section>"
        for page in pages
    )
    script = (mathjax() / "tex-chtml.js").as_uri()
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(facts['title'])}</title>"
        f"<style>{styles(built)}{PRINT.read_text('utf-8')}{running}</style>"
        f"<script>MathJax = {json.dumps(MATHJAX)}</script><script src='{script}'></script>"
        f"<body>{title_page(facts)}{contents(pages)}<main>{bodies}</main></body></html>"
    )


def colours(built):
    """Those of code, as Sphinx took them from Pygments."""
    return (built / "_static" / "pygments.css").read_text("utf-8")


def styles(built):
    """The look of the book on paper, with the fonts that no system lacks because matplotlib brings them."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = "".join(
        f"@font-face {{ font-family: '{family}'; font-weight: {weight}; font-style: {style}; "
        f"src: url('{(folder / f'{file}.ttf').as_uri()}') }}"
        for family, file, weight, style in (
            ("DejaVu Sans", "DejaVuSans", "normal", "normal"),
            ("DejaVu Sans Mono", "DejaVuSansMono", "normal", "normal"),
            ("DejaVu Sans Mono", "DejaVuSansMono-Bold", "bold", "normal"),
            ("DejaVu Sans Mono", "DejaVuSansMono-Oblique", "normal", "italic"),
        )
    )
    return faces + CSS.read_text("utf-8") + colours(built)


def pikepdf():
    """The library of this name, which the tests of what needs no browser do without."""
    try:
        return importlib.import_module("pikepdf")
    except ImportError:
        raise notebooks.ChapterError(INSTALL) from None


def places(data):
    """On which page of a PDF each of its named places stands, from 1."""
    with pikepdf().open(io.BytesIO(data)) as made:
        numbers = {page.objgen: number for number, page in enumerate(made.pages, 1)}
        return {name[1:]: numbers[place[0].objgen] for name, place in made.Root.get("/Dests", {}).items()}


FILL = """(places) => {
    const missing = [];
    for (const element of document.querySelectorAll("[data-to]")) {
        const page = places[element.dataset.to];
        if (page === undefined) missing.push(element.dataset.to);
        element.textContent = element.className === "on-page" ? `, page ${page}` : page;
    }
    return missing;
}"""
# Of the whole book, show one page alone; links that would lead out of it lead nowhere.
ALONE = """(id) => {
    for (const part of document.querySelectorAll("body > *, main > *")) {
        part.style.display = part.tagName === "MAIN" || part.id === id ? "" : "none";
    }
    const shown = document.getElementById(id);
    for (const link of shown.querySelectorAll('a[href^="#"]')) {
        if (!shown.querySelector("#" + CSS.escape(link.hash.slice(1)))) link.removeAttribute("href");
    }
    return document.title = shown.querySelector("h1").textContent.trim();
}"""


SET = """async () => {
    await MathJax.startup.promise;
    await MathJax.typesetPromise([...document.querySelectorAll(".formula")]);
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode()));
    return [".formula", "mjx-container", "mjx-merror"].map((kind) => document.querySelectorAll(kind).length);
}"""


def printed(page, tagged=True):
    return page.pdf(tagged=tagged, outline=tagged, prefer_css_page_size=True, print_background=True)


def numbered(page):
    """Print ``page``, fill in on which pages what it refers to stands, and print it with that."""
    found = places(printed(page, tagged=False))
    print(f"pdf: {max(found.values())} pages, printing", flush=True)
    if missing := page.evaluate(FILL, found):
        raise notebooks.ChapterError(f"The PDF has no place for {', '.join(missing[:5])}")
    data = printed(page)
    if places(data) != found:
        raise notebooks.ChapterError("The numbers in the PDF moved its pages")
    return data


def finished(data, title, author, headings):
    """The PDF with its title, its author and bookmarks as ``headings`` are, half as large as Chromium writes it."""
    library = pikepdf()
    out, told = io.BytesIO(), {"".join(heading.split()): heading for heading in headings}
    with library.open(io.BytesIO(data)) as made:
        with made.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["dc:title"], metadata["dc:creator"], metadata["dc:language"] = title, [author], ["en"]
        made.Root.ViewerPreferences = library.Dictionary(DisplayDocTitle=True)
        made.docinfo["/Title"], made.docinfo["/Author"] = title, author
        for item in made.objects:
            if isinstance(item, library.Dictionary) and "/Title" in item and "/Parent" in item:
                # Of a heading that takes two lines Chromium leaves out the space between them.
                item["/Title"] = told.get("".join(str(item["/Title"]).split()), str(item["/Title"]))
        made.save(out, object_stream_mode=library.ObjectStreamMode.generate)
    return out.getvalue()


def faults(data, headings):
    """Yield what a PDF lacks that is to have bookmarks for ``headings``, in their order."""
    library = pikepdf()
    with library.open(io.BytesIO(data)) as made:
        if "/StructTreeRoot" not in made.Root or not made.Root.get("/MarkInfo", {}).get("/Marked", False):
            yield "is not tagged"
        if str(made.Root.get("/Lang", "")) != "en":
            yield "does not say its language"
        if not str(made.docinfo.get("/Title", "")):
            yield "has no title"
        titles = []
        with made.open_outline() as outline:
            items = list(outline.root)
            while items:
                item = items.pop(0)
                titles.append(" ".join(item.title.split()))
                items[:0] = item.children
        for heading in headings:
            if heading not in titles:
                yield f"has no bookmark for {heading!r}"
        mute = 0
        for item in made.objects:
            if isinstance(item, library.Dictionary) and item.get("/S") == "/Figure":
                mute += not str(item.get("/Alt", "")).strip()
        if mute:
            yield f"has {mute} pictures or formulas without words for them"


def laid_out(chromium, pages, rendered, built, facts):
    """The whole book in a page of the browser, its formulas set, ready to be printed; nothing of it is cut off."""
    source = built / "book.html"
    source.write_text(document(pages, facts, rendered, built), "utf-8")
    page = chromium.new_page(viewport=SHEET)
    page.set_default_timeout(600_000)
    page.goto(source.as_uri())
    count, are_set, wrong = page.evaluate(SET)
    if wrong or count != are_set:
        raise notebooks.ChapterError(f"Of {count} formulas {are_set} could be set, {wrong} of them with errors")
    page.emulate_media(media="print")
    if cut := page.evaluate(PRINTED)["cut"]:
        raise notebooks.ChapterError("\n".join(["The PDF would cut off", *dict.fromkeys(cut)]))
    return page


def pdf(path, built, solutions):
    """Print the pages that Sphinx ``built``, as one book and each chapter alone."""
    facts, pages = facts_of(solutions), read(built)
    chapters = [chapter.stem for chapter in notebooks.chapters()]
    headings = [text for sheet in pages for _, _, text in sheet.headings]
    with browser() as chromium:
        page = laid_out(chromium, pages, formulas_of(pages, built, chromium), built, facts)
        data = finished(numbered(page), facts["title"], facts["author"], headings)
        if wrong := list(faults(data, headings)):
            raise notebooks.ChapterError("\n".join(["The PDF", *wrong]))
        save(path, data)
        for name in (sheet.name for sheet in pages if sheet.name in chapters):
            print(f"pdf: {name}", flush=True)
            title = page.evaluate(ALONE, anchored(name))
            save(beside(path, name, solutions), finished(printed(page), title, facts["author"], headings))


def beside(path, name, solutions):
    """Where the PDF of one chapter is."""
    return path.with_name(f"{name}{'' if solutions else '-without-solutions'}.pdf")


def save(path, data):
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def offer(path, chapters, solutions):
    """Let the site that was built of the same sources, if there is one, link what stands at ``path`` and beside it."""
    of_site = book.stamp_of(book.edition(book.STAGE, solutions))
    made = [path, *(beside(path, chapter.stem, solutions) for chapter in chapters)]
    for each in filter(Path.is_file, made):
        save(each.with_name(each.name + finish.STAMP), of_site.encode())
    finish.offer(book.edition(book.SITE, solutions), solutions)


def main(arguments):
    """Make the PDF or the EPUB; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.paper", description=__doc__.split("\n\n")[0])
    parser.add_argument("kind", choices=["pdf", "epub"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="chapters run at the same time")
    parser.add_argument("--solutions", choices=["0", "1"], default="1", help="0: an edition for students, without them")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    start, solutions = time.monotonic(), options.solutions == "1"
    path = beside(BUILD / options.kind / "any", NAME, solutions).with_suffix(f".{options.kind}")
    mark = path.with_name(f".{path.name}{STAMP}")
    try:
        pikepdf()
        with browser():  # it would be a pity to find out after the chapters have run that there is none
            pass
        with notebooks.alone():
            chapters = notebooks.chapters()
            secret = book.secrets(chapters)
            results, _ = asyncio.run(book.execute(chapters, notebooks.settings(), options.jobs))
            built, stamp = build(stage(results, solutions), solutions, frozenset() if solutions else secret)
            if path.is_file() and mark.is_file() and mark.read_text() == stamp:
                print(f"{options.kind}: nothing changed")
            else:
                mark.unlink(missing_ok=True)
                {"pdf": pdf, "epub": epub}[options.kind](path, built, solutions)
                mark.write_text(stamp)
            offer(path, chapters, solutions)
    except (notebooks.ChapterError, KeyboardInterrupt) as error:
        return book.given_up(error, options.kind.upper(), path)
    print(f"{path.stat().st_size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s in all. Open {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
