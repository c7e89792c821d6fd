"""What a lecture said beside what was measured: how it is recorded."""

from dlutils import findings

import numpy as np
import pytest

GOOD = {"what": "the loss", "said": "1 < 2", "measured": "2", "agrees": False, "lecture": "mital2016training", "row": 3}


def published(monkeypatch, **changes):
    import IPython.display

    bundles = []
    monkeypatch.setattr(IPython.display, "publish_display_data", bundles.append)
    arguments = GOOD | changes
    findings.said_and_measured(arguments.pop("what"), **arguments)
    (bundle,) = bundles
    return bundle


def test_a_finding_is_shown_and_recorded(monkeypatch):
    bundle = published(monkeypatch)
    assert bundle["text/plain"] == "the loss: the lecture said 1 < 2, measured here 2: differs"
    assert "1 &lt; 2" in bundle["text/html"]
    assert bundle[findings.MIME] == GOOD | {"row": "3"}


@pytest.mark.parametrize("agrees", [True, np.True_, np.bool_(0.1 < 0.2)])
def test_agreement_may_come_from_numpy(monkeypatch, agrees):
    bundle = published(monkeypatch, agrees=agrees, row="18a")
    assert bundle["text/plain"].endswith(": agrees")
    assert bundle[findings.MIME]["agrees"] is True


@pytest.mark.parametrize("name", ["what", "said", "measured", "lecture", "row"])
def test_a_text_that_is_none_is_named(name):
    for bad, error in ((" ", ValueError), ("two\nlines", ValueError), (1.5, TypeError), (None, TypeError)):
        with pytest.raises(error, match=rf"^{name} must be"):
            findings.said_and_measured(**GOOD | {name: bad})


@pytest.mark.parametrize("agrees", [None, 1, "yes", np.array([True, False])])
def test_what_is_neither_true_nor_false_is_named(agrees):
    with pytest.raises(TypeError, match=r"^agrees must be True or False"):
        findings.said_and_measured(**GOOD | {"agrees": agrees})
