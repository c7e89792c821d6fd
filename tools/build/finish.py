"""What is done to the site once Sphinx is through with it: what it lets in, what leads to it, what is taken away.

``dress`` is done to a new site before it replaces the old one: a Content-Security-Policy in every page, the notebooks
to download, a page for what is not found, and, if the site has an address, a map and cards. ``offer`` comes last, and
again whenever a PDF or an EPUB was made: it links what there is to take away, and packs the site. It may be called any
number of times; what it links is there, at any moment.

A PDF or an EPUB is offered if it was made of the same sources as the site: beside ``book.pdf`` a file
``book.pdf.built-from`` then holds what the site's own ``.built-from`` holds (``tools.build.book.stamp_of``).
"""

import base64
import hashlib
import html
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
import zlib
from pathlib import Path

from tools.build import exercises, notebooks, student, words

import yaml
from bs4 import BeautifulSoup

STAMP = ".built-from"  # in the site, and after the name of what is made of the same sources
DOWNLOADS = "downloads"
SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)
HANDLER = re.compile(r"<[a-z][^<>]*?\s(on[a-z]+)\s*=")
FULL_SCREEN = ' onclick="toggleFullScreen()"'  # of the theme; book.js does it
CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>')
# 'self' is also what lies beside a page that is opened from a disk, in Chromium and in Firefox. Firefox counts what
# <link rel="next"> fetches ahead to default-src, which therefore is not 'none'; all that there is stands below it.
# Styles stand in attributes, and MathJax, Font Awesome and the figures write <style> elements.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",  # and the digests of the scripts in the page
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "form-action": "'self' file:",  # the search; on a disk, Firefox takes each page for a site of its own
    "connect-src": "'none'",
    "frame-src": "'none'",
    "media-src": "'none'",
    "object-src": "'none'",
    "worker-src": "'none'",
    "manifest-src": "'none'",
    "base-uri": "'none'",
}
# Of MathJax, pages load one script and what that asks for; the rest is for other pages than these.
UNUSED = ["_static/scripts/*.map", "_static/mathjax/sre", "_static/mathjax/ui", "_static/mathjax/adaptors"]
USED = "tex-chtml.js"
# The theme has every page load the index for a search as one types, which needs the pages to fetch one another.
SEARCHES = re.compile(r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>\s*')
NO_PAGES = {"search.html", "genindex.html", "404.html", "index.html"}  # that a map of the site should name
PLACE = re.compile(r"<!-- take -->.*?<!-- /take -->", re.DOTALL)
EMPTY = re.compile(r'(<div class="take docutils">)\s*(</div>)')  # as Sphinx leaves it
HOW = "setup.html#one-chapter-by-itself"
PAPERS, WITHOUT = ("*.pdf", "*.epub"), "-without-solutions"
EARLY = (1980, 1, 1, 0, 0, 0)  # a zip's earliest time: of one site it always has the same bytes
PACKED = {".png", ".woff", ".woff2", ".webp", ".pdf", ".epub", ".whl"}  # would not get smaller


def settings():
    """What _config.yml says of the book: title, and address of the site, which ends in a slash or is empty."""
    config = yaml.safe_load((notebooks.ROOT / "_config.yml").read_text("utf-8"))
    address = (config.get("html") or {}).get("baseurl") or ""
    if address and not re.match(r"https?://[^/]", address):
        raise notebooks.ChapterError(f"_config.yml: html.baseurl must begin with https://, got {address!r}")
    return config["title"], address and address.rstrip("/") + "/"


def write(path, content):
    """Write bytes or text whole or not at all, and nothing where the same already stands."""
    content = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    os.replace(aside, path)


def pages(site):
    """The site's pages, by their name in it."""
    found = (path for path in sorted(site.rglob("*.html")) if not {"_static", "_sources"} & set(path.parts))
    return {path.relative_to(site).as_posix(): path for path in found}


# A new site


def dress(site, solutions=True):
    """Bring what Sphinx has made in the folder ``site`` into the form in which it is published."""
    title, address = settings()
    for pattern in UNUSED:
        for path in site.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (site / "_static" / "mathjax").glob("*.js"):
        if path.name != USED:
            path.unlink()
    make_downloads(site / DOWNLOADS, solutions)
    start = f"{notebooks.pages()[0]}.html"
    write(site / "index.html", front_door(title, start, address))
    write(site / "404.html", not_found(site, title, address))
    found = pages(site)
    cover = picture_of(found[start].read_text("utf-8")) if address else None
    for name, path in found.items():
        text = path.read_text("utf-8")
        if address and name not in NO_PAGES:
            text = text.replace("</head>", card(text, name, title, address, cover) + "</head>", 1)
        write(path, guarded(text if name == "search.html" else SEARCHES.sub("", text), name))
    if address:
        write(site / "sitemap.xml", sitemap(found, address))


def guarded(text, name):
    """The page ``text`` with a policy that lets in what belongs to it and nothing else.

    A script in the page is let in by its digest, so that one which somebody smuggles in is not. What would be refused
    is an error here, not in a reader's browser.
    """
    text = text.replace(FULL_SCREEN, "")
    markup = SCRIPT.sub("", text)
    if handler := HANDLER.search(markup):
        raise notebooks.ChapterError(f"{name}: its policy would refuse the handler {handler[1]} of {handler[0]!r}")
    inline = [script for attributes, script in SCRIPT.findall(text) if " src=" not in attributes]
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline}
    policy = POLICY | {"script-src": " ".join(["'self'", *(f"'sha256-{digest}'" for digest in sorted(digests))])}
    content = "; ".join(f"{key} {value}" for key, value in policy.items())
    meta = f'<meta http-equiv="Content-Security-Policy" content="{content}" />'
    guarded, places = CHARSET.subn(lambda found: f"{found[0]}\n    {meta}", text, count=1)
    if not places:
        raise notebooks.ChapterError(f"{name}: it has no <meta charset>, after which its policy should stand")
    return guarded


