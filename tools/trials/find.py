"""Search the built site for all it should find, from the disk, in Chromium and in Firefox.

    python -m tools.trials.find [--browsers chromium firefox]

Every term of the glossary, every figure by the words of its caption and every function by its name must be among what
is found first, and lead to a place that is there; of what nearly all chapters use, one such place is enough. Of each
kind one is searched for as a reader does: by keys from the first page, on to the result.
"""

import argparse
import re
import shutil
import sys

from tools.build import notebooks
from tools.trials import live
from tools.trials.look import SITE

FIRST = 10  # results that a reader looks at
# By kind, what to search for and where it is. A caption's first words are typed as they stand; the number is left out.
WANTED = """() => {
    const { docnames, objects, objnames } = Search._index, wanted = { term: [] };
    for (const [page, places] of Object.entries(bookTexts)) {
        for (const [anchor, heading] of page.endsWith("glossary") ? places : []) {
            if (anchor.startsWith("term-")) wanted.term.push([heading, `${page}.html#${anchor}`]);
        }
    }
    for (const [prefix, found] of Object.entries(objects)) {
        for (const [page, type, , anchor, name] of found) {
            const whole = (prefix ? prefix + "." : "") + name, kind = objnames[type][1];
            const query = kind === "figure" ? whole.replace(/^.*?: /, "").split(" ").slice(0, 8).join(" ") : whole;
            const text = new DOMParser().parseFromString(query, "text/html").body.textContent;
            (wanted[kind] ??= []).push([text, `${docnames[page]}.html#${anchor}`]);
        }
    }
    return wanted;
}"""
FOUND = """(wanted) => wanted.map(([query]) => Search._performSearch(...Search._parseQuery(query)).reverse()
    .map(([page, , anchor]) => `${page}.html${anchor}`))"""


def by_reader(page, query, place):
    """Search for ``query`` by keys from the first page, and follow the result; yield what is wrong."""
    page.goto((SITE / f"{notebooks.pages()[0]}.html").as_uri())
    page.locator(".bd-sidebar-primary .search-button__button").click()
    page.locator("dialog input[name=q]").fill(query)
    page.keyboard.press("Enter")
    result = page.locator(f'#search-results li a[href="{place}"]').first
    try:
        result.click(timeout=20_000)
        page.wait_for_url(f"**/{place}")
    except Exception as error:
        yield f"does not lead a reader who types {query!r} to {place}: {str(error).splitlines()[0]}"


def search(browser):
    """What is wrong with the search of the site, and how many searches were made."""
    problems, made = [], 0
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda told: problems.append(f"logged {told.text}") if told.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(f"raised {error}"))
    page.add_init_script(
        "try { localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light'); } catch {}"
    )
    page.goto((SITE / "search.html").as_uri())
    ids = {}
    for kind, wanted in page.evaluate(WANTED).items():
        for (query, place), found in zip(wanted, page.evaluate(FOUND, wanted), strict=True):
            made += 1
            name, _, anchor = place.partition("#")
            if name not in ids:
                ids[name] = set(re.findall(r'\sid="([^"]+)"', (SITE / name).read_text("utf-8")))
            if anchor not in ids[name]:
                problems.append(f"leads for the {kind} {query!r} to {place}, which is not there")
            places = {other for text, other in wanted if text == query} if kind == "use" else {place}
            if not places & set(found[:FIRST]):
                problems.append(f"does not find the {kind} {query!r} at {place} among its first {FIRST} results")
    for wanted in page.evaluate(WANTED).values():
        problems += by_reader(page, *wanted[len(wanted) // 2])
        made += 1
    page.close()
    return problems, made


def main(arguments):
    """Search the site; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.find", description=__doc__.split("\n\n")[0])
    parser.add_argument("--browsers", nargs="*", choices=list(live.BROWSERS), default=list(live.BROWSERS))
    options = parser.parse_args(arguments)
    if not (SITE / "search.html").is_file():
        print("There is no site; make book comes first.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    failed = False
    with sync_playwright() as playwright:
        for name in options.browsers:
            system = next((found for command in live.BROWSERS[name] if (found := shutil.which(command))), None)
            channel = {"channel": "moz-firefox"} if name == "firefox" and system else {}
            browser = getattr(playwright, name).launch(executable_path=system, **channel)
            problems, made = search(browser)
            browser.close()
            failed |= bool(problems)
            print(f"search, {name}: {made} made, {len(problems)} wrong", flush=True)
            for problem in problems:
                print(f"  {problem}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
