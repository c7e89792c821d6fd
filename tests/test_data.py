"""Generators: values, ranges, errors; loaders: values, places, damaged files, and a network that fails."""

import contextlib
import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from dlutils import data, provenance

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st

ATTACKS = bool(os.environ.get("ATTACKS"))  # every byte, not every so many


def small_mnist():
    """Arrays of MNIST's names and kinds, a few examples long."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    return {"x_train": images[:3], "y_train": labels[:3], "x_test": images[3:], "y_test": labels[3:]}


def digests():
    """What small_mnist's arrays have in place of MNIST's digests."""
    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in small_mnist().items()}


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Every place where MNIST is looked for, empty, and the digests of small_mnist in place of MNIST's."""
    monkeypatch.delenv("DLUTILS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "_cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(data, "MNIST_URL", "http://127.0.0.1:9/")  # nothing listens there
    monkeypatch.setattr(data, "MNIST_SHA256", digests())
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


def test_a_file_without_one_of_the_arrays_is_refused_by_name(places):
    arrays = small_mnist()
    del arrays["y_test"]
    np.savez_compressed(places / "cache" / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match=r"mnist\.npz is not a readable.*y_test.*delete it"):
        data.load_mnist()


def refused(path, what):
    """Load, which must refuse the file at ``path`` by name."""
    with pytest.raises(
        ValueError, match=r"is not a readable mnist\.npz .*delete it|is not MNIST's.*delete it"
    ) as raised:
        data.load_mnist()
    assert str(path) in str(raised.value), what


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_cut_short_at_any_byte_is_refused(places, save):
    path = places / "cache" / "mnist.npz"
    save(path, **small_mnist())
    whole = path.read_bytes()
    inner = re.finditer(rb"PK(\x03\x04|\x01\x02|\x05\x06)", whole)  # where a part of a zip begins
    boundaries = {place for found in inner for place in range(found.start() - 2, found.start() + 48)}
    few = range(0, len(whole), 1 if ATTACKS else 97)
    cuts = sorted({cut for cut in {*few, *boundaries} if 0 <= cut < len(whole)})
    for cut in cuts:
        path.write_bytes(whole[:cut])
        refused(path, f"cut at {cut}")
    assert len(cuts) >= 300
    path.write_bytes(whole)
    assert data.load_mnist().is_mnist


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_file_with_changed_bytes_is_refused_or_whole(changes):
    """Whatever is damaged, zip or arrays: what is returned is MNIST, to the byte."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("DLUTILS_DATA", folder)
        patch.setattr(data, "MNIST_SHA256", digests())
        path = Path(folder, "mnist.npz")
        np.savez_compressed(path, **small_mnist())
        damaged = bytearray(path.read_bytes())
        for place, change in changes:
            damaged[int(place * len(damaged))] ^= change
        path.write_bytes(damaged)
        try:
            digits = data.load_mnist()
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:  # the bytes are not looked at, such as the time of writing
            for name, array in small_mnist().items():
                np.testing.assert_array_equal(getattr(digits, name), array)


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 28, 28), np.uint8), np.zeros(3), np.array("x"), small_mnist()["x_train"].astype("int64")],
    ids=["empty", "numbers", "text", "wider"],
)
def test_a_wrong_array_is_refused_by_its_name(places, array):
    write(places / "cache" / "mnist.npz", x_train=array)
    with pytest.raises(ValueError, match="the array 'x_train' is not MNIST's"):
        data.load_mnist()


def test_an_array_that_says_it_is_larger_than_any_memory_is_refused(places):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**15,)})
    path = write(places / "cache" / "mnist.npz")
    with zipfile.ZipFile(path, "w") as archive:
        for name in small_mnist():
            archive.writestr(f"{name}.npy", header.getvalue())
    refused(path, "a huge shape")


def test_a_file_that_grows_while_it_is_read_is_refused_until_it_is_whole(places):
    """Another process copies it into place, piece by piece."""
    path = places / "cache" / "mnist.npz"
    whole = write(places / "made.npz").read_bytes()
    copying = (
        "import pathlib, sys, time\n"
        "whole = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "with open(sys.argv[2], 'wb', buffering=0) as file:\n"
        "    for start in range(0, len(whole), 100):\n"
        "        file.write(whole[start:start + 100])\n"
        "        time.sleep(0.01)\n"
    )
    with subprocess.Popen([sys.executable, "-c", copying, places / "made.npz", path]) as process:
        while not path.exists():
            time.sleep(0.001)
        tried = 0
        while process.poll() is None:
            tried += 1
            try:
                digits = data.load_mnist()
            except ValueError as error:
                assert "if it is still being copied, wait" in str(error)  # noqa: PT017
            else:
                assert path.read_bytes() == whole
                np.testing.assert_array_equal(digits.x_train, small_mnist()["x_train"])
    assert tried >= 5
    assert data.load_mnist().is_mnist


def test_a_download_is_checked_kept_and_not_repeated(places, server, monkeypatch):
    files, requests = server
    body = write(places / "made.npz").read_bytes()
    files["mnist.npz"] = body
    monkeypatch.setattr(data, "MNIST_FILE_SHA256", hashlib.sha256(body).hexdigest())
    assert data.load_mnist().is_mnist
    assert (places / "cache" / "mnist.npz").read_bytes() == body
    assert data.load_mnist().is_mnist
    assert requests == ["/mnist.npz"]


def stand_in(capsys, reason):
    """Load, which must give the stand-in and this reason."""
    capsys.readouterr()
    assert not data.load_mnist().is_mnist
    said = capsys.readouterr().out
    assert re.search(f"could not be downloaded: {reason}", said), said
    assert "A smaller stand-in takes its place" in said


def test_a_proxys_page_with_status_200_leaves_nothing_behind(places, server, capsys, monkeypatch):
    files, _ = server
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for number, page in enumerate([b"<html>Please log in</html>", b"", write(places / "made.npz").read_bytes()]):
        files["mnist.npz"] = page
        stand_in(capsys, "what comes is not MNIST but something else, such as the page of a network")
        assert [path.name for path in (places / "cache").iterdir()] == ["mnist.unreachable"], number
        (places / "cache" / "mnist.unreachable").unlink()


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers as its server's ``body`` says: pieces, and seconds to wait before each."""

    def do_GET(self):
        with contextlib.suppress(OSError):  # it was given up
            for piece, wait in self.server.body():
                time.sleep(wait)
                self.wfile.write(piece)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def slow(monkeypatch, places):
    """A function that makes a server which answers with pieces and pauses."""
    servers = []

    def serve(body):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        server.body, server.daemon_threads = body, True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.setattr(data, "MNIST_URL", f"http://127.0.0.1:{server.server_port}/")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "*")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


