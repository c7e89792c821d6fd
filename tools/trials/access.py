"""Try every page of the built site, from the disk, as people read it who see little, or work by keyboard alone.

    python -m tools.trials.access [--pages NAME ...] [--browsers chromium firefox] [--jobs N] [--out FOLDER]

In each browser, a page fails if at 320 CSS pixels it scrolls sideways, but for what must (tables, code, formulas and
figures); if at a zoom of 200 %, or with text of twice the size, it is wider than the window, cuts anything off, or
keeps some text small; if the Tab key does not reach something that takes the focus, or shows no focus there, in the
light or in the dark theme; if anything moves for a reader who asked for reduced motion; or if axe finds anything, with
all folds open. Axe looks in Chromium at the light theme and in Firefox at the dark one, and leaves out code and the
insides of formulas, which take it many times as long as all the rest. So this is a matter of minutes, and runs on every
change; tools.trials.look, once a week, leaves nothing out.
"""

import argparse
import concurrent.futures
import functools
import os
import shutil
import sys
import time
import types
from pathlib import Path

from tools.build.notebooks import BUILD
from tools.trials.live import BROWSERS
from tools.trials.look import MEASURE, SITE, examine

WINDOW = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}
ZOOMED = {"width": 640, "height": 450}  # what is left of WINDOW at 200 %
MAY_SCROLL = (
    "pre, table, .dl-table, .pst-scrollable-table-container, .math, mjx-container, figure, .cell_output, .output"
)
HEAVY = [["pre"], ["mjx-math"]]
AXE_IN = {"chromium": "light", "firefox": "dark"}  # which theme
PAGES = 8  # that a browser opens before it is started anew
ASK = Path(__file__).with_suffix(".js")


def reflows(page):
    """Yield what does not fit a window of 320 CSS pixels, as a page has at 1280 and a zoom of 400 %."""
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(200)
    yield from _fits(page, "at 320 px")
    for text in page.evaluate("may => access.sideways(may)", MAY_SCROLL):
        yield f"at 320 px scrolls {text!r} sideways"


def zooms(page):
    """Yield what does not fit at 200 %: of the whole page, and of its text alone."""
    page.set_viewport_size(ZOOMED)
    page.wait_for_timeout(200)
    yield from _fits(page, "at a zoom of 200 %")
    page.set_viewport_size(WINDOW)
    page.wait_for_timeout(200)
    page.evaluate("access.note()")
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    page.wait_for_timeout(200)
    yield from _fits(page, "with text of twice the size")
    for text in dict.fromkeys(page.evaluate("access.small()")):
        yield f"keeps the text {text!r} small where text is to be of twice the size"
    page.evaluate("() => { document.documentElement.style.fontSize = ''; }")


def _fits(page, when):
    seen = page.evaluate(MEASURE)
    if seen["wider"] > 0:
        yield f"{when} is {seen['wider']} px wider than the window"
    for text in dict.fromkeys(seen["cut"]):
        yield f"{when} cuts {text!r} off"


def rests(page):
    """Yield what moves on a page whose reader has asked for reduced motion."""
    seen = page.evaluate("access.motion()")
    if not seen["told"]:
        yield "was not told that its reader wants reduced motion"
    for text in seen["found"]:
        yield f"for reduced motion: {text}"
    before = page.evaluate("access.now()")
    page.wait_for_timeout(700)
    if page.evaluate("access.now()") != before:
        yield "moves by itself"


def shows_focus(page, known):
    """Go through the page by the Tab key; yield where the focus is not seen, and what it does not come to.

    Each stop must look other with the focus than without; of each kind of stop, that must also be seen in its picture,
    in both themes. ``known`` are the kinds of which it was.
    """
    total = page.evaluate("access.stops()")
    reached, last = set(), None
    for _ in range(3 * total + 10):  # code that scrolls is a stop, too
        page.keyboard.press("Tab")
        now = page.evaluate("access.at()")
        if last and now["before"] == last["look"]:
            yield f"does not show the focus on {last['kind']} {last['name']!r}"
        if not now["on"] or (now["number"] == "0" and reached):
            break
        if now["number"] is not None:
            reached.add(now["number"])
        if not now["seen"]:
            yield f"has the focus out of sight on {now['kind']} {now['name']!r}"
        elif now["kind"] not in known:
            known.add(now["kind"])
            for theme in ("dark", "light"):
                page.evaluate("name => access.theme(name)", theme)
                if not _seen_in_pixels(page, now["box"]):
                    yield f"in the {theme} theme shows no focus that is seen on {now['kind']} {now['name']!r}"
        last = now
    missed = page.evaluate("reached => access.missed(reached)", sorted(reached))
    for name in missed[:5]:
        yield f"does not come to {name!r} by the Tab key"
    if len(missed) > 5:
        yield f"does not come to {len(missed)} of its {total} stops by the Tab key"


