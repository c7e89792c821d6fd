"""What a source lecture said beside what a chapter measured, recorded by one call a number."""

import html
import numbers

MIME = "application/vnd.dlutils.finding+json"


def said_and_measured(what, *, said, measured, agrees, lecture, row):
    """Show a number that a lecture gave beside the one that was measured here, and record both for the findings page.

    Parameters
    ----------
    what : str
        What the number is; one line, like all texts here.
    said, measured : str
        The two numbers, with their units, as they are to be printed.
    agrees : bool
        Whether the measurement bears the lecture out, decided by the chapter's own numbers.
    lecture : str
        The lecture's key in ``references.bib``.
    row : int or str
        The row of the list of the lectures' contents to which this belongs, such as 17 or "18a".

    Raises
    ------
    TypeError, ValueError
        If a text is not one non-empty line, or ``agrees`` is neither True nor False.
    """
    texts = {"what": what, "said": said, "measured": measured, "lecture": lecture, "row": row}
    for name, text in texts.items():
        text = str(text) if name == "row" and isinstance(text, numbers.Integral) else text
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a str, got {type(text).__name__}")
        if not text.strip() or "\n" in text:
            raise ValueError(f"{name} must be one line of text, got {text!r}")
    if str(agrees) not in ("True", "False"):  # NumPy's bool, too
        raise TypeError(f"agrees must be True or False, got {agrees!r}")
    record = {name: str(text) for name, text in texts.items()} | {"agrees": bool(agrees)}
    verdict = "agrees" if agrees else "differs"
    line = f"{what}: the lecture said {said}, measured here {measured}: {verdict}"
    try:
        from IPython.display import publish_display_data
    except ImportError:
        print(line)
        return
    publish_display_data({"text/plain": line, "text/html": f"<p>{html.escape(line)}</p>", MIME: record})
