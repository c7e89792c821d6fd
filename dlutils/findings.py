"""What a lecture, or another source, said beside what a chapter measured, recorded by one call a number."""

import html
import numbers

MIME = "application/vnd.dlutils.finding+json"
NEITHER = ("under a condition", "no clear difference")  # what a claim may be found to be besides right and wrong


def said_and_measured(what, *, said, measured, agrees, row, lecture=None, source=None, only_if=True):
    """Show a number that somebody gave beside the one that was measured here, and record both for the findings page.

    Parameters
    ----------
    what : str
        What the number is; one line, like all texts here.
    said, measured : str
        The two numbers, with their units, as they are to be printed.
    agrees : bool or str
        Whether the measurement bears out what was said, decided by the chapter's own numbers; or, in words,
        "under a condition", if it does so only then and ``measured`` tells with and without, or "no clear difference",
        if what was said to differ does so by less than can be told from chance.
    row : int or str
        The row of the list of the lectures' contents to which this belongs, such as 17 or "18a".
    lecture, source : str
        The key in ``references.bib`` of the lecture that said it, or of a source that is no lecture; one of the two.
    only_if : bool
        False where the number was measured on other data than those that were spoken of, such as MNIST's stand-in:
        nothing is recorded then, and the chapter says that there is nothing to compare.

    Raises
    ------
    TypeError, ValueError
        If a text is not one non-empty line, ``lecture`` and ``source`` are both given or both missing, ``agrees`` is
        none of the four, or ``only_if`` is neither True nor False.
    """
    if (lecture is None) == (source is None):
        given = "neither" if lecture is None else "both"
        raise TypeError(f"lecture or source must be given, one of the two, got {given}")
    kind = "source" if lecture is None else "lecture"
    texts = {"what": what, "said": said, "measured": measured, kind: lecture if source is None else source, "row": row}
    for name, text in texts.items():
        text = str(text) if name == "row" and isinstance(text, numbers.Integral) else text
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a str, got {type(text).__name__}")
        if not text.strip() or "\n" in text:
            raise ValueError(f"{name} must be one line of text, got {text!r}")
    in_words = isinstance(agrees, str)
    if in_words and agrees not in NEITHER:
        raise ValueError(f"agrees must be True, False or one of {NEITHER}, got {agrees!r}")
    for name, flag in (("agrees", in_words or agrees), ("only_if", only_if)):
        if isinstance(flag, str) or str(flag) not in ("True", "False"):  # NumPy's bool, too
            raise TypeError(f"{name} must be True or False, got {flag!r}")
    record = {name: str(text) for name, text in texts.items()}
    if only_if:
        record["agrees"] = agrees if in_words else bool(agrees)
        verdict = agrees if in_words else "agrees" if agrees else "differs"
        line = f"{what}: the {kind} said {said}, measured here {measured}: {verdict}"
    else:
        del record["measured"]
        line = f"{what}: the {kind} said {said}, of other data than these, so nothing is compared"
    try:
        from IPython.display import publish_display_data
    except ImportError:
        print(line)
        return
    publish_display_data({"text/plain": line, "text/html": f"<p>{html.escape(line)}</p>", MIME: record})
