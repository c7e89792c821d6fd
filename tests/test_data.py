"""Generators: values, ranges, errors; loaders: values, places, damaged files, and a network that fails."""

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


BOUNDARIES = {
    "line": ((0, 8), (-4, 3), lambda a, b: 0.8 * a + b - 3),
    "parabola": ((-5, 5), (-4, 4), lambda a, b: -0.5 * (a - 1) ** 2 + 2 * b + 5),
    "product": ((-5, 5), (-4, 4), lambda a, b: -0.5 * (a * b - 1) ** 2 + 2 * b + 5),
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_classes_lie_in_their_ranges_on_their_sides(boundary):
    first, second, g = BOUNDARIES[boundary]
    x, y = data.make_classes(boundary, 5000, seed=3)
    assert x.shape == (5000, 2)
    assert x.dtype == np.float32
    assert y.shape == (5000,)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, [int(g(float(a), float(b)) >= 0) for a, b in x])
    for values, (low, high) in zip(x.T, (first, second), strict=True):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
        np.testing.assert_allclose(np.histogram(values, 10, (low, high))[0], 500, atol=90)  # spread evenly
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.06


def test_classes_by_the_boundary_have_these_values():
    x, y = data.make_classes("line", seed=1)
    np.testing.assert_allclose(x[:2], [[4.094573, 2.653248], [1.153277, 2.640544]], atol=1e-5)
    assert (len(x), y[:2].tolist(), int(y.sum())) == (1000, [1, 1], 466)
    assert np.array_equal(x, data.make_classes("line", seed=1)[0])
    assert not np.array_equal(x, data.make_classes("line", seed=2)[0])


def test_spirals_wind_once_into_each_other():
    x, y = data.make_spirals(4000, noise=0, seed=1)
    assert x.dtype == np.float32
    assert (y.dtype, np.bincount(y).tolist()) == (np.int32, [2000, 2000])
    radius = np.hypot(*x.T)
    assert 0.1 <= radius.min() < 0.15
    assert 0.999 < radius.max() <= 1 + 1e-6
    np.testing.assert_allclose(np.quantile((radius - 0.1) ** 2 / 0.81, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.03)
    angle = 2 * np.pi * (radius - 0.1) / 0.9 + np.pi * y
    np.testing.assert_allclose(x, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), atol=1e-5)
    twice = data.make_spirals(4000, turns=2, noise=0, seed=1)[0]
    angle = 4 * np.pi * (radius - 0.1) / 0.9 + np.pi * y
    np.testing.assert_allclose(twice, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), atol=1e-5)
    off = data.make_spirals(4000, noise=0.2, seed=1)[0] - x
    np.testing.assert_allclose(off.std(axis=0), 0.2, atol=0.01)
    np.testing.assert_allclose(off.mean(axis=0), 0, atol=0.02)
    assert len(data.make_spirals()[0]) == 1000


def test_the_noisy_sine():
    x, y = data.make_noisy_sine(seed=1)
    np.testing.assert_array_equal(x, np.linspace(-3, 3, 1000))
    np.testing.assert_allclose(y - np.sin(x), np.random.default_rng(1).uniform(-0.5, 0.5, size=1000))
    np.testing.assert_array_equal(data.make_noisy_sine(7, noise=0)[1], np.sin(np.linspace(-3, 3, 7)))
    assert np.abs(data.make_noisy_sine(noise=2)[1] - np.sin(x)).max() > 1.9


def test_the_ten_points_are_the_lecture_s():
    x, y = data.make_ten_points()
    np.testing.assert_allclose(x, [-4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5])
    listed = [0.9819, 0.7973, 1.9737, 0.1838, 1.3180, -0.8361, -0.6591, -2.4701, -2.8122, -6.2512]
    np.testing.assert_array_equal(y, listed)


@pytest.mark.parametrize("make", [lambda seed: data.make_classes("line", 5, seed=seed), data.make_noisy_sine])
def test_a_generator_goes_on_drawing(make):
    rng = np.random.default_rng(4)
    first, second = make(seed=rng), make(seed=rng)
    np.testing.assert_array_equal(first[1], make(seed=4)[1])
    assert not all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda: data.make_classes("circle"), ValueError, "boundary must be one of .*'circle'"),
        (lambda: data.make_classes("line", 0), ValueError, "m must be at least 1, got 0"),
        (lambda: data.make_classes("line", 2.5), TypeError, "m must be a whole number of points, got 2.5"),
        (lambda: data.make_spirals(turns=0), ValueError, "turns must be above 0, got 0"),
        (lambda: data.make_spirals(noise=-1), ValueError, "noise must be at least 0, got -1"),
        (lambda: data.make_spirals(noise=float("nan")), ValueError, "noise must be at least 0, got nan"),
        (lambda: data.make_noisy_sine(0), ValueError, "m must be at least 1"),
        (lambda: data.make_noisy_sine(noise="big"), TypeError, "noise must be a number, got 'big'"),
        (lambda: data.make_noisy_sine(noise=-0.5), ValueError, "noise must be at least 0, got -0.5"),
    ],
)
def test_bad_arguments_of_make_are_named(make, error, word):
    with pytest.raises(error, match=word):
        make()
