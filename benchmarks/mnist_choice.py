"""What the MNIST chapter says was tried beforehand: rates for its candidates, and the techniques at full length.

    python benchmarks/mnist_choice.py

Runs the chapter, and then in its kernel, with its own functions, trains each candidate three times on five sixths of
the training images or fewer, and measures it on validation images. The test images are not touched. Ten to twenty
minutes on two cores.
"""

import asyncio

from tools.build import notebooks

GRID = """
def measure(label, build, images, epochs, rate):
    train_it, found = recipe(build, images, epochs * passes, rate), []
    for number in numbers:
        trained = train_it(x_fit[:images], y_fit[:images], number)
        found.append(100 * right_answers(trained(x_validation), y_validation).mean())
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    print(f"{label:36}  {rate:5}  {np.mean(found):6.2f} ± {error:.2f}")

print(f"validation accuracy, mean of {len(numbers)} trainings and its standard error")
print("128 and 128 units, 5,000 images, 8 epochs, by rate:")
for name, techniques in candidates.items():
    for rate in (0.0025, 0.005, 0.01, 0.02, 0.04):
        measure(name, functools.partial(deep_network, 128, 128, **techniques), small_share, 8, rate)
print("256 and 256 units, 50,000 images, 6 epochs:")
full = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "shifts": {"shifted": True},
    "batch norm, shifts": {"batch_norm": True, "shifted": True},
    "batch norm, dropout": {"batch_norm": True, "dropout": 0.25},
    "batch norm, shifts, dropout": {"batch_norm": True, "shifted": True, "dropout": 0.25},
}
for name, techniques in full.items():
    for rate in (0.002, 0.004, 0.008):
        measure(name, functools.partial(deep_network, 256, 256, **techniques), len(x_fit), 6, rate)
"""


def main():
    """Print the validation accuracy of every candidate."""
    path = notebooks.ROOT / "book" / "mnist.ipynb"
    _, printed, _ = asyncio.run(notebooks.run(path, timeout=7200, epilogue=GRID))
    print(printed)


if __name__ == "__main__":
    main()
