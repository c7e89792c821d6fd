"""Takes tensorboard.png, for the chapter on graphs: python book/figures/tensorboard.py

Trains its network twice, writes the events of each into a folder of its own, starts
TensorBoard on a free port of this machine alone, and takes a picture of its page. It
needs playwright, and Chromium: the program that CHROMIUM names, or the system's.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from dlutils import data

import tensorflow as tf
from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_suffix(".png")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
PATIENCE = 60  # seconds, for TensorBoard to answer and for its page to be drawn


def write_events(folder, rate, steps=300):
    """Train the chapter's network; log its loss, its hidden weights and its graph."""
    points, sides = data.make_classes("parabola", seed=1)
    targets = sides[:, None].astype("float32")
    tf.random.set_seed(1)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    shapes = (2, 10), (10,), (10, 1), (1,)
    variables = [tf.Variable(tf.random.normal(shape, stddev=0.1)) for shape in shapes]

    @tf.function
    def descend():
        with tf.GradientTape() as tape:
            hidden = tf.tanh(points @ variables[0] + variables[1])
            logits = hidden @ variables[2] + variables[3]
            loss = tf.reduce_mean(cross_entropy(labels=targets, logits=logits))
        slopes = tape.gradient(loss, variables)
        for variable, slope in zip(variables, slopes, strict=True):
            variable.assign_sub(rate * slope)
        return loss

    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        tf.summary.graph(descend.get_concrete_function().graph)
        for step in range(steps):
            loss = descend()
            if step % 10 == 0:
                tf.summary.scalar("loss", loss, step=step)
                tf.summary.histogram("weights", variables[0], step=step)
    writer.close()


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(address, process):
    """Return once ``address`` answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"TensorBoard ended with status {process.returncode}")
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"TensorBoard did not answer within {PATIENCE} seconds")


def take(address, path):
    """A picture of TensorBoard's page, once its charts are drawn."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1000, "height": 1100})
            page.goto(f"{address}/?darkMode=false#timeseries")
            page.wait_for_selector("line-chart", timeout=1000 * PATIENCE)
            # The pane of settings, which is open, is closed.
            page.get_by_role("button", name="Settings").last.click()
            page.mouse.move(5, 500)
            page.wait_for_timeout(4000)  # while the charts find their size
            page.screenshot(path=path)
        finally:
            browser.close()


def main():
    with tempfile.TemporaryDirectory() as logs:
        for rate in (0.1, 1.0):
            write_events(Path(logs) / f"rate {rate:g}", rate)
        port = free_port()
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", logs]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=logs, **quiet)
        try:
            wait_for(f"http://127.0.0.1:{port}", process)
            take(f"http://127.0.0.1:{port}", PICTURE)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    Image.open(PICTURE).convert("RGB").quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    # In its folder this file would pass for the package of the same name.
    sys.path.remove(str(Path(__file__).resolve().parent))
    main()
