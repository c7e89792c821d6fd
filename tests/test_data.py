"""Loaders: values, places, damaged files, and a network that fails."""

import hashlib
import http.server
import os
import socket
import threading
import time
from pathlib import Path

from dlutils import data, provenance

import numpy as np
import pooch
import pytest


def small_mnist():
    """Arrays of MNIST's names and kinds, a few examples long."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    return {"x_train": images[:3], "y_train": labels[:3], "x_test": images[3:], "y_test": labels[3:]}


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Every place where MNIST is looked for, empty, and the digests of small_mnist in place of MNIST's."""
    monkeypatch.delenv("DLUTILS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "_cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(data, "MNIST_URL", "http://127.0.0.1:9/")  # nothing listens there
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in small_mnist().items()}
    monkeypatch.setattr(data, "MNIST_SHA256", digests)
    for folder in (tmp_path / "keras" / "datasets", tmp_path / "cache", tmp_path / "named"):
        folder.mkdir(parents=True)
    return tmp_path


@pytest.fixture
def server(monkeypatch, places):
    """A server of small files by name; it counts what it is asked for."""
    files, requests = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            body = files.get(self.path.lstrip("/"))
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments):
            pass

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setattr(data, "MNIST_URL", f"http://127.0.0.1:{running.server_port}/")
    yield files, requests
    running.shutdown()


def write(path, **changes):
    np.savez_compressed(path, **(small_mnist() | changes))
    return path


@pytest.mark.parametrize("place", ["named", "cache", "keras/datasets"])
def test_mnist_is_found_wherever_it_lies(places, monkeypatch, place):
    write(places / place / "mnist.npz")
    if place == "named":
        monkeypatch.setenv("DLUTILS_DATA", str(places / "named"))
    digits = data.load_mnist()
    assert digits.is_mnist
    for name, array in small_mnist().items():
        np.testing.assert_array_equal(getattr(digits, name), array)


def test_the_named_folder_comes_first_then_the_cache(places, monkeypatch):
    write(places / "keras" / "datasets" / "mnist.npz", y_test=np.zeros(2, np.uint8))  # would be refused
    write(places / "cache" / "mnist.npz")
    assert data.load_mnist().is_mnist
    write(places / "cache" / "mnist.npz", y_test=np.zeros(2, np.uint8))
    write(places / "named" / "mnist.npz")
    monkeypatch.setenv("DLUTILS_DATA", str(places / "named"))
    assert data.load_mnist().is_mnist


def test_a_named_folder_without_the_file_is_an_error(places, monkeypatch):
    write(places / "cache" / "mnist.npz")  # must not be taken silently instead
    monkeypatch.setenv("DLUTILS_DATA", str(places / "named"))
    with pytest.raises(FileNotFoundError, match=r"DLUTILS_DATA.*named.*mnist\.npz"):
        data.load_mnist()


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_one_changed_byte_is_refused_and_the_message_helps(places, name):
    array = small_mnist()[name].copy()
    array.flat[0] ^= 1
    path = write(places / "cache" / "mnist.npz", **{name: array})
    with pytest.raises(ValueError, match=r"not MNIST's.*delete it") as raised:
        data.load_mnist()
    assert str(path) in str(raised.value)
    assert repr(name) in str(raised.value)


def test_a_relative_folder_is_an_error(places, monkeypatch):
    monkeypatch.chdir(places)
    write(places / "named" / "mnist.npz")
    monkeypatch.setenv("DLUTILS_DATA", "named")
    with pytest.raises(ValueError, match="DLUTILS_DATA must be an absolute path, got 'named'"):
        data.load_mnist()


class _Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_pickles_are_never_loaded(places, monkeypatch):
    monkeypatch.chdir(places)
    write(places / "cache" / "mnist.npz", x_test=np.array([_Trap()], dtype=object))
    with pytest.raises(ValueError, match=r"mnist\.npz is not a readable"):
        data.load_mnist()
    assert not (places / "sprung").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "key missing"])
def test_a_damaged_file_is_refused_by_name(places, damage):
    path = places / "cache" / "mnist.npz"
    write(path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("<html>Please log in</html>")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        arrays = small_mnist()
        del arrays["y_test"]
        np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=r"mnist\.npz is not a readable.*delete it"):
        data.load_mnist()


def test_a_download_is_checked_kept_and_not_repeated(places, server, monkeypatch):
    files, requests = server
    body = write(places / "made.npz").read_bytes()
    files["mnist.npz"] = body
    monkeypatch.setattr(data, "MNIST_FILE_SHA256", hashlib.sha256(body).hexdigest())
    assert data.load_mnist().is_mnist
    assert (places / "cache" / "mnist.npz").read_bytes() == body
    assert data.load_mnist().is_mnist
    assert requests == ["/mnist.npz"]


