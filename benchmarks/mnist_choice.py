"""How the settings of the MNIST chapter's final networks were chosen: on validation images, with time to spare.

    python benchmarks/mnist_choice.py

Runs the chapter, and then in its kernel, with its own functions, trains each candidate on five sixths of the training
images and measures it on the rest. The test images are not touched. The epochs are more than the chapter itself can
afford: none should look bad for want of time. Ten minutes on two cores.
"""

import asyncio

from tools import notebooks

GRID = """
import contextlib, io

candidates = [dict(units=units, batch_norm=b, dropout=d, rate=0.003, epochs=12)
              for units in (256, 512) for b, d in ((False, 0), (True, 0), (False, 0.25), (True, 0.25))]
candidates += [dict(units=512, batch_norm=True, dropout=0, rate=r, epochs=12) for r in (0.001, 0.01)]
candidates += [dict(units=units, batch_norm=True, dropout=d, rate=r, epochs=14, shifted=True)
               for units, d, r in ((256, 0, 0.003), (512, 0, 0.003), (512, 0.15, 0.003), (512, 0.25, 0.003),
                                   (512, 0, 0.001), (512, 0, 0.01))]
print("units  batch norm  dropout  shifts   rate  epochs  validation accuracy (mean of 2, and each)")
for settings in candidates:
    budget = {name: settings[name] for name in ("rate", "epochs")}
    shape = {name: value for name, value in settings.items() if name not in budget}
    found = []
    for number in (1, 2):
        keras.utils.set_random_seed(number)
        candidate = deep_network(**shape)
        with contextlib.redirect_stdout(io.StringIO()):
            train(candidate, x_fit, y_fit, epochs=budget["epochs"] * passes, rate=budget["rate"])
        found.append(is_right(candidate, x_validation, y_validation).mean())
    print(f"{shape['units']:5}  {shape['batch_norm']!s:>10}  {shape['dropout']:7}  "
          f"{shape.get('shifted', False)!s:>6}  {budget['rate']:5}  {budget['epochs']:6}  "
          f"{np.mean(found):.4f}  {found[0]:.4f} {found[1]:.4f}")
"""


def main():
    """Print the validation accuracy of every candidate."""
    path = notebooks.ROOT / "book" / "mnist.ipynb"
    _, printed, _ = asyncio.run(notebooks.run(path, timeout=7200, epilogue=GRID))
    print(printed)


if __name__ == "__main__":
    main()
