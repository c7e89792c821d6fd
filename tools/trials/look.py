"""Open every page of the built site in a browser, on a desktop and on a phone, in the light and in the dark theme.

    python -m tools.trials.look [--pages NAME ...] [--out FOLDER]

A page fails if it asks for anything outside the site, logs an error, misses an image, is wider than the window, cuts
off what does not fit, on the screen or on paper, if axe finds anything, or if a fold, a player or a formula does not do
by keyboard what it should. Screenshots of all pages, and the pages as they are printed, are left in _build/look, to be
looked at by a person.
"""

import argparse
import functools
import http.server
import math
import os
import shutil
import sys
import threading
from pathlib import Path

from tools.build.notebooks import BUILD
from tools.build.printed import PRINTED

SITE = BUILD / "html"
WINDOWS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
MEASURE = """() => ({
    theme: document.documentElement.dataset.theme,
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    cut: [...document.querySelectorAll("main *")].filter(element =>
        element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1 && element.checkVisibility() &&
        /hidden|clip/.test(getComputedStyle(element).overflowX) && !element.closest(".math")
    ).map(element => element.textContent.trim().replace(/\\s+/g, " ").slice(0, 40)),
    broken: [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src),
    bytes: performance.getEntries().reduce((total, entry) => total + (entry.encodedBodySize || 0), 0),
})"""
PAPER = {"width": 680, "height": 1000}  # an A4 sheet between its margins, in CSS pixels
# A formula is a stop of the Tab key if, and only if, it scrolls. None would be a stop that leads nowhere.
FORMULAS = """() => {
    const formulas = [...document.querySelectorAll("mjx-container")].filter(formula => formula.checkVisibility());
    const scrolls = formula => formula.matches("[display], .dl-wide") && formula.scrollWidth > formula.clientWidth;
    const stops = formula => [formula, ...formula.querySelectorAll("*")].some(element => element.tabIndex >= 0);
    return {
        needless: formulas.filter(formula => stops(formula) && !scrolls(formula)).length,
        missing: formulas.filter(formula => scrolls(formula) && !stops(formula)).length,
        wide: formulas.filter(formula => !formula.getAttribute("display") && !formula.closest("table") &&
            formula.getBoundingClientRect().right > innerWidth).length,
        mute: formulas.filter(formula => !formula.querySelector("mjx-assistive-mml math")).length,
    };
}"""
PLAYER = ".dl-player"  # of plotting.animate
STATE = """player => {
    const [play, slider] = [player.querySelector("button"), player.querySelector("input")];
    return {
        image: player.querySelector("img").src,
        frame: slider && Number(slider.value),
        said: slider && slider.getAttribute("aria-valuetext"),
        read: player.querySelector("output")?.textContent,
        offers: play && play.getAttribute("aria-label"),
    };
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def operate(page, player, at_first):
    """Work a player by its keys, on the page's fake clock; yield what is wrong with it. ``at_first`` is its STATE."""
    if player.get_by_role("button").count() != 3 or player.get_by_role("slider").count() != 1:
        yield "does not have three buttons and a slider"
        return
    play, slider = player.get_by_role("button").first, player.get_by_role("slider")
    interval = math.ceil(float(player.get_attribute("data-interval")))  # the clock takes whole milliseconds
    last = slider.evaluate("slider => Number(slider.max)")
    end = player.evaluate(STATE)
    if end != at_first or end["frame"] != last:
        yield "does not rest on its last frame before anything is pressed"
    if last == 0:
        return

    def after(key, milliseconds=0):
        page.keyboard.press(key)
        page.clock.run_for(milliseconds)
        return player.evaluate(STATE)

    play.focus()
    running = after("Enter")
    if running["frame"] != 0 or running["offers"] == end["offers"]:
        yield "does not start at the first frame, or does not offer to pause"
    images = {running["image"]}
    for _ in range(last):
        page.clock.run_for(interval)
        images.add(player.evaluate(STATE)["image"])
    if len(images) < 2 or player.evaluate(STATE) != end:
        yield "does not run through its frames to the last one"
    page.clock.run_for(5 * interval)
    if player.evaluate(STATE) != end:
        yield "does not stay on its last frame"
    after("Space")
    paused = after("Space")
    page.clock.run_for(5 * interval)
    if player.evaluate(STATE) != paused or paused["offers"] != end["offers"]:
        yield "does not pause"
    after("Enter", interval * (last + 1))
    for tabs, key, frame in (
        (1, "Enter", last - 1),  # step back
        (1, "Space", last),  # step forward
        (1, "ArrowLeft", last - 1),  # the slider
        (0, "Home", 0),
        (0, "ArrowRight", 1),
        (0, "End", last),
    ):
        for _ in range(tabs):
            page.keyboard.press("Tab")
        state = after(key)
        if state["frame"] != frame or (state["image"] == end["image"]) != (frame == last):
            yield f"does not show frame {frame} of 0 to {last} after {key}"
        if not state["said"] or state["said"] != state["read"]:
            yield f"says {state['said']!r} and shows {state['read']!r}"


