"""Data for the chapters: ``make_*`` generators and ``load_*`` loaders; NumPy in, NumPy out."""

import hashlib
import numbers
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
MNIST_FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Of each array's bytes in C order, so that any container will do.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
_TIMEOUT = (3, 10)  # seconds to connect to an address, and then without an answer, before giving it up
_PATIENCE = 600  # seconds for the whole download, however it goes on
_MOST = 64 * 2**20  # bytes that a download may bring; MNIST has 11 MB
_RETRY_AFTER = 600  # seconds for which a failed download is remembered

_loaded = {}  # what load_* returned in this process, for dlutils.provenance


# What lies on which side of a boundary, and between which two corners: the three examples of the lectures.
_BOUNDARIES = {
    "line": (lambda x1, x2: 0.8 * x1 + x2 - 3, (0, -4), (8, 3)),
    "parabola": (lambda x1, x2: -0.5 * (x1 - 1) ** 2 + 2 * x2 + 5, (-5, -4), (5, 4)),
    "product": (lambda x1, x2: -0.5 * (x1 * x2 - 1) ** 2 + 2 * x2 + 5, (-5, -4), (5, 4)),
}


def make_classes(boundary, m=1000, *, seed=0):
    """Make points of a plane, of class 1 where g(x1, x2) is not negative and of class 0 elsewhere (Lee 2018, 2019).

    Parameters
    ----------
    boundary : str
        "line", g = 0.8 x1 + x2 - 3, with x1 in [0, 8] and x2 in [-4, 3]; "parabola", g = -0.5 (x1 - 1)² + 2 x2 + 5;
        or "product", g = -0.5 (x1 x2 - 1)² + 2 x2 + 5, both with x1 in [-5, 5] and x2 in [-4, 4].
    m : int
        How many points, at least 1, spread evenly.
    seed : int or numpy.random.Generator
        From which they are drawn.

    Returns
    -------
    x : float32 array, shape (m, 2)
    y : int32 array, shape (m,)

    Raises
    ------
    ValueError, TypeError
        If ``boundary`` is none of the three, or ``m`` is not a whole number of at least 1.
    """
    if not isinstance(boundary, str) or boundary not in _BOUNDARIES:
        raise ValueError(f"boundary must be one of {sorted(_BOUNDARIES)}, got {boundary!r}")
    side, low, high = _BOUNDARIES[boundary]
    x = np.random.default_rng(seed).uniform(low, high, size=(_count(m), 2)).astype(np.float32)
    return x, (side(*x.T.astype(float)) >= 0).astype(np.int32)


