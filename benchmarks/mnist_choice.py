"""What the MNIST chapter says was tried beforehand: rates for its candidates, and the techniques at full length.

    python benchmarks/mnist_choice.py

Runs the chapter, and then in its kernel, with its own functions, trains each candidate three times on five sixths of
the training images or fewer, and measures it on validation images. The test images are not touched. Twenty minutes on
two cores.
"""

import asyncio

from tools import notebooks

GRID = """
def measure(label, build, images, epochs, rate):
    train_it, found = recipe(build, images, epochs * passes, rate), []
    for number in numbers:
        trained = train_it(x_fit[:images], y_fit[:images], number)
        found.append(100 * right_answers(trained(x_validation), y_validation).mean())
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    print(f"{label:36}  {rate:5}  {np.mean(found):6.2f} ± {error:.2f}")

print(f"validation accuracy, mean of {len(numbers)} trainings and its standard error")
print("256 and 256 units, 5,000 images, 8 epochs, by rate:")
for name, (_, techniques) in candidates.items():
    for rate in (0.0025, 0.005, 0.01, 0.02):
        measure(name, functools.partial(deep_network, 256, 256, **techniques), small_share, 8, rate)
print("512 and 512 units, 50,000 images, 8 epochs:")
for rate, techniques in [
    (0.001, {}),
    (0.003, {}),
    (0.003, {"batch_norm": True}),
    (0.01, {"batch_norm": True}),
    (0.003, {"shifted": True}),
    (0.003, {"batch_norm": True, "shifted": True}),
    (0.003, {"batch_norm": True, "dropout": 0.25}),
    (0.003, {"batch_norm": True, "shifted": True, "dropout": 0.25}),
]:
    build = functools.partial(deep_network, 512, 512, **techniques)
    measure(", ".join(techniques) or "plain", build, len(x_fit), 8, rate)
"""


def main():
    """Print the validation accuracy of every candidate."""
    path = notebooks.ROOT / "book" / "mnist.ipynb"
    _, printed, _ = asyncio.run(notebooks.run(path, timeout=7200, epilogue=GRID))
    print(printed)


if __name__ == "__main__":
    main()
