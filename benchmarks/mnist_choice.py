"""How the settings of the MNIST chapter's final networks were chosen: on validation images, at the full budget.

    python benchmarks/mnist_choice.py

Runs the chapter, and then in its kernel, with its own functions, trains each candidate on five sixths of the training
images and measures it on the last sixth. The test images are not touched. About ten minutes on two cores.
"""

import asyncio

from tools import notebooks

GRID = """
part = len(x_train) - sixth
for units, shifted, epochs in ((256, False, 12), (512, True, 14)):
    for dropout in (0.2, 0.25, 0.3, 0.4):
        for rate in (0.001, 0.003):
            found = []
            for number in (1, 2) if not shifted else (1,):
                keras.utils.set_random_seed(number)
                candidate = deep_network(units, dropout, shifted)
                with contextlib.redirect_stdout(io.StringIO()):
                    train(candidate, x_train[:part], y_train[:part], epochs=epochs * passes, rate=rate)
                found.append(accuracy_of(candidate, x_validation, y_validation))
            print(f"{units:5d}  {shifted!s:7}  {dropout:7}  {rate:5}  {np.mean(found):.4f}")
"""


def main():
    """Print the validation accuracy of every candidate."""
    path = notebooks.ROOT / "book" / "mnist.ipynb"
    _, printed, _ = asyncio.run(notebooks.run(path, timeout=3600, epilogue="import contextlib, io\n" + GRID))
    print("units  shifted  dropout  rate   validation accuracy")
    print(printed)


if __name__ == "__main__":
    main()