def make_spirals(m=1000, *, turns=1.0, noise=0.05, seed=0):
    """Make two spirals that wind into each other, one a class (after Lang and Witbrock 1988).

    Parameters
    ----------
    m : int
        How many points in all, at least 1; the classes take turns.
    turns : float
        How often each spiral goes round the origin, from radius 0.1 to radius 1; above 0.
    noise : float
        Standard deviation of what is added to both coordinates, not negative.
    seed : int or numpy.random.Generator
        From which the points are drawn.

    Returns
    -------
    x : float32 array, shape (m, 2)
    y : int32 array, shape (m,)

    Raises
    ------
    ValueError, TypeError
        If ``m``, ``turns`` or ``noise`` is out of range.
    """
    rng, y = np.random.default_rng(seed), (np.arange(_count(m)) % 2).astype(np.int32)
    along = np.sqrt(rng.uniform(size=m))  # the root spreads the points evenly along the spiral
    angle = 2 * np.pi * _number(turns, "turns", above=0) * along + np.pi * y
    x = (0.1 + 0.9 * along)[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    return (x + rng.normal(scale=_number(noise, "noise"), size=x.shape)).astype(np.float32), y


def make_noisy_sine(m=1000, *, noise=0.5, seed=0):
    """Make points along one wave of a sine, each moved up or down (Mital 2016).

    Parameters
    ----------
    m : int
        How many points, at least 1, at equal distances from -3 to 3.
    noise : float
        By how much a point is moved at most, not negative; it is uniform between ``-noise`` and ``noise``.
    seed : int or numpy.random.Generator
        From which it is drawn.

    Returns
    -------
    x, y : float64 arrays, shape (m,)

    Raises
    ------
    ValueError, TypeError
        If ``m`` or ``noise`` is out of range.
    """
    x, noise = np.linspace(-3, 3, _count(m)), _number(noise, "noise")
    return x, np.sin(x) + np.random.default_rng(seed).uniform(-noise, noise, size=m)


def make_ten_points():
    """Make the ten points that a network is to run through, at equal distances from -4.5 to 4.5 (Lee 2018).

    Returns
    -------
    x, y : float64 arrays, shape (10,)
    """
    y = [0.9819, 0.7973, 1.9737, 0.1838, 1.3180, -0.8361, -0.6591, -2.4701, -2.8122, -6.2512]
    return np.linspace(-4.5, 4.5, 10), np.array(y)


def _count(m):
    if not isinstance(m, numbers.Integral):
        raise TypeError(f"m must be a whole number of points, got {m!r}")
    if m < 1:
        raise ValueError(f"m must be at least 1, got {m}")
    return m


def _number(value, name, above=-np.inf):
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (0 <= value < np.inf and value > above):
        raise ValueError(f"{name} must be {'above 0' if above == 0 else 'at least 0'}, got {value}")
    return value


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of handwritten digits and their labels, split for training and testing.

    Attributes
    ----------
    name : str
        "MNIST", or the name of what stands in for it.
    x_train, x_test : uint8 array, shape (m, 28, 28)
        Grey levels, from 0 for the ground to 255 for the ink.
    y_train, y_test : uint8 array, shape (m,)
        The digit that each image shows, 0 to 9.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def is_mnist(self):
        return self.name == "MNIST"

    def __repr__(self):
        return f"{self.name}: {len(self.x_train):,} training and {len(self.x_test):,} test images"


def load_mnist():
    """Load the MNIST handwritten digits (LeCun, Cortes and Burges 1998), or a stand-in where they cannot be had.

    Looks, in this order, in the folder that the environment variable ``DLUTILS_DATA`` names, in this package's
    cache, in Keras's cache, and on the network, whose copy is kept in the package's cache. Where there is none it
    returns scikit-learn's handwritten digits (Alpaydin and Kaynak 1998; 8 × 8, here brought to 28 × 28) and prints
    that it does.

    Returns
    -------
    Digits
        With 60,000 training and 10,000 test images; the stand-in has 1,500 and 297.

    Raises
    ------
    FileNotFoundError
        If ``DLUTILS_DATA`` is set and holds no mnist.npz.
    ValueError
        If a file is there and is not MNIST, which the message names; or if ``DLUTILS_DATA`` is a relative path.
    """
    path, reason = find_mnist(), ""
    if path is None:
        path, reason = _download_mnist()
    if path is not None:
        digits = _read_mnist(path)
    else:
        digits = _standin_digits()
        print(
            f"MNIST was not found and could not be downloaded: {reason}.\n"
            f"A smaller stand-in takes its place: {digits}.\nTo use MNIST, see 'The MNIST question' on the setup page."
        )
    _loaded["mnist"] = repr(digits)
    return digits


def _pooch():
    """The module pooch, without the warning about widgets that it provokes from tqdm in a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pooch
    return pooch


def _cache_folder():
    return Path(_pooch().os_cache("dlutils"))


def find_mnist():
    """Find the mnist.npz on this machine that :func:`load_mnist` takes.

    Returns
    -------
    pathlib.Path or None
        None if it must be downloaded.
    """
    folder = os.environ.get("DLUTILS_DATA")
    if folder:
        path = Path(os.path.expanduser(folder)) / "mnist.npz"
        if not path.is_absolute():
            raise ValueError(
                f"DLUTILS_DATA must be an absolute path, got {folder!r}: chapters run in a folder of their own"
            )
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"DLUTILS_DATA is set to {folder!r}, and there is no file {path}; put mnist.npz there, "
                "or unset DLUTILS_DATA to let it be looked for and downloaded"
            )
        return path
    keras_home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    candidates = [_cache_folder() / "mnist.npz", keras_home / "datasets" / "mnist.npz"]
    return next((path for path in candidates if os.path.isfile(path)), None)  # False where one may not look, too


def _download_mnist():
    """Fetch mnist.npz into the package's cache; return its path, or None and why that failed."""
    pooch = _pooch()
    folder = _cache_folder()
    failed = folder / "mnist.unreachable"
    if os.path.exists(folder / "mnist.npz"):  # a folder, say
        return None, f"{folder / 'mnist.npz'} is in the way, which is no file"
    if os.path.exists(failed) and time.time() - failed.stat().st_mtime < _RETRY_AFTER:
        return None, f"a try less than {_RETRY_AFTER // 60} minutes ago failed"
    pooch.get_logger().setLevel("ERROR")
    registry = {"mnist.npz": f"sha256:{MNIST_FILE_SHA256}"}
    fetcher = pooch.create(folder, MNIST_URL, registry=registry, retry_if_failed=1)
    in_view = sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=_bar(in_view))
    if not in_view:
        print("Downloading MNIST, 11 MB …", flush=True)
    try:
        path = Path(fetcher.fetch("mnist.npz", downloader=downloader))
    except (OSError, ValueError) as error:  # no network, a proxy's page, a folder that cannot be written, a full disk
        if (path := find_mnist()) is not None:  # another process was faster, and its file in the way of ours
            return path, ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            failed.touch()
        except OSError:
            pass
        return None, _reason(error, folder)
    failed.unlink(missing_ok=True)
    return path, ""


