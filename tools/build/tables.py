"""The numbers of figures as tables below them, folded away, and as files to download.

``dlutils.tabulate`` has put the numbers into the outputs of an executed chapter, beside the pictures. A table shows
few enough rows to be read; the file holds all of them.
"""

import bisect
import collections
import csv
import html
import io
import itertools
import re
import statistics

from tools.build import exercises

import nbformat

NUMBERS = "application/vnd.dlutils.numbers+json"  # as in dlutils.tabulate
ROWS = 25  # of a table, and one more for the last point
FAMILY = 5  # lines of one name, or without any, beyond which a table tells how far they spread
FILE_ROWS = 5_000  # of a file
CELL = "numbers-of-"  # with which the names of the cells begin that hold tables
FOLDER = "numbers"  # of files, in the folder of what is served as it is


def unfold(notebook, folder, up):
    """Put below each figure of ``notebook`` that has numbers a fold with its tables; write their files to ``folder``.

    ``up`` leads from the page to where ``folder`` is served. What the numbers were in is taken out of the outputs.
    """
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        found = [output.data.pop(NUMBERS) for output in cell.get("outputs", []) if NUMBERS in output.get("data", {})]
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if not name or not found:
            continue
        tables = [table for panel in found[0] for table in tables_of(panel)]
        parts, files = [], []
        for number, table in enumerate(tables, 1):
            file = f"{name}.csv" if len(tables) == 1 else f"{name}-{number}.csv"
            text, what = as_csv(table)
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            (folder / FOLDER / file).write_text(text, "utf-8-sig", newline="")  # or Excel takes ω for Ï‰
            files.append(f'<a href="{up}{FOLDER}/{file}" download="{file}">{file}</a> ({what})')
            parts.append(as_html(table))
        parts += [f"<p>{said(sentence)}</p>" for sentence in also_in(found[0])]
        parts.append(f"<p>To download: {', '.join(files)}.</p>")
        hidden = exercises.EXERCISE in cell.metadata.get("tags", [])
        title = f"The numbers of {'the figure that is folded away above' if hidden else 'this figure'}"
        fold = [f'<details class="dl-numbers"><summary>{title}</summary>', *parts, "</details>"]
        cells.append(nbformat.v4.new_markdown_cell("\n".join(fold), id=f"{CELL}{cell.id}"[:64]))
    notebook.cells = cells


def tables_of(panel):
    """The tables of a panel: lines that have their places in common share one. Columns are (head, values)."""
    names = heads(panel)
    groups = []  # each a list of (head, series), the longest series first
    for head, series in sorted(zip(names, panel["series"], strict=True), key=lambda pair: -len(pair[1]["x"])):
        for group in groups:
            known = group[0][1]["x"]
            part = set(series["x"]) <= set(known) and len(set(known)) == len(known)
            # A few points among a great many would be lost where the rows are thinned.
            if series["x"] == known or (part and (len(known) <= ROWS + 1 or 3 * len(series["x"]) >= len(known))):
                group.append((head, series))
                break
        else:
            groups.append([(head, series)])
    tables = []
    for group in groups:
        group.sort(key=lambda pair: names.index(pair[0]))  # as they were drawn
        longest = max((series for _, series in group), key=lambda series: len(series["x"]))
        columns = [column for head, series in group for column in columns_of(head, series, longest["x"])]
        where = [f"panel {panel['number']} of {panel['in_all']}"] if panel["in_all"] > 1 else []
        where += [panel["title"]] if panel["title"] else []
        named = isinstance(longest["x"][0], str)
        what = panel["y"] or "value"
        if panel["x"] or not named:
            what += f" by {panel['x'] or 'x'}"
        if len(groups) > 1:
            what += f", {' and '.join(dict.fromkeys(head for head, _ in group))}"
        caption = ": ".join([*([", ".join(where)] if where else []), what])
        tables.append(
            {
                "caption": caption.replace("panel", "Panel", 1) if panel["in_all"] > 1 else caption,
                "x": panel["x"] or ("case" if named else "x"),
                "places": longest["x"],
                "columns": columns,
                "log": panel["log"],
            }
        )
    return tables


def also_in(panels):
    """What else the panels show, each sentence once, with the panels that it is said of."""
    where = collections.defaultdict(list)
    for panel in panels:
        for sentence in panel["also"]:
            where[sentence].append(str(panel["number"]))
    if panels[0]["in_all"] == 1:
        return [" ".join(where)] if where else []
    return [f"Panel{'s' if len(of) > 1 else ''} {', '.join(of)}: {sentence}" for sentence, of in where.items()]


def heads(panel):
    """What the column of each series is called: one name is given once."""
    names = [series["name"] or panel["y"] or "value" for series in panel["series"]]
    counts, seen = collections.Counter(names), collections.Counter()
    heads = []
    for name in names:
        seen[name] += 1
        heads.append(f"{name}, line {seen[name]}" if counts[name] > 1 else name)
    return heads


def columns_of(head, series, places):
    """The columns of a series, in the order of ``places``: its values and what its error bars say."""

    def aligned(values):
        if series["x"] == places:
            return values
        by_place = dict(zip(series["x"], values, strict=True))
        return [by_place.get(place) for place in places]

    columns = [(head, aligned(series["y"]))]
    if series["low"]:
        bars = list(zip(series["y"], series["low"], series["high"], strict=True))
        known = [(y, low, high) for y, low, high in bars if None not in (y, low, high)]
        if all(abs((y - low) - (high - y)) <= 1e-4 * (high - low) for y, low, high in known):
            half = [None if None in bar else (bar[2] - bar[1]) / 2 for bar in bars]
            columns.append((f"{head}: ±", aligned(half)))
        else:
            columns += [(f"{head}: from", aligned(series["low"])), (f"{head}: to", aligned(series["high"]))]
    return columns


