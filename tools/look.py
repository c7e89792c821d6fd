"""Open every page of the built site in a browser, on a desktop and on a phone, in the light and in the dark theme.

    python -m tools.look [--pages NAME ...] [--out FOLDER]

A page fails if it asks for anything outside the site, logs an error, misses an image, is wider than the window, or if
axe finds something serious. Screenshots of all pages are left in _build/look, to be looked at by a person.
"""

import argparse
import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

from tools.notebooks import BUILD

SITE = BUILD / "html"
WINDOWS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
MEASURE = """() => ({
    theme: document.documentElement.dataset.theme,
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    broken: [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src),
    bytes: performance.getEntries().reduce((total, entry) => total + (entry.encodedBodySize || 0), 0),
})"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def look(browser, axe, address, page_name, window, theme, out):
    """Open one page; return (list of what is wrong with it, bytes it loaded)."""
    problems = []
    context = browser.new_context(viewport=WINDOWS[window], color_scheme=theme)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")

    def guard(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("console", lambda message: problems.append(f"logged {message.text}") if message.type == "error" else None)
    page.on("response", lambda answer: problems.append(f"{answer.status}: {answer.url}") if not answer.ok else None)
    page.on("pageerror", lambda error: problems.append(f"raised {error}"))
    page.goto(f"{address}/{page_name}", wait_until="networkidle")
    page.evaluate("() => document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; })")
    page.wait_for_timeout(300)
    seen = page.evaluate(MEASURE)
    if seen["theme"] != theme:
        problems.append(f"shows the theme {seen['theme']}")
    if seen["wider"] > 0:
        problems.append(f"is {seen['wider']} px wider than the window")
    problems += [f"misses the image {source}" for source in seen["broken"]]
    for violation in axe.run(page, options={"preload": False}).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            targets = ", ".join(str(node["target"][0]) for node in violation["nodes"][:3])
            problems.append(f"axe, {violation['impact']}: {violation['help']} ({len(violation['nodes'])}: {targets})")
    page.screenshot(path=out / f"{Path(page_name).stem}-{window}-{theme}.png", full_page=True)
    context.close()
    return problems, seen["bytes"]


def main(arguments):
    """Look at the pages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.look", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pages", nargs="*", help="names of pages without suffix; all, if none is given")
    parser.add_argument("--out", type=Path, default=BUILD / "look", help="where the screenshots go")
    options = parser.parse_args(arguments)
    names = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
    names = [name for name in names if name not in ("index.html", "genindex.html")]
    if options.pages:
        names = [name for name in names if Path(name).stem in options.pages]
    if not names:
        print("There is no such page; make book comes first.", file=sys.stderr)
        return 1
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=os.fspath(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    failed = 0
    with sync_playwright() as playwright:
        system = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=system, args=quiet)
        axe = Axe()
        for name in names:
            for window in WINDOWS:
                for theme in THEMES:
                    problems, size = look(browser, axe, address, name, window, theme, options.out)
                    failed += bool(problems)
                    print(f"{name}, {window}, {theme}: {size / 1e6:.2f} MB, {'fine' if not problems else ''}")
                    for problem in dict.fromkeys(problems):
                        print(f"  {problem}")
        browser.close()
    server.shutdown()
    print(f"{len(names) * 4 - failed} passed, {failed} failed. Screenshots are in {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