def _bar(shown):
    """A progress bar, shown or not, by which pooch gives up what takes too long or has no end."""
    from tqdm import tqdm

    class Bar(tqdm):
        received, until = 0, time.monotonic() + _PATIENCE

        def __bool__(self):  # pooch would leave it out where the server does not say how much is to come
            return True

        def update(self, n=1):
            self.received += n
            if self.received > _MOST:
                raise OSError("the server sends more than MNIST has")
            if time.monotonic() > self.until:
                raise TimeoutError(f"it was not through after {_PATIENCE} s")
            return super().update(n)

        def reset(self, total=None):
            self.received = 0
            super().reset(total)

    return Bar(total=1, disable=not shown, unit="B", unit_scale=True, ncols=79, ascii=sys.platform == "win32")


def _reason(error, folder):
    """Why a download failed, in words that tell a reader whom to ask."""
    if hasattr(error, "response"):  # what the package requests raises
        if error.response is not None:
            return f"the server answers with status {error.response.status_code}"
        return f"the server cannot be reached or does not answer ({type(error).__name__})"
    if isinstance(error, ValueError):
        return "what comes is not MNIST but something else, such as the page of a network that wants a login"
    return f"{folder} cannot be written ({error.strerror})" if error.strerror else str(error)


def _read_mnist(path):
    """The arrays of ``path``, each checked against its digest."""
    advice = (
        "if it is still being copied, wait; if not, delete it and load again to download a fresh copy, or point "
        "DLUTILS_DATA at a folder with a good one"
    )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in MNIST_SHA256}
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for as many kinds of damage
        raise ValueError(f"{path} is not a readable mnist.npz ({error}); {advice}") from error
    for name, array in arrays.items():
        if hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != MNIST_SHA256[name]:
            raise ValueError(f"{path}: the array {name!r} is not MNIST's, its SHA-256 differs; {advice}")
    return Digits(name="MNIST", **arrays)


def _standin_digits():
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise RuntimeError(
            "MNIST could not be had, and the digits that stand in for it come with scikit-learn: "
            "pip install 'dlutils[mnist]'"
        ) from error
    images, labels = load_digits(return_X_y=True)
    # Stretched to 20 × 20 by linear interpolation in a margin of 4, which is how MNIST frames its digits.
    stretch = np.array([np.interp(np.linspace(0, 7, 20), np.arange(8), row) for row in np.eye(8)])
    stretched = np.einsum("ai,mij,jb->mab", stretch.T, images.reshape(-1, 8, 8), stretch)
    images = np.pad(np.rint(stretched * 255 / 16).astype(np.uint8), ((0, 0), (4, 4), (4, 4)))
    labels = labels.astype(np.uint8)
    return Digits("scikit-learn digits", images[:1500], labels[:1500], images[1500:], labels[1500:])


if __name__ == "__main__":
    print(repr(load_mnist()))
