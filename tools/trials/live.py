"""Work every live figure of the built site, from the disk, by keyboard and by pointer, in Chromium and in Firefox.

    python -m tools.trials.live [--pages NAME ...] [--browsers chromium firefox] [--out FOLDER]

A figure fails if it asks for anything outside the site, logs an error, does not repeat the chapter's own run, has a
control that the Tab key does not reach, that shows no focus or does nothing, does not start and pause, says the same
after it as before, does not answer to the pointer where it says so, keeps the page busy for more than a tenth of a
second, is wider than the window, or if axe finds anything. Without scripts it must be a picture with its description,
and offer nothing. Screenshots are left in _build/look, to be looked at by a person.
"""

import argparse
import shutil
import sys
from pathlib import Path

from tools.build.notebooks import BUILD
from tools.trials.look import SITE, THEMES, WINDOWS

FIGURE = ".dl-live"
BROWSERS = {"chromium": ("chromium", "google-chrome"), "firefox": ("firefox", "firefox-esr")}
AGREE = 0.02  # how far a figure may end from the chapter's own run, as a share of what there is
BUSY = 100  # milliseconds
WATCH = """() => {
    globalThis.longest = 0;
    try {
        const note = list => list.getEntries().forEach(task => { longest = Math.max(longest, task.duration); });
        new PerformanceObserver(note).observe({ type: "longtask" });
    } catch { /* Firefox does not tell */ }
}"""
NOW = "figure => JSON.stringify(figure.probe.now())"
FOCUS = """figure => {
    const element = document.activeElement, look = getComputedStyle(element);
    return { inside: figure.contains(element), kind: element.type, name: element.tagName,
        seen: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2,
        place: [...figure.querySelectorAll("button, select, input, summary")].indexOf(element),
        value: element.type === "checkbox" ? element.checked : element.value,
        said: element.getAttribute("aria-valuetext"),
        text: element.textContent.slice(0, 30), last: element.max ?? (element.options && element.options.length - 1),
        index: element.selectedIndex, size: Math.min(element.offsetWidth, element.offsetHeight) };
}"""
LABELS = "figure => [...figure.querySelectorAll('canvas')].map(canvas => canvas.getAttribute('aria-label'))"
CUT = """figure => [figure, ...figure.querySelectorAll("*")].filter(element =>
    element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1).length"""


def settle(page, milliseconds=150):
    """Give the page time to act."""
    page.wait_for_timeout(milliseconds)


