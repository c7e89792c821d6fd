"""The commands that the setup page and the README give, so that what is tried is what stands there.

    python -m tools.trials.instructions                           name every block of commands
    python -m tools.trials.instructions "NAME" [--address WHERE]  print one as a script that stops where a command fails

A block is called by the tab or the heading that it stands under; of several there, the second is "NAME (2)". --address
stands for <the address of the repository>. A line %pip, of a notebook, comes out as the shell's command. This needs no
package but Python itself, since it runs before anything is installed.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("book/setup.md", "README.md")
ADDRESS = "<the address of the repository>"
NOTEBOOK = "notebook"  # the language of a block that has none: lines for a notebook's cell

# Blocks that no workflow runs, and why.
NOT_RUN = {
    "With a GPU": "no machine of the workflows has an NVIDIA card",
}


def blocks(text):
    """The blocks of commands in ``text``, a page in MyST: a dict of (language, list of lines), by name."""
    found, heading, tab, fences = {}, None, None, []
    language, lines = None, []
    for line in text.splitlines():
        fence = re.match(r"(`{3,})(.*)$", line)
        if language is not None:
            if fence and fence[1] == fences[-1] and not fence[2]:
                name = original = tab or heading
                number = 1
                while name in found:
                    number += 1
                    name = f"{original} ({number})"
                found[name] = (language, lines)
                language, lines = None, []
                fences.pop()
            else:
                lines.append(line)
        elif fence and fence[2].startswith("{"):
            fences.append(fence[1])
            directive = re.match(r"\{tab-item\} *(.+)", fence[2])
            tab = directive[1].strip() if directive else tab
        elif fence and not fence[2] and fences and fence[1] == fences[-1]:
            fences.pop()
            tab = None
        elif fence:
            fences.append(fence[1])
            language = fence[2].strip() or NOTEBOOK
        elif match := re.match(r"#+ +(.+)", line):
            heading = match[1].strip()
    if fences:
        raise ValueError(f"a fence is not closed under {heading!r}")
    return {name: block for name, block in found.items() if block[0] != "python"}  # an example, and no command


def all_blocks(root=ROOT):
    """The blocks of all pages; a name that two pages have is an error."""
    found = {}
    for page in PAGES:
        for name, block in blocks((root / page).read_text("utf-8")).items():
            if name in found:
                raise ValueError(f"two blocks are called {name!r}; the second is in {page}")
            found[name] = block
    return found


def script(language, lines, address=None):
    """The block as a script of its shell, which stops at the first command that fails.

    Raises
    ------
    ValueError
        If ``lines`` have a <place holder> for which nothing is given.
    """
    lines = [line.replace(ADDRESS, address) if address else line for line in lines]
    for line in lines:
        if left := re.search(r"<[a-z][^>]*>", line):
            raise ValueError(f"{left[0]} is to be replaced in {line!r}: say --address" if left[0] == ADDRESS else line)
    if language == "powershell":
        stop = "if ($LASTEXITCODE) { exit $LASTEXITCODE }"
        made = ["$ErrorActionPreference = 'Stop'"]
        for line in lines:
            made += [line] if line.startswith("$") or not line.strip() else [line, stop]
        return "\n".join(made) + "\n"
    if language == NOTEBOOK:
        lines = [re.sub(r"^%pip ", "python -m pip ", line) for line in lines]
    return "\n".join(["set -e", *lines]) + "\n"


def main(arguments):
    """Print names, or one script; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.instructions", description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="?", help="of a block; all names are printed, if none is given")
    parser.add_argument("--address", help=f"what stands for {ADDRESS}")
    options = parser.parse_args(arguments)
    found = all_blocks()
    if options.name is None:
        for name, (language, lines) in found.items():
            print(f"{name}: {len(lines)} lines, {language}")
        return 0
    if options.name not in found:
        print(f"no block is called {options.name!r}; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    try:
        print(script(*found[options.name], options.address), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
