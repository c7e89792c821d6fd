"""Test images of digits, redrawn as the strokes of a pen: of random size, place and slant, as people draw on a pad."""

import itertools

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

PAD = 28  # the pad's width and height, in the unit of strokes: a pixel of the network's image
FINE = 4  # so many times finer are the images whose middle lines are looked for


def strokes_of(image):
    """The middle lines of an image's ink, traced: a list of arrays (places, 2), x and y in pixels of the image."""
    fine = ndimage.zoom(image.astype(float) / image.max(), FINE, order=3, mode="grid-constant", grid_mode=True)
    line = skeletonize(fine > 0.5)
    around = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
    beside = {tuple(at): [] for at in np.argwhere(line).tolist()}
    for r, c in beside:  # which touch; not across a corner that a third one fills
        for dr, dc in around:
            if (r + dr, c + dc) in beside and not (dr and dc and ((r + dr, c) in beside or (r, c + dc) in beside)):
                beside[r, c].append((r + dr, c + dc))
    nodes = {at for at, others in beside.items() if len(others) != 2}
    strokes, gone = [], set()
    for start in [*sorted(nodes), *sorted(beside)]:  # what is left after the ends and the crossings are rings
        for first in beside[start]:
            path = [start, first]
            if (start, first) in gone:
                continue
            while path[-1] not in nodes and path[-1] != start:
                path.append(next(at for at in beside[path[-1]] if at != path[-2]))
            gone.update(itertools.pairwise(path), itertools.pairwise(path[::-1]))
            if len(path) > 1.2 * FINE or not {len(beside[path[0]]), len(beside[path[-1]])} & {1}:  # else a thin spur
                strokes.append(path)
    strokes = strokes or [[at] for at in list(beside)[:1]]
    smooth = [ndimage.uniform_filter1d(np.array(path, float), FINE, axis=0, mode="nearest") for path in strokes]
    return [np.concatenate([path[:-1:2], path[-1:]])[:, ::-1] / FINE + 0.5 / FINE for path in smooth]


def redrawn(images, seed=0, sizes=(0.5, 1.5), slant=0.15, anywhere=True):
    """Each image as strokes, so many times as large and so much slanted, anywhere on the pad or in its middle."""
    rng = np.random.default_rng(seed)
    drawings = []
    for image in images:
        strokes, size, lean, where = strokes_of(image), rng.uniform(*sizes), rng.uniform(-slant, slant), rng.random(2)
        strokes = [size * path @ np.array([[1, 0], [-lean, 1]]) for path in strokes]
        places = np.concatenate(strokes)
        low, room = places.min(axis=0), np.maximum(PAD - np.ptp(places, axis=0), 0)
        corner = room * (where if anywhere else 0.5)
        drawings.append([(path - low + corner).round(3).tolist() for path in strokes])
    return drawings


def digits_to_redraw(digits, count=500):
    """So many of the test images, at even distances in the file, and their labels."""
    chosen = (2 * np.arange(count) + 1) * len(digits.x_test) // (2 * count)
    return digits.x_test[chosen], digits.y_test[chosen]