def _seen_in_pixels(page, box):
    """Whether the picture of the element with the focus changes when it loses it."""
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[2], page.viewport_size["width"]), min(box[3], page.viewport_size["height"])
    clip = {"x": left, "y": top, "width": max(right - left, 1), "height": max(bottom - top, 1)}
    with_focus = page.screenshot(clip=clip)
    page.evaluate("access.has.blur()")
    without = page.screenshot(clip=clip)
    page.evaluate("access.has.focus({ preventScroll: true, focusVisible: true })")
    return with_focus != without


def open_view(browser, path, settled=500):
    """The page at ``path`` in a desktop's window, in the light theme, for a reader who wants reduced motion.

    It is given ``settled`` milliseconds for what its scripts do at first.
    """
    context = browser.new_context(viewport=WINDOW, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    keep = "try { localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light'); } catch {}"
    context.add_init_script(keep)
    context.add_init_script(path=ASK)
    page = context.new_page()
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_timeout(settled)
    return page


def attempt(page, axe, known, theme):
    """Everything that is tried on a page; yield what is wrong with it."""
    yield from rests(page)
    page.evaluate("access.unfold()")
    page.wait_for_timeout(200)
    yield from shows_focus(page, known)
    page.evaluate("document.activeElement.blur()")  # or a button's tooltip stays
    page.wait_for_function("!document.querySelector('.tooltip')")  # which fades
    page.evaluate("name => access.theme(name)", theme)
    yield from zooms(page)
    yield from reflows(page)
    for problem in examine(page, types.SimpleNamespace(run=functools.partial(_run, axe))):
        yield f"at 320 px, in the {theme} theme, {problem}"


def _run(axe, page, options):
    """What axe says without the contrast of each word of code and each part of a formula, and of what fails alone."""
    rules = {"empty-table-header": {"enabled": False}}  # one that holds a formula is empty without it
    return axe.run(page, context={"exclude": HEAVY}, options={**options, "resultTypes": ["violations"], "rules": rules})


def launch(playwright, name):
    """The browser ``name`` of this machine, or else the one that playwright has installed."""
    system = next((found for command in BROWSERS[name] if (found := shutil.which(command))), None)
    if name == "firefox" and system:  # an unchanged Firefox is spoken to by WebDriver BiDi
        calm = {"ui.prefersReducedMotion": 1}  # which BiDi cannot ask for
        return playwright.firefox.launch(executable_path=system, channel="moz-firefox", firefox_user_prefs=calm)
    return getattr(playwright, name).launch(executable_path=system)


def try_pages(name, paths, out):
    """Try pages in the browser ``name``, and say of each what is wrong; return how many fail."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    failed, known = 0, set()
    with sync_playwright() as playwright:
        browser = launch(playwright, name)
        for path in paths:
            start = time.monotonic()
            page = open_view(browser, path)
            problems = list(dict.fromkeys(attempt(page, Axe(), known, AXE_IN[name])))
            if problems:
                top = {"x": 0, "y": 0, **NARROW, "height": 20_000}  # Firefox draws none of a very long page
                page.screenshot(path=out / f"access-{path.stem}-{name}.png", full_page=True, clip=top)
            page.context.close()
            failed += bool(problems)
            title = f"{path.stem}, {name}, {time.monotonic() - start:.0f} s:{'' if problems else ' fine'}"
            print("\n  ".join([title, *problems]), flush=True)
        browser.close()
    return failed


def main(arguments):
    """Try the pages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.access", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pages", nargs="*", help="names of pages without suffix; all, if none is given")
    parser.add_argument("--browsers", nargs="*", choices=list(BROWSERS), default=list(BROWSERS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="browsers that run at the same time")
    parser.add_argument("--out", type=Path, default=BUILD / "look", help="where screenshots of what fails go")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    pages = [path for path in sorted(SITE.rglob("*.html")) if "_static" not in path.relative_to(SITE).parts]
    pages = [path for path in pages if path.name != "genindex.html" and path != SITE / "index.html"]
    if options.pages:
        pages = [path for path in pages if path.stem in options.pages]
    if not pages:
        print("There is no such page; make book comes first.", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    few = [pages[start : start + PAGES] for start in range(0, len(pages), PAGES)]
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        tried = [pool.submit(try_pages, name, some, options.out) for some in few for name in options.browsers]
        failed = sum(each.result() for each in tried)
    passed = len(pages) * len(options.browsers) - failed
    print(f"{passed} passed, {failed} failed. Screenshots of what failed are in {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
