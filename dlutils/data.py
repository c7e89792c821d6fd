"""Data for the chapters: ``load_*`` loaders; NumPy in, NumPy out."""

import hashlib
import os
import sys
import time
import warnings
import zipfile
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
_RETRY_AFTER = 600  # seconds for which a failed download is remembered

_loaded = {}  # what load_* returned in this process, for dlutils.provenance


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
    path = find_mnist() or _download_mnist()
    if path is not None:
        digits = _read_mnist(path)
    else:
        digits = _standin_digits()
        print(
            "MNIST was not found and could not be downloaded, so a smaller stand-in takes its place:\n"
            f"{digits}.\nTo use MNIST, see 'The MNIST question' on the setup page."
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
        if not path.is_file():
            raise FileNotFoundError(
                f"DLUTILS_DATA is set to {folder!r}, and there is no file {path}; put mnist.npz there, "
                "or unset DLUTILS_DATA to let it be looked for and downloaded"
            )
        return path
    keras_home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    candidates = [_cache_folder() / "mnist.npz", keras_home / "datasets" / "mnist.npz"]
    return next((path for path in candidates if path.is_file()), None)


def _download_mnist():
    """Fetch mnist.npz into the package's cache and return its path, or None if that failed now or recently."""
    pooch = _pooch()
    folder = _cache_folder()
    failed = folder / "mnist.unreachable"
    if failed.exists() and time.time() - failed.stat().st_mtime < _RETRY_AFTER:
        return None
    pooch.get_logger().setLevel("ERROR")
    registry = {"mnist.npz": f"sha256:{MNIST_FILE_SHA256}"}
    fetcher = pooch.create(folder, MNIST_URL, registry=registry, retry_if_failed=1)
    in_view = sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=in_view)
    if not in_view:
        print("Downloading MNIST, 11 MB …", flush=True)
    try:
        path = Path(fetcher.fetch("mnist.npz", downloader=downloader))
    except (OSError, ValueError):  # no network, a proxy's page instead of the file, a folder that cannot be written
        if (path := find_mnist()) is not None:  # another process was faster, and its file in the way of ours
            return path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            failed.touch()
        except OSError:
            pass
        return None
    failed.unlink(missing_ok=True)
    return path


def _read_mnist(path):
    """The arrays of ``path``, each checked against its digest."""
    advice = "delete it and load again to download a fresh copy, or point DLUTILS_DATA at a folder with a good one"
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in MNIST_SHA256}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
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