def test_a_wrong_download_leaves_nothing_behind(places, server):
    files, _ = server
    files["mnist.npz"] = b"<html>Please log in</html>"
    assert not data.load_mnist().is_mnist
    assert [path.name for path in (places / "cache").iterdir()] == ["mnist.unreachable"]


def test_a_failed_download_is_remembered_for_a_while(places, server, monkeypatch):
    _, requests = server
    assert not data.load_mnist().is_mnist
    tried = len(requests)
    assert tried >= 1
    assert not data.load_mnist().is_mnist
    assert len(requests) == tried
    past = time.time() - data._RETRY_AFTER - 1
    os.utime(places / "cache" / "mnist.unreachable", (past, past))
    assert not data.load_mnist().is_mnist
    assert len(requests) > tried


def test_a_download_is_tried_once_more_and_says_that_it_takes_place(places, server, monkeypatch, capsys):
    _, requests = server
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits before it tries again
    assert not data.load_mnist().is_mnist
    assert requests == ["/mnist.npz"] * 2
    assert capsys.readouterr().out.startswith("Downloading MNIST, 11 MB …\n")


def test_a_server_that_never_answers_is_given_up(places, monkeypatch):
    silent = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(data, "MNIST_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
    monkeypatch.setattr(data, "_TIMEOUT", 0.2)
    loading = threading.Thread(target=data.load_mnist, daemon=True)
    with silent:
        loading.start()
        loading.join(60)
        assert not loading.is_alive()


def test_the_cache_has_the_packages_name_and_keras_keeps_its_own_in_the_home_folder(monkeypatch, tmp_path):
    for name in ("DLUTILS_DATA", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert data._cache_folder() == Path(pooch.os_cache("dlutils"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(data, "_cache_folder", lambda: tmp_path)
    path = tmp_path / ".keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.touch()
    assert data.find_mnist() == path


def test_a_failure_is_remembered_where_no_folder_is_yet(places, monkeypatch):
    monkeypatch.setattr(data, "_cache_folder", lambda: places / "not" / "yet")
    assert not data.load_mnist().is_mnist
    assert (places / "not" / "yet" / "mnist.unreachable").exists()


def test_what_was_loaded_is_told_at_the_top_of_a_page(places, monkeypatch):
    monkeypatch.setattr(data, "_loaded", {})
    assert "MNIST: 3 training and 2 test images" not in provenance.describe()
    write(places / "cache" / "mnist.npz")
    data.load_mnist()
    assert "MNIST: 3 training and 2 test images" in provenance.describe()


def test_the_stand_in_says_that_it_is_one(places, capsys):
    digits = data.load_mnist()
    said = capsys.readouterr().out
    assert "MNIST was not found and could not be downloaded" in said
    assert "stand-in" in said
    assert "1,500 training and 297 test images" in said
    assert not digits.is_mnist
    assert repr(digits) == "scikit-learn digits: 1,500 training and 297 test images"


def test_the_stand_in_is_the_digits_framed_like_mnist(places):
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = data.load_mnist()
    small, labels = load_digits(return_X_y=True)
    images = np.concatenate([digits.x_train, digits.x_test])
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate([digits.y_train, digits.y_test]), labels)
    assert digits.y_train.dtype == np.uint8
    # Between the corners of the 20 × 20 square the source is stretched as by SciPy; the margin is blank.
    stretched = zoom(small.reshape(-1, 8, 8), (1, 20 / 8, 20 / 8), order=1) * 255 / 16
    assert np.abs(images[:, 4:24, 4:24] - stretched).max() < 0.5 + 1e-9
    assert images[:, 4:24, 4:24].sum() == images.sum() > 0
    assert images.max() == 255


def test_without_scikit_learn_the_error_says_what_to_install(places, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(RuntimeError, match=r"pip install 'dlutils\[mnist\]'"):
        data.load_mnist()


@pytest.mark.skipif(not os.environ.get("DLUTILS_DATA"), reason="MNIST itself is tested where DLUTILS_DATA names it")
def test_mnist_itself():
    digits = data.load_mnist()
    assert repr(digits) == "MNIST: 60,000 training and 10,000 test images"
    assert digits.x_train.shape == (60000, 28, 28)
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(digits.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.x_train.mean() == pytest.approx(33.318421)