HEAD = b"HTTP/1.0 200 OK\r\n"
ALL_OF_IT = HEAD + b"Content-Length: 11490434\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: [(b"", 60)], "the server cannot be reached or does not answer .ReadTimeout"),
        (lambda: [(HEAD, 0), (b"", 60)], "the server cannot be reached or does not answer .ReadTimeout"),
        (lambda: [(ALL_OF_IT + 5000 * b"x", 0), (b"", 60)], "the server cannot be reached or does not answer"),
        (lambda: [(ALL_OF_IT, 0), (5000 * b"x", 0)], "the server cannot be reached or does not answer|what comes is"),
        (lambda: [(ALL_OF_IT, 0), *[(1024 * b"x", 0.1)] * 1000], "it was not through after 1 s"),
        (lambda: [(HEAD + b"\r\n", 0), *[(2**16 * b"x", 0)] * 40], "the server sends more than MNIST has"),
        (lambda: [(b"HTTP/1.0 503 Busy\r\n\r\n", 0)], "the server answers with status 503"),
    ],
    ids=["silent", "silent after its first line", "stalls", "breaks off", "trickles", "never ends", "busy"],
)
def test_a_server_that_stalls_or_babbles_is_given_up_and_leaves_nothing(
    places, slow, capsys, monkeypatch, body, reason
):
    monkeypatch.setattr(data, "_TIMEOUT", 0.3)
    monkeypatch.setattr(data, "_PATIENCE", 1 if "1 s" in reason else 60)
    monkeypatch.setattr(data, "_MOST", 2**20)
    slow(body)
    stand_in(capsys, reason)
    assert [path.name for path in (places / "cache").iterdir()] == ["mnist.unreachable"]


LOAD = """
import sys
from pathlib import Path
from dlutils import data
data.MNIST_FILE_SHA256, data.MNIST_SHA256, data.MNIST_URL, cache = eval(sys.argv[1])
data._cache_folder = lambda: Path(cache)
before_that = sys.argv[2:] and exec(sys.argv[2])
print(data.load_mnist())
"""


def loading(cache, before="", wrapped=()):
    """A process of its own that loads from, or into, ``cache``, with what this one has in place of MNIST."""
    about = repr((data.MNIST_FILE_SHA256, data.MNIST_SHA256, data.MNIST_URL, os.fspath(cache)))
    command = [*wrapped, sys.executable, "-c", LOAD, about, before]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said_by(process):
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return said