def by_keys(page, figure):
    """Go through the controls of a figure by the Tab key and use each; yield what is wrong."""
    figure.evaluate("figure => figure.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    controls = figure.locator("button, select, input")
    total = figure.evaluate(
        "f => [...f.querySelectorAll('button, select, input, summary')].filter(c =>"
        " c.checkVisibility() && !c.disabled).length"
    )
    if not total:
        yield "has no controls"
        return
    reached = set()
    controls.first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")  # so that the focus comes by key, and is shown
    for number in range(total):
        at = page.evaluate_handle("document.activeElement")
        focus = figure.evaluate(FOCUS)
        if not focus["inside"]:
            break
        reached.add(focus["place"])
        what = f"control {focus['place'] + 1}, {focus['name'].lower()} {focus['text']!r}"
        if not focus["seen"]:
            yield f"does not show the focus on its {what}"
        if focus["size"] < 20:
            yield f"has a {what} of {focus['size']} pixels"
        if focus["kind"] == "checkbox":
            page.keyboard.press("Space")
            settle(page)
            if figure.evaluate(FOCUS)["value"] == focus["value"]:
                yield f"does not toggle its {what}"
            page.keyboard.press("Space")
        elif focus["kind"] == "range":
            back = focus["value"] == focus["last"]
            page.keyboard.press("ArrowLeft" if back else "ArrowRight")
            settle(page)
            now = figure.evaluate(FOCUS)
            if now["value"] == focus["value"] or now["said"] == focus["said"] or not now["said"]:
                yield f"does not move its {what}, or says {now['said']!r} as before"
            page.keyboard.press("ArrowRight" if back else "ArrowLeft")
        elif focus["name"] == "SELECT":
            back = focus["index"] == focus["last"]
            page.keyboard.press("ArrowUp" if back else "ArrowDown")
            settle(page, 250)
            if figure.evaluate(FOCUS)["value"] == focus["value"]:
                yield f"does not change its {what}"
            page.keyboard.press("ArrowDown" if back else "ArrowUp")
        elif focus["kind"] == "button":
            page.keyboard.press("Enter")
            settle(page)
        if figure.evaluate("figure => Boolean(figure.probe.now().on)"):  # it runs: pause it
            page.keyboard.press("Enter")
            settle(page)
        at.evaluate("element => element.focus()")
        if number + 1 < total:
            page.keyboard.press("Tab")
    if len(reached) < total:
        yield f"lets the Tab key reach {len(reached)} of its {total} controls"


def by_run(page, figure):
    """Start what runs by a key, and pause it; yield what is wrong."""
    if (reset := figure.get_by_role("button", name="Reset", exact=True)).count():
        reset.press("Enter")
    settle(page)
    start = figure.locator("button").first
    offer, before, labels = start.inner_text(), figure.evaluate(NOW), figure.evaluate(LABELS)
    if "on" not in before:
        return
    start.press("Enter")
    settle(page, 1500)
    if not figure.evaluate("figure => figure.probe.now().on") and figure.evaluate(NOW) == before:
        yield "does not start"
    elif figure.evaluate("figure => figure.probe.now().on"):
        if start.inner_text() == offer:
            yield "does not offer to pause"
        start.press("Enter")
        settle(page)
        if figure.evaluate("figure => figure.probe.now().on"):  # it had come to its end, and was begun again
            start.press("Enter")
            settle(page)
    after, rest = figure.evaluate(NOW), figure.evaluate(LABELS)
    settle(page, 600)
    if figure.evaluate(NOW) != after or start.inner_text() != offer:
        yield "does not pause"
    if after == before:
        yield "has not moved in a second and a half"
    if rest == labels or not any(any(letter.isdigit() for letter in label or "") for label in rest):
        yield f"says the same after its run as before: {rest}"


def by_pointer(page, figure):
    """Click and drag on each canvas that takes a pointer; yield what is wrong."""
    for number, canvas in enumerate(figure.locator("canvas[data-pointer]").all(), 1):
        if not canvas.is_visible():
            continue
        canvas.scroll_into_view_if_needed()
        before, box = figure.evaluate(NOW), canvas.bounding_box()
        places = [(box["x"] + share * box["width"], box["y"] + share * box["height"]) for share in (0.35, 0.45, 0.55)]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4)
        page.mouse.up()
        settle(page, 400)
        if figure.evaluate(NOW) == before:
            yield f"does not answer to the pointer on its canvas {number}"


def work(page, figure, axe):
    """Work one figure in every way; yield what is wrong with it."""
    figure.scroll_into_view_if_needed()
    try:
        figure.locator(".dl-body").wait_for(timeout=15_000)
    except Exception:
        yield "stays a picture"
        return
    if figure.locator("> img").is_visible():
        yield "shows its picture beside what it draws"
    settle(page, 500)
    off = figure.evaluate("async figure => await figure.probe.check()")
    if not off <= AGREE:
        yield f"does not repeat the chapter's run: off by {off}"
    for part in (by_keys, by_run, by_pointer):
        figure.evaluate("() => { globalThis.longest = 0; }")
        problems = list(part(page, figure))
        if figure.evaluate("() => globalThis.longest") > BUSY:  # or somebody else did: once more
            figure.evaluate("() => { globalThis.longest = 0; }")
            list(part(page, figure))
            if (busy := figure.evaluate("() => globalThis.longest")) > BUSY:
                problems.append(f"keeps the page busy for {busy:.0f} ms ({part.__name__})")
        yield from problems
    if cut := figure.evaluate(CUT):
        yield f"has {cut} parts that reach beyond the window"
    for violation in axe.run(page, context=FIGURE, options={"preload": False}).response["violations"]:
        targets = ", ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        yield f"axe, {violation['impact']}: {violation['help']} ({len(violation['nodes'])}: {targets})"


