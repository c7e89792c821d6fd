"""The live descent: what stands where scripts do not run, what it holds of the chapter's run, and what it refuses."""

import base64
import io
import json
import re
from html import unescape

from dlutils import live

import numpy as np
import pytest
from PIL import Image

ALT = "A map of a round bowl with one path from its rim to its middle."


def bowl(w):
    return w[..., 0] ** 2 + 0.5 * w[..., 1] ** 2


def walked(rate=0.3, start=(1.5, -1.0), updates=10):
    path = [np.array(start)]
    for _ in range(updates):
        path.append(path[-1] - rate * path[-1] * [2, 1])
    return rate, np.array(path)


def drawn(ax):
    ax.set(xlim=(-2, 2), ylim=(-1.5, 1.5))


def made(loss=bowl, draw=drawn, walks=None, **options):
    walks = {"plain": walked()} if walks is None else walks
    return live.descent(loss, draw, walks, **{"alt": ALT, "figsize": (3, 2)} | options)


def state_of(figure):
    return json.loads(unescape(re.search(r'data-state="([^"]*)"', figure._repr_mimebundle_()["text/html"])[1]))


def test_it_holds_the_chapters_own_run():
    state = state_of(made(walks={"plain": walked(), "Adam": walked(0.1)}, shown=["plain"], lowest=0.0, margin=0.5))
    assert state["view"] == [[-2, 2], [-1.5, 1.5]]
    assert state["limits"] == [[-4, 4], [-3, 3]]
    assert (state["start"], state["updates"], state["lowest"]) == ([1.5, -1.0], 10, 0.0)
    assert [walk["name"] for walk in state["walks"]] == ["plain", "Adam"]
    assert [walk["shown"] for walk in state["walks"]] == [True, False]
    np.testing.assert_allclose(state["walks"][0]["end"], walked()[1][-1])
    assert 0 < state["error"] < 1e-9, "a cubic spline holds a square"


def test_places_on_the_canvas_are_those_of_the_map():
    """The box in which the figure draws is where matplotlib has drawn the axes."""

    def filled(ax):
        drawn(ax)
        ax.axhspan(-1.5, 1.5, color="red")

    state = state_of(made(draw=filled))
    ground = Image.open(io.BytesIO(base64.b64decode(state["ground"].split(",")[1]))).convert("RGB")
    red = np.array(ground)[..., 0].astype(int) - np.array(ground)[..., 1] > 200
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    ratio = ground.size[0] / state["pixels"][0]
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / ratio
    np.testing.assert_allclose(found, state["box"], atol=1.5)


def test_there_is_a_picture_where_scripts_do_not_run():
    bundle = made()._repr_mimebundle_()
    assert bundle["text/plain"] == ALT
    assert f'alt="{ALT}"' in bundle["text/html"]
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).convert("RGB")).astype(int)
    blue = (picture[..., 2] - picture[..., 0] > 100).sum()
    assert blue > 100, "the chapter's own path is in it"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"loss": 3}, TypeError, "loss must be a function"),
        ({"draw": None}, TypeError, "draw must be a function"),
        ({"alt": "  "}, ValueError, "alt must say"),
        ({"walks": {}}, ValueError, "walks must be at least one"),
        ({"walks": {"Newton": walked()}}, ValueError, "walks must be among the rules"),
        ({"walks": {"plain": (0, walked()[1])}}, ValueError, "a rate above 0"),
        ({"walks": {"plain": (0.1, np.zeros((5, 3)))}}, ValueError, "places of shape"),
        ({"walks": {"plain": (0.1, np.full((5, 2), np.nan))}}, ValueError, "must be finite places"),
        ({"walks": {"plain": walked(), "Adam": walked(updates=9)}}, ValueError, "one start and as many updates"),
        ({"walks": {"plain": walked(), "Adam": walked(start=(1, 1))}}, ValueError, "one start and as many updates"),
        ({"walks": {"plain": walked(start=(9, 9))}}, ValueError, "walks must start on the map"),
        ({"shown": ["Adam"]}, ValueError, "shown must be among the walks"),
        ({"reach": 0}, ValueError, "reach must be above 0"),
        ({"margin": -1}, ValueError, "margin must be at least 0"),
        ({"loss": lambda w: np.abs(np.sin(40 * w[..., 0]))}, ValueError, "loss must be smooth"),
        ({"loss": lambda w: w}, ValueError, "loss must give shape"),
        ({"loss": lambda w: bowl(w) / (w[..., 0] > 0)}, ValueError, "loss must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_it_cannot_show_is_refused(changes, error, said):
    with pytest.raises(error, match=said):
        made(**changes)