def chosen(places, log):
    """Which rows of a table are shown, and how that is said; "" if all are."""
    count = len(places)
    if count <= ROWS + 1:
        return list(range(count)), ""
    if log and all(isinstance(place, float) and place > 0 for place in places) and places == sorted(places):
        ratio = (places[-1] / places[0]) ** (1 / (ROWS - 1))
        wanted = [places[0] * ratio**power for power in range(ROWS)]
        rows = {min(bisect.bisect_left(places, each * (1 - 1e-9)), count - 1) for each in wanted}
        return sorted({0, count - 1} | rows), f"{len({0, count - 1} | rows)} of {count:,} points"
    step = next(
        step
        for power in itertools.count()
        for step in (10**power, 2 * 10**power, 5 * 10**power)
        if step * ROWS >= count
    )
    rows = list(range(0, count, step))
    last = "" if rows[-1] == count - 1 else ", and the last"
    return [*rows, *([count - 1] if last else [])], f"every {ordinal(step)} of {count:,} points{last}"


def ordinal(number):
    return {2: "second"}.get(number, f"{number:,}th")


def narrowed(columns):
    """``columns`` with many lines of one name brought down to the lowest, the middle and the highest of them."""
    family = re.compile(r"(.*), line \d+")
    counts = collections.Counter(match[1] for head, _ in columns if (match := family.fullmatch(head)))
    shown, done = [], set()
    for head, values in columns:
        name = match[1] if (match := family.fullmatch(head)) else None
        if name is None or counts[name] <= FAMILY:
            shown.append((head, values))
        elif name not in done:
            done.add(name)
            rows = list(zip(*(own for other, own in columns if other.startswith(f"{name}, line ")), strict=True))
            for which, pick in (("lowest", min), ("middle", statistics.median), ("highest", max)):
                spread = [
                    pick(known) if (known := [each for each in row if each is not None]) else None for row in rows
                ]
                shown.append((f"{name}, {which} of {counts[name]}", spread))
    return shown


def as_html(table):
    """A table as XHTML, with a caption, heads of columns and of rows, and the extremes of what it leaves out."""
    rows, which = chosen(table["places"], table["log"])
    columns = narrowed(table["columns"])
    lines = [f"<caption>{said(table['caption'])}{f' ({which})' if which else ''}</caption>"]
    cells = "".join(f'<th scope="col">{said(head)}</th>' for head in [table["x"], *(head for head, _ in columns)])
    lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for row in rows:
        cells = "".join(f"<td>{shown(values[row])}</td>" for _, values in columns)
        lines.append(f'<tr><th scope="row">{shown(table["places"][row], 6)}</th>{cells}</tr>')
    lines.append("</tbody>")
    if which:
        lines.append("<tfoot>")
        for name, pick in (("lowest of all", min), ("highest of all", max)):
            ends = [pick(value for value in values if value is not None) for _, values in columns]
            lines.append(f'<tr><th scope="row">{name}</th>{"".join(f"<td>{shown(end)}</td>" for end in ends)}</tr>')
        lines.append("</tfoot>")
    return "\n".join(['<div class="dl-table"><table>', *lines, "</table></div>"])


def shown(value, digits=4):
    """A value of a cell: a name, or a number with so many significant digits; or what is said if there is none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return said(value)
    text = f"{value:.{digits}g}"
    mantissa, _, power = text.partition("e")
    if power and not 0 <= int(power) < 9:
        text = f"{mantissa}e{int(power)}"
    elif abs(value) >= 1000:  # 1.235e+04 is 12,350
        text = f"{float(text):,.15g}"
    return text.replace("-", "−")  # screen readers say minus


def said(text):
    """``text`` of a figure as HTML: its formulas, in dollars, with their powers and indices."""
    text = html.escape(" ".join(str(text).split()), quote=False)

    def formula(match):
        inner = re.sub(r"\\mathrm\{([^{}]*)\}", r"{\1}", match[1])
        inner = re.sub(r"\^(?:\{([^{}]*)\}|(.))", lambda m: f"<sup>{m[1] or m[2]}</sup>", inner)
        inner = re.sub(r"_(?:\{([^{}]*)\}|(.))", lambda m: f"<sub>{m[1] or m[2]}</sub>", inner)
        return inner.replace("-", "−")

    return re.sub(r"\$([^$]*)\$", formula, text)


def as_csv(table):
    """``table`` as CSV, each line of the figure by itself, and what it holds: all rows, or every so many."""
    count = len(table["places"])
    step = -(-count // FILE_ROWS)
    out = io.StringIO()
    writer = csv.writer(out)
    heads = [table["x"], *(head for head, _ in table["columns"])]
    writer.writerow([re.sub(r"<[^>]*>", "", html.unescape(said(head))) for head in heads])
    rows = list(zip(table["places"], *(values for _, values in table["columns"]), strict=True))[::step]
    for row in rows:
        writer.writerow([each if isinstance(each, str) else "" if each is None else f"{each:.8g}" for each in row])
    size = len(out.getvalue().encode())
    what = f"all {count:,} rows" if step == 1 else f"{len(rows):,} of {count:,} rows"
    return out.getvalue(), f"{what}, {f'{size / 1000:,.0f} kB' if size >= 1000 else f'{size} bytes'}"