def without_scripts(figure):
    """Yield what is wrong with a figure where scripts do not run."""
    if not figure.locator("> img").is_visible():
        yield "shows nothing where scripts do not run"
    elif len(figure.locator("> img").get_attribute("alt") or "") < 30:
        yield "has a picture without a description"
    if figure.locator("button, select, input").count():
        yield "offers controls where scripts do not run"


def open_page(browser, path, window, theme, problems, scripts=True):
    """A new page with the file at ``path``, whose errors and requests are noted in ``problems``."""
    context = browser.new_context(viewport=WINDOWS[window], java_script_enabled=scripts)
    if scripts:
        keep = "try {{ localStorage.setItem('mode', '{0}'); localStorage.setItem('theme', '{0}'); }} catch {{}}"
        context.add_init_script(keep.format(theme))  # an empty page has nowhere to keep it
        context.add_init_script(f"({WATCH})()")
    page = context.new_page()
    page.on("console", lambda message: problems.append(f"logged {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(f"raised {error}"))

    def asked(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            problems.append(f"asked for {request.url}")

    page.on("request", asked)
    page.goto(path.as_uri(), wait_until="load")
    return page


def look(browser, name, axe, path, window, theme, out):
    """Work the figures of one page; return what is wrong with them."""
    problems = []
    page = open_page(browser, path, window, theme, problems)
    for number, figure in enumerate(page.locator(FIGURE).all(), 1):
        problems += [f"figure {number} {problem}" for problem in work(page, figure, axe)]
        figure.screenshot(path=out / f"live-{path.stem}-{number}-{name}-{window}-{theme}.png")
    page.context.close()
    return problems


def main(arguments):
    """Work the live figures; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.live", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pages", nargs="*", help="names of pages without suffix; all, if none is given")
    parser.add_argument("--browsers", nargs="*", choices=list(BROWSERS), default=list(BROWSERS))
    parser.add_argument("--out", type=Path, default=BUILD / "look", help="where the screenshots go")
    options = parser.parse_args(arguments)
    pages = [path for path in sorted(SITE.glob("book/*.html")) if 'class="dl-live"' in path.read_text("utf-8")]
    if options.pages:
        pages = [path for path in pages if path.stem in options.pages]
    if not pages:
        print("There is no such page with a live figure; make book comes first.", file=sys.stderr)
        return 1
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    with sync_playwright() as playwright:
        for name in options.browsers:
            system = next((found for command in BROWSERS[name] if (found := shutil.which(command))), None)
            if name == "firefox" and system:  # an unchanged Firefox is spoken to by WebDriver BiDi
                browser = playwright.firefox.launch(executable_path=system, channel="moz-firefox")
            else:
                browser = getattr(playwright, name).launch(executable_path=system)
            for path in pages:
                views = [(window, theme) for window in WINDOWS for theme in THEMES]
                for window, theme in views:
                    problems = look(browser, name, Axe(), path, window, theme, options.out)
                    failed, passed = failed + bool(problems), passed + (not problems)
                    print(f"{path.stem}, {name}, {window}, {theme}: {'' if problems else 'fine'}", flush=True)
                    for problem in dict.fromkeys(problems):
                        print(f"  {problem}", flush=True)
                if name == "chromium":  # the others cannot be told to run no scripts
                    problems = []
                    page = open_page(browser, path, "phone", "light", problems, scripts=False)
                    for number, figure in enumerate(page.locator(FIGURE).all(), 1):
                        problems += [f"figure {number} {problem}" for problem in without_scripts(figure)]
                    page.context.close()
                    failed, passed = failed + bool(problems), passed + (not problems)
                    print(f"{path.stem}, {name}, without scripts: {'; '.join(problems) or 'fine'}", flush=True)
            browser.close()
    print(f"{passed} passed, {failed} failed. Screenshots are in {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