def make_downloads(folder, solutions):
    """Write each chapter as a notebook with blanks and, with ``solutions``, as it is; and the package they import."""
    book = words.Book()
    for path in notebooks.chapters():
        notebook = notebooks.read(path)
        exercises.tasks_of(notebook)
        notebooks.write(student.edition(notebook, book), folder / path.name)
        if solutions:
            notebooks.write(student.edition(notebook, book, solutions=True), folder / whole(path.stem))
    if "project" in tomllib.loads((notebooks.ROOT / "pyproject.toml").read_text("utf-8")):
        build = f"from flit_core import buildapi; buildapi.build_wheel({os.fspath(folder)!r})"
        environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # 1980: the same bytes each time
        subprocess.run([sys.executable, "-c", build], cwd=notebooks.ROOT, env=environment, check=True)


def whole(name):
    """What the notebook of a chapter with its solutions is called; the one with blanks has the chapter's own name."""
    return f"{name}-with-solutions.ipynb"


def front_door(title, start, address):
    """The page at the root of the site, which leads on to the first one."""
    canonical = f'<link rel="canonical" href="{html.escape(address + start)}">\n' if address else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n{canonical}'
        f'<meta http-equiv="refresh" content="0; url={start}">\n<p><a href="{start}">{html.escape(title)}</a></p>\n'
    )


def not_found(site, title, address):
    """The page that a server gives for what is not there."""
    toc = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text("utf-8"))
    parts = []
    for part in toc.get("parts") or [{"caption": "Chapters", **toc}]:
        names = [chapter["file"] for chapter in part.get("chapters", [])]
        listed = [{"name": name, "title": heading(site / f"{name}.html")} for name in names]
        parts.append({"caption": part.get("caption", ""), "pages": listed})
    return student.page("404.html", book=title, address=address, parts=parts)


def article(text):
    """The part of the page ``text`` that was written for it."""
    return text[text.index("<article") : text.index("</article>")]


