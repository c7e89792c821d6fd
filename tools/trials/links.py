"""Which links are dead, of those that Sphinx's linkcheck tried?

    python -m tools.trials.links _build/stage/_build/linkcheck/output.json

Some publishers refuse every program, which says nothing about a reader's browser: where a server answers, but with
"forbidden", "too many requests" or a fault of its own, or takes too long, the link is listed and is not called dead.
"""

import argparse
import json
import re
import sys
from pathlib import Path

REFUSED = ("401", "403", "405", "418", "429", "500", "502", "503", "504")


def sorted_out(entries):
    """The links of linkcheck's ``entries``: (dead ones, ones that could not be told), each (page, line, link, why)."""
    dead, untold = [], []
    for entry in entries:
        if entry["status"] not in ("broken", "timeout"):
            continue
        row = entry["filename"], entry["lineno"], entry["uri"], entry["info"]
        answered = re.match(r"(\d{3}) (Client|Server) Error", entry["info"])
        refused = answered and answered[1] in REFUSED
        (untold if refused or entry["status"] == "timeout" else dead).append(row)
    return dead, untold


def main(arguments):
    """Print both lists; return 1 if a link is dead."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.links", description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=Path, help="what linkcheck wrote, a JSON object a line")
    options = parser.parse_args(arguments)
    try:
        entries = [json.loads(line) for line in options.output.read_text("utf-8").splitlines() if line]
        tried = [entry for entry in entries if re.match("https?:", entry["uri"])]
        dead, untold = sorted_out(tried)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{options.output} is not what linkcheck writes: {error}", file=sys.stderr)
        return 2
    for heading, rows in (("dead", dead), ("could not be told", untold)):
        for page, line, link, why in rows:
            print(f"{heading}: {page}:{line}: {link}: {why}")
    print(f"{len(tried)} links tried, {len(dead)} dead, {len(untold)} could not be told")
    if not tried:
        print("No link was tried, so nothing was checked.", file=sys.stderr)
    return 1 if dead or not tried else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
