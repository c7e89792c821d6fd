"""What a lecture, or another source, said beside what was measured: how it is recorded."""

from dlutils import findings

import numpy as np
import pytest

GOOD = {"what": "the loss", "said": "1 < 2", "measured": "2", "agrees": False, "lecture": "mital2016training", "row": 3}
PAGE = {name: value for name, value in GOOD.items() if name != "lecture"} | {"source": "lecun1998mnist"}


def published(monkeypatch, good=GOOD, **changes):
    import IPython.display

    bundles = []
    monkeypatch.setattr(IPython.display, "publish_display_data", bundles.append)
    arguments = good | changes
    findings.said_and_measured(arguments.pop("what"), **arguments)
    (bundle,) = bundles
    return bundle


@pytest.mark.parametrize(("good", "who"), [(GOOD, "lecture"), (PAGE, "source")])
def test_a_finding_is_shown_and_recorded(monkeypatch, good, who):
    bundle = published(monkeypatch, good)
    assert bundle["text/plain"] == f"the loss: the {who} said 1 < 2, measured here 2: differs"
    assert "1 &lt; 2" in bundle["text/html"]
    assert bundle[findings.MIME] == good | {"row": "3"}


@pytest.mark.parametrize("agrees", [True, np.True_, np.bool_(0.1 < 0.2)])
def test_agreement_may_come_from_numpy(monkeypatch, agrees):
    bundle = published(monkeypatch, agrees=agrees, row="18a")
    assert bundle["text/plain"].endswith(": agrees")
    assert bundle[findings.MIME]["agrees"] is True


@pytest.mark.parametrize("agrees", findings.NEITHER)
def test_a_verdict_may_be_neither_yes_nor_no(monkeypatch, agrees):
    bundle = published(monkeypatch, agrees=agrees)
    assert bundle["text/plain"] == f"the loss: the lecture said 1 < 2, measured here 2: {agrees}"
    assert bundle[findings.MIME]["agrees"] == agrees


@pytest.mark.parametrize("agrees", ["True", "", "unclear"])
def test_a_verdict_in_other_words_is_refused(agrees):
    with pytest.raises(ValueError, match=r"^agrees must be True, False or one of"):
        findings.said_and_measured(**GOOD | {"agrees": agrees})


@pytest.mark.parametrize("only_if", [False, np.False_])
def test_nothing_is_recorded_where_other_data_were_measured(monkeypatch, only_if):
    bundle = published(monkeypatch, PAGE, only_if=only_if, agrees=True)
    assert bundle["text/plain"] == "the loss: the source said 1 < 2, of other data than these, so nothing is compared"
    assert "1 &lt; 2" in bundle["text/html"]
    assert bundle[findings.MIME] == {"what": "the loss", "said": "1 < 2", "source": "lecun1998mnist", "row": "3"}
    assert published(monkeypatch, PAGE, only_if=np.True_) == published(monkeypatch, PAGE)


@pytest.mark.parametrize("name", ["what", "said", "measured", "lecture", "source", "row"])
@pytest.mark.parametrize("only_if", [True, False])
def test_a_text_that_is_none_is_named(name, only_if):
    good = PAGE if name == "source" else GOOD
    for bad, error in ((" ", ValueError), ("two\nlines", ValueError), (1.5, TypeError), (b"one", TypeError)):
        with pytest.raises(error, match=rf"^{name} must be"):
            findings.said_and_measured(**good | {name: bad, "only_if": only_if})


@pytest.mark.parametrize("name", ["agrees", "only_if"])
@pytest.mark.parametrize("flag", [None, 1, "yes", np.array([True, False])])
def test_what_is_neither_true_nor_false_is_named(name, flag):
    error = ValueError if name == "agrees" and isinstance(flag, str) else TypeError
    with pytest.raises(error, match=rf"^{name} must be True(,| or) False"):
        findings.said_and_measured(**GOOD | {name: flag})


@pytest.mark.parametrize(("keys", "given"), [({"lecture": None}, "neither"), ({"source": "lecun1998mnist"}, "both")])
def test_one_of_lecture_and_source_is_given(keys, given):
    with pytest.raises(TypeError, match=rf"^lecture or source must be given, one of the two, got {given}"):
        findings.said_and_measured(**GOOD | keys)
