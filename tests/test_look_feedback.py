"""A page of feedback on hostile work, in a real browser: nothing of it runs, and nothing is asked of any address."""

import shutil

import pytest
from test_grade import toy_of
from test_handed_in import hostile_feedback

sync_api = pytest.importorskip("playwright.sync_api")


def test_nothing_of_theirs_runs_on_a_page_of_feedback(tmp_path, monkeypatch):
    hand_in, mark, _, out = toy_of(tmp_path, monkeypatch)
    hostile_feedback(hand_in)
    mark()
    (path,) = out.glob("*.html")
    system = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    asked, said = [], []
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=system)
        except sync_api.Error as error:
            pytest.skip(f"no browser: {error}")
        page = browser.new_page(viewport={"width": 900, "height": 1200})
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        page.wait_for_timeout(300)
        assert page.locator("pre").count() >= 4, "it is the page, with the answers open"
        assert "<script>" in page.locator("pre").first.inner_text(), "which shows what was written"
        assert page.title().endswith("feedback")
        assert page.locator("script, iframe, img, svg, a, object, form").count() == 0
        # And were there a script, the page would not run it.
        page.evaluate(
            "() => { const s = document.createElement('script'); s.text = 'document.title = 1'; "
            "document.body.append(s); }"
        )
        assert page.title().endswith("feedback")
        page.screenshot(path=tmp_path / "feedback.png", full_page=True)
        browser.close()
    assert asked == [path.as_uri()]
    assert all("Content Security Policy" in text for text in said), "of our own script, that it was not run"