def test_two_processes_at_once_both_get_it_whole(places, slow, monkeypatch):
    whole = write(places / "made.npz").read_bytes()
    monkeypatch.setattr(data, "MNIST_FILE_SHA256", hashlib.sha256(whole).hexdigest())
    met = threading.Barrier(2)

    def body():
        with contextlib.suppress(threading.BrokenBarrierError):  # neither is answered before both have asked
            met.wait(60)
        return [(HEAD + b"\r\n", 0), *[(whole[start : start + 500], 0.02) for start in range(0, len(whole), 500)]]

    slow(body)
    processes = [loading(places / "cache") for _ in range(2)]
    assert all("MNIST: 3 training and 2 test images" in said_by(process) for process in processes)
    assert not met.broken, "both were downloading at once"
    assert [path.name for path in (places / "cache").iterdir()] == ["mnist.npz"]
    assert (places / "cache" / "mnist.npz").read_bytes() == whole


@pytest.fixture
def mounted(tmp_path):
    """A function that mounts a small file system in memory, where one may; it is gone after the test."""
    mounts = []

    def mount(options):
        place = tmp_path / "mounted"
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place]
        if not shutil.which("mount") or subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("no file system can be mounted here")
        mounts.append(place)
        return place

    yield mount
    for place in mounts:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_gives_the_stand_in_and_nothing_half_written(places, slow, mounted, capsys, monkeypatch):
    disk = mounted("size=64k")
    monkeypatch.setattr(data, "_cache_folder", lambda: disk / "cache")
    slow(lambda: [(HEAD + b"\r\n", 0), (2**20 * b"x", 0)])
    stand_in(capsys, r".*cache cannot be written \(No space left on device\)")
    assert [path.name for path in (disk / "cache").iterdir()] in ([], ["mnist.unreachable"])


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")
def test_a_disk_that_takes_no_more_gives_the_stand_in_and_nothing_half_written(places, slow):
    """As a full disk, where none can be mounted: the system refuses to make a file larger."""
    slow(lambda: [(HEAD + b"\r\n", 0), (2**20 * b"x", 0)])
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
    )
    said = said_by(loading(places / "cache", limited))
    assert "cache cannot be written (File too large)" in said
    assert "scikit-learn digits" in said
    assert [path.name for path in (places / "cache").iterdir()] == ["mnist.unreachable"]


def test_a_read_only_home_gives_the_stand_in_or_what_is_there(places, server, mounted, capsys, monkeypatch):
    files, _ = server
    files["mnist.npz"] = write(places / "made.npz").read_bytes()
    monkeypatch.setattr(data, "MNIST_FILE_SHA256", hashlib.sha256(files["mnist.npz"]).hexdigest())
    home = mounted("size=1m")
    shutil.copy(places / "made.npz", home / "mnist.npz")
    subprocess.run(["mount", "-o", "remount,ro", home], check=True)
    monkeypatch.setattr(data, "_cache_folder", lambda: home / "cache")
    stand_in(capsys, r".*cache cannot be written \(Read-only file system\)")
    monkeypatch.setattr(data, "_cache_folder", lambda: home)
    assert data.load_mnist().is_mnist


def test_a_cache_that_cannot_be_gives_the_stand_in(places, server, capsys, monkeypatch):
    files, _ = server
    files["mnist.npz"] = b"x"
    (places / "file").touch()
    monkeypatch.setattr(data, "_cache_folder", lambda: places / "file" / "cache")
    stand_in(capsys, r".*cache cannot be written \(")


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("kind", ["nowhere", "round", "folder", "elsewhere", "cache nowhere", "cache elsewhere"])
def test_a_link_in_the_caches_place_writes_nothing_elsewhere(places, server, capsys, monkeypatch, kind):
    files, _ = server
    whole = files["mnist.npz"] = write(places / "made.npz").read_bytes()
    monkeypatch.setattr(data, "MNIST_FILE_SHA256", hashlib.sha256(whole).hexdigest())
    cache, link = places / "cache", places / "cache" / "mnist.npz"
    other = places / "other"
    other.mkdir()
    if kind.startswith("cache"):
        cache.rmdir()
        cache.symlink_to(other if kind == "cache elsewhere" else places / "gone")
    else:
        targets = {"nowhere": places / "gone.npz", "round": link, "folder": other, "elsewhere": places / "made.npz"}
        link.symlink_to(targets[kind])
    if kind == "folder":
        stand_in(capsys, r".*mnist\.npz is in the way, which is no file")
        assert link.is_symlink()
    elif kind == "cache nowhere":
        stand_in(capsys, r".*cache cannot be written \(File exists\)")
    else:
        assert data.load_mnist().is_mnist
        assert link.read_bytes() == whole
    assert not (places / "gone.npz").exists()
    assert not (places / "gone").exists()
    assert [path.name for path in other.iterdir()] == (["mnist.npz"] if kind == "cache elsewhere" else [])


def test_where_one_may_not_look_nothing_is_found(places, monkeypatch):
    """As in somebody else's home: Python up to 3.13 raises where one may not look."""

    def forbidden(path, **others):
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", forbidden)
        assert data.find_mnist() is None


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