def heading(path):
    """The title of the page at ``path``, with its number."""
    found = re.search(r"<h1>(.*?)<a class=\"headerlink\"", article(path.read_text("utf-8")), re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", found[1])).strip()


# With an address


def sitemap(found, address):
    """The map of the site for search engines."""
    urls = "".join(f"<url><loc>{html.escape(address + name)}</loc></url>\n" for name in found if name not in NO_PAGES)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'


def picture_of(text):
    """Where the first figure of the page ``text`` lies, seen from the root of the site, and what it shows; or None."""
    for figure in re.findall(r"<figure.*?</figure>", article(text), re.DOTALL):
        image = BeautifulSoup(figure, "html.parser").find("img", src=re.compile(r"_images/.*\.(png|jpe?g|webp)$"))
        if image:
            return image["src"].removeprefix("../"), image.get("alt", "")
    return None


def card(text, name, title, address, cover):
    """What others show of the page ``text`` when somebody sends its address: title, first words, first figure."""
    body = BeautifulSoup(article(text).partition("<h2")[0], "html.parser")
    own = body.h1
    for link in own.select(".headerlink, .section-number"):
        link.decompose()
    paragraphs = [" ".join(p.get_text().split()) for p in body.find_all("p") if not p.find_parent(class_="provenance")]
    opening = next((paragraph for paragraph in paragraphs if paragraph), "")
    if len(opening) > 200:
        opening = opening[: opening.rindex(" ", 0, 200)] + " …"
    facts = {
        "og:type": "article",
        "og:site_name": title,
        "og:title": " ".join(own.get_text().split()),
        "og:description": opening,
        "og:url": address + name,
    }
    if picture := picture_of(text) or cover:
        facts |= {"og:image": address + picture[0], "og:image:alt": picture[1]}
    lines = [f'<meta property="{key}" content="{html.escape(value)}" />' for key, value in facts.items()]
    lines.append(f'<meta name="description" content="{html.escape(opening)}" />')
    lines.append(f'<meta name="twitter:card" content="{"summary_large_image" if picture else "summary"}" />')
    return "".join(f"    {line}\n" for line in lines)


# To take away


def offer(site, solutions=True):
    """Link what there is to take away on the pages of ``site``, and pack the site without papers; any number of times.

    Papers in the pack would make it three times as large, and hold once more what its pages say.
    """
    if not (site / STAMP).is_file():
        return
    downloads, papers = site / DOWNLOADS, papers_of(site)
    for name, path in papers.items():
        write(downloads / name, path.read_bytes())
    start, *others = [site / f"{page}.html" for page in notebooks.pages()]
    how = next((other for other in others if other.name == HOW.partition("#")[0]), None)
    packed = {}  # the pages that offer papers, as they are where none lie beside them
    for path in others:
        text = path.read_text("utf-8")
        if path == how:
            write(path, placed(text, for_package(downloads)))
        elif (downloads / f"{path.stem}.ipynb").is_file():
            write(path, placed(text, for_chapter(path.stem, downloads, papers, how)))
            packed[path] = placed(text, for_chapter(path.stem, downloads, {}, how))
    text = start.read_text("utf-8")
    if stale := [path for kind in PAPERS for path in downloads.glob(kind) if path.name not in papers]:
        write(start, placed(text, for_book(papers, downloads)))
        for path in stale:
            path.unlink()
    packed[start] = placed(text, for_book({}, downloads))
    packed |= dict.fromkeys(downloads / name for name in papers)
    slug = re.sub(r"\W+", "-", settings()[0].lower()).strip("-") + ("" if solutions else WITHOUT)
    archive = notebooks.BUILD / f"{slug}.zip"
    made = pack(site, archive, packed)
    write(archive, made)
    write(site / archive.name, made)
    write(start, placed(text, for_book(papers, downloads, site / archive.name)))
    print(f"zip: {megabytes(archive)}, {archive}")


def papers_of(site):
    """The PDFs and EPUBs that were made of the same sources as ``site``, by name."""
    stamp = (site / STAMP).read_text()
    found = sorted(path for kind in PAPERS for path in notebooks.BUILD.glob(f"*/{kind}") if path.parent != site)
    beside = {path: path.with_name(path.name + STAMP) for path in found}
    return {path.name: path for path in found if beside[path].is_file() and beside[path].read_text() == stamp}


def placed(text, content):
    """The page ``text`` with ``content`` in the place that is kept for it, whatever stood there."""
    content = f"<!-- take -->{content}<!-- /take -->"
    text, places = PLACE.subn(lambda _: content, text, count=1)
    return text if places else EMPTY.sub(lambda found: f"{found[1]}{content}{found[2]}", text, count=1)


def megabytes(path):
    size = path.stat().st_size / 1e6
    return f"{size:.0f} MB" if size >= 10 else f"{max(size, 0.1):.1f} MB"


def link(path, text, *, more="", save=False):
    """A line of a list that leads to the download at ``path``."""
    saved = " download" if save else ""
    return f'<li><a href="../{path}"{saved}>{text}</a>{more}</li>'


def for_chapter(name, downloads, papers, how):
    """What the page of a chapter offers."""
    blank, with_solutions = f"{name}.ipynb", whole(name)
    lines = [link(f"{DOWNLOADS}/{with_solutions}", "Notebook", save=True)] * (downloads / with_solutions).is_file()
    lines.append(link(f"{DOWNLOADS}/{blank}", "Notebook with blanks", save=True))
    own = [paper for paper in papers if paper.removesuffix(".pdf").removesuffix(WITHOUT) == name]
    books = [paper for paper in papers if paper.endswith(".pdf") and not (downloads / chapter_of(paper)).is_file()]
    if own or books:
        lines.append(link(f"{DOWNLOADS}/{(own or books)[0]}", "PDF" if own else "PDF of the book"))
    lines += [f'<li class="how"><a href="{HOW}">How to run a notebook</a></li>'] * (how is not None)
    return f'<nav aria-label="Downloads of this chapter"><ul>{"".join(lines)}</ul></nav>'


def chapter_of(paper):
    """The notebook of the chapter that the file ``paper`` would hold, if it held a single one."""
    return paper.rpartition(".")[0].removesuffix(WITHOUT) + ".ipynb"


def for_book(papers, downloads, archive=None):
    """What the first page offers: the book as one file, in each form there is."""
    lines = []
    if archive:
        more = f", {megabytes(archive)}: unpack it and open <code>index.html</code>; it needs no network"
        lines.append(link(archive.name, "This site as a zip", more=more, save=True))
    for kind, text, more in ((".pdf", "The book as PDF", ", to read and to print"), (".epub", "The book as EPUB", "")):
        for paper in papers:
            if paper.endswith(kind) and not (downloads / chapter_of(paper)).is_file():
                size = megabytes(downloads / paper)
                lines.append(link(f"{DOWNLOADS}/{paper}", text, more=f", {size}{more}", save=kind == ".epub"))
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def for_package(downloads):
    """How to install the package that chapters import, if only the site is at hand."""
    wheels = [path.name for path in sorted(downloads.glob("*.whl"))]
    if not wheels:
        return ""
    command = f'python -m pip install "./{wheels[0]}[chapters]" jupyterlab'
    return (
        f'<p>If you have this site and not the repository, download <a href="../{DOWNLOADS}/{wheels[0]}" download>the '
        f"package as a file</a>, and in the folder where it lies</p>"
        f'<div class="highlight-bash notranslate"><div class="highlight"><pre>{command}\n</pre></div></div>'
    )


def pack(site, archive, instead):
    """The bytes of a zip of ``site``, where the texts of ``instead`` replace files; those of None are left out.

    All lies in one folder, sorted, and of one site the bytes are always the same. An ``archive`` that holds the same
    already is not made anew.
    """
    files = {}
    for path in site.rglob("*"):
        name = path.relative_to(site).as_posix()
        if (
            path.is_file()
            and not re.search(r"(^|/)\.", name)
            and name != archive.name
            and instead.get(path, "") is not None
        ):
            files[f"{archive.stem}/{name}"] = instead[path].encode() if path in instead else path.read_bytes()
    files = dict(sorted(files.items()))
    try:
        with zipfile.ZipFile(archive) as old:
            if [(each.filename, each.CRC) for each in old.infolist()] == [(n, zlib.crc32(c)) for n, c in files.items()]:
                return archive.read_bytes()
    except (OSError, zipfile.BadZipFile):
        pass
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as new:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EARLY)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # as on Unix, wherever it is made
            entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
    return packed.getvalue()