def unfold(page):
    """Open all that is folded away by its keys; yield what does not open."""
    for number, fold in enumerate(page.locator("main details").all(), 1):
        fold.locator("summary").first.focus()
        page.keyboard.press("Enter")
        if not fold.evaluate("fold => fold.open && fold.querySelector('summary') === document.activeElement"):
            yield f"does not open its fold {number} by Enter"
        name = fold.locator("summary").first.get_attribute("aria-label")
        if name is not None:
            yield f"calls its fold {number} {name!r}, and shows another text"


def examine(page, axe):
    """Yield what is wrong with the page as it stands: its width, what does not fit, its formulas, what axe finds."""
    seen = page.evaluate(MEASURE)
    if seen["wider"] > 0:
        yield f"is {seen['wider']} px wider than the window"
    for text in seen["cut"]:
        yield f"cuts {text!r} off"
    formulas = page.evaluate(FORMULAS)
    for kind, what in (
        ("needless", "stops the Tab key at {} formulas that do not scroll"),
        ("missing", "has {} formulas that scroll, and not by key"),
        ("wide", "has {} formulas in the text that do not fit"),
        ("mute", "has {} formulas without MathML for screen readers"),
    ):
        if formulas[kind]:
            yield what.format(formulas[kind])
    for violation in axe.run(page, options={"preload": False}).response["violations"]:  # of whatever impact
        targets = ", ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        yield f"axe, {violation['impact']}: {violation['help']} ({len(violation['nodes'])}: {targets})"


def on_paper(page, path):
    """Print the page to ``path``; yield what is wrong with it on paper."""
    window, theme = page.viewport_size, page.evaluate("document.documentElement.dataset.theme")
    page.emulate_media(media="print")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size(PAPER)
    seen = page.evaluate(PRINTED)
    if seen["dark"]:
        yield "would be printed in the dark theme"
    for text in dict.fromkeys(seen["cut"]):
        yield f"cuts {text!r} off where it is printed"
    page.set_viewport_size(window)
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="null")
    page.pdf(path=path, format="A4", prefer_css_page_size=True)
    if page.evaluate("document.documentElement.dataset.theme") != theme:
        yield "stays in another theme after it was printed"


def look(browser, axe, address, page_name, window, theme, out):
    """Open one page; return (list of what is wrong with it, bytes it loaded)."""
    problems = []
    context = browser.new_context(viewport=WINDOWS[window], color_scheme=theme)
    context.set_default_timeout(180_000)  # a busy machine takes its time for the picture of a long chapter
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
    players = page.locator(PLAYER).all()
    at_first = [player.evaluate(STATE) for player in players]
    seen = page.evaluate(MEASURE)
    if seen["theme"] != theme:
        problems.append(f"shows the theme {seen['theme']}")
    problems += [f"misses the image {source}" for source in seen["broken"]]
    problems += examine(page, axe)
    page.screenshot(path=out / f"{Path(page_name).stem}-{window}-{theme}.png", full_page=True)
    if window == "desktop":  # in a page of its own, because what listens to its size goes on doing so for a while
        sheet = context.new_page()
        sheet.goto(f"{address}/{page_name}", wait_until="networkidle")
        problems += on_paper(sheet, out / f"{Path(page_name).stem}-{theme}.pdf")
        sheet.close()
    if page.locator("main details").count():
        problems += unfold(page)
        problems += [f"unfolded {problem}" for problem in examine(page, axe)]
        page.evaluate("() => scrollTo(0, 0)")  # what floats at the top of the window is in the picture only once
        page.screenshot(path=out / f"{Path(page_name).stem}-{window}-{theme}-unfolded.png", full_page=True)
    if players:
        page.clock.install(time=0)  # so late because it also replaces the performance entries
        page.clock.pause_at(3600)
    for number, (player, state) in enumerate(zip(players, at_first, strict=True), 1):
        problems += [f"player {number} of {len(players)} {problem}" for problem in operate(page, player, state)]
    context.close()
    return problems, seen["bytes"]


def main(arguments):
    """Look at the pages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.look", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pages", nargs="*", help="names of pages without suffix; all, if none is given")
    parser.add_argument("--out", type=Path, default=BUILD / "look", help="where the screenshots go")
    options = parser.parse_args(arguments)
    names = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
    names = [name for name in names if name not in ("index.html", "genindex.html", "404.html")]
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
