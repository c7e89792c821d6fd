"""Which cells a piece of code leans on: each line of the table is a notebook, its last cell, and what is run before."""

from tools.teach import leaning

import pytest

THERE = {"np", "plt", "training", "seed", "print", "range", "len", "sorted", "zip", "dict", "list", "sum", "float"}


def lean(*cells):
    """The places that the last of ``cells`` leans on, beside itself, and what ``lean`` found."""
    found = leaning.lean([leaning.uses_of(cell) for cell in cells], {len(cells) - 1: set()}, there=THERE)
    assert found.chosen.pop() == len(cells) - 1
    return found.chosen, found


CASES = {
    "nothing is wanted": (["a = 1", "b = 2", "3"], []),
    "the last definition, not the one before": (["a = 1", "a = 2", "b = 3", "a"], [1]),
    "what the definition uses": (["a = 1", "b = 2", "c = a", "c"], [0, 2]),
    "what it uses is that from above it": (["a = 1", "b = a", "a = 2", "b"], [0, 1]),
    "a cell that uses the name before it binds it": (["a = 1", "b = 5", "a = a + 1", "a"], [0, 2]),
    "an augmented assignment": (["a = 1", "a += 1", "a"], [0, 1]),
    "on a condition": (["a = 1", "if np.ok:\n    a = 2", "a"], [0, 1]),
    "in both branches": (["a = 1", "if np.ok:\n    a = 2\nelse:\n    a = 3", "a"], [1]),
    "a loop binds": (["a = 1", "for a in range(3):\n    b = a", "a, b"], [1]),
    "a loop that may not run": (["a = 1", "while np.ok():\n    a = 2", "a"], [0, 1]),
    "with": (["a = 1", "with np.file() as a:\n    b = 1", "a, b"], [1]),
    "try": (["a = 1", "try:\n    a = 2\nexcept ValueError as e:\n    b = e", "a"], [1]),
    "a handler": (["b = 1", "try:\n    a = 2\nexcept ValueError:\n    b = 3", "b"], [0, 1]),
    "match": (["a = 1", "match a:\n    case [b, *c]:\n        d = b", "b, c, d"], [0, 1]),
    "unpacking": (["a, (b, *c) = np.load()", "c"], [0]),
    "a walrus": (["a = 1", "print(b := 3)", "b"], [1]),
    "an import": (["from math import sin as s", "s"], [0]),
    "parts of a package": (["import os.path", "import os.other", "os"], [0, 1]),
    "all of a package": (["from math import *", "b = 1", "sin(b)"], [0, 1]),
    "all of a package that is not needed": (["from math import *", "b = 1", "b"], [1]),
    "a comprehension's variable is its own": (["i = 1", "a = [i for i in range(3)]", "a"], [1]),
    "a comprehension uses": (["i = 1", "a = [i + j for j in range(3)]", "a"], [0, 1]),
    "a walrus in a comprehension": (["[b := j for j in range(3)]", "b"], [0]),
    "an argument is its own": (["x = 1", "def f(x, *y, z=2, **w):\n    return x, y, z, w", "f"], [1]),
    "a default is used at once": (["d = 1", "def f(x=d):\n    return x", "d = 2", "f"], [0, 1]),
    "a function uses": (["g = 1", "def f():\n    return g", "f"], [0, 1]),
    "a function's local": (["g = 1", "def f():\n    g = 2\n    return g", "f"], [1]),
    "a function within a function": (["g = 1", "def f():\n    def h():\n        return g\n    return h", "f"], [0, 1]),
    "a lambda": (["g = 1", "f = lambda x: x + g", "f"], [0, 1]),
    "a function uses what comes after it": (["def f():\n    return g", "g = 1", "h = 2", "f"], [0, 1]),
    "and what it finds when it is called": (["g = 1", "def f():\n    return g", "g = 2", "f"], [0, 1, 2]),
    "at each call": (["g = 1", "def f():\n    return g", "a = f()", "g = 2", "b = f()", "a, b"], [0, 1, 2, 3, 4]),
    "a function that a function calls": (
        ["a = 1", "def f():\n    return a", "def g():\n    return f()", "z = 0", "g"],
        [0, 1, 2],
    ),
    "a function under another name": (["g = 1", "def f():\n    return g", "h = np.jit(f)", "h"], [0, 1, 2]),
    "recursion": (["x = 0", "def f(n):\n    return f(n - 1)", "f"], [1]),
    "global": (["g = 1", "def f():\n    global g\n    g = 2", "f()\ng"], [0, 1]),
    "a class": (["b = 1", "class A:\n    c = b\n    def m(self):\n        return self.c + d", "d = 2", "A"], [0, 1, 2]),
    "a base": (["class A:\n    pass", "class B(A):\n    pass", "B"], [0, 1]),
    "an object of a class": (
        ["def f():\n    pass", "class A:\n    def m(self):\n        f()", "a = A()", "a"],
        [0, 1, 2],
    ),
    "a method put into a class": (
        ["class A:\n    pass", "def add(a, b):\n    return 1", "x = 1", "A.__add__ = add", "A"],
        [0, 1, 3],
    ),
    "an entry": (["a = {}", "a['b'] = 1", "c = a['b']", "a"], [0, 1]),
    "an entry that is deleted": (["a = {}", "del a['b']", "a"], [0, 1]),
    "a method that is called": (["a = []", "a.append(1)", "b = len(a)", "a"], [0, 1]),
    "a function that is called for what it does": (["a = []", "np.fill(a)", "a"], [0, 1]),
    "but not print": (["a = []", "print(a)", "a"], [0]),
    "nor for its later arguments": (["a = []", "training.fit(np.new(), a)", "a"], [0]),
    "but a method's": (["o = np.new()", "a = []", "o.apply(1, a)", "a"], [0, 1, 2]),
    "in a loop": (["a = []", "for i in range(3):\n    a.append(i)", "a"], [0, 1]),
    "a part, in a loop": (["a = [np.new()]", "for each in a:\n    each.value = 1", "a"], [0, 1]),
    "a part, zipped": (["a = []", "for p, s in zip(a, range(3)):\n    p.value -= s", "a"], [0, 1]),
    "a part under another name": (["w = {}", "b = {}", "all = [*w.values(), b]", "all[0].add(1)", "w"], [0, 1, 2, 3]),
    "training": (["m = np.new()", "history = training.fit(m, 1)", "m"], [0, 1]),
    "a model's own": (["m = np.new()", "history = m.fit(1)", "x = m.predict(1)", "m"], [0, 1]),
    "by a function": (["a = []", "def f():\n    a.append(1)\n    return 2", "b = f()", "a"], [0, 1, 2]),
    "by a function of a function": (
        ["a = []", "def f():\n    a.append(1)\n    return 2", "def g():\n    return f()", "b = g()", "a"],
        [0, 1, 2, 3],
    ),
    "a function that is not called": (["a = []", "def f():\n    a.append(1)", "a"], [0]),
    "random numbers": (
        ["r = np.random.default_rng(seed)", "a = r.normal()", "b = 1", "c = r.normal()", "c"],
        [0, 1, 3],
    ),
    "drawn by a function": (
        ["r = np.random.default_rng(1)", "def f():\n    return r.normal()", "a = f()", "f()"],
        [0, 1, 2],
    ),
    "random numbers drawn below": (
        ["r = np.random.default_rng(seed)", "a = r.normal()", "b = r.normal()", "a"],
        [0, 1],
    ),
    "what is there is not looked for": (["x = 1", "np.random.seed(seed)", "np.mean(seed)"], []),
    "but what replaces it is": (["seed = 3", "seed"], [0]),
    "a magic": (["a = 1", "%time b = a", "b"], [0, 1]),
    "a cell's magic": (["a = 1", "%%time\ndef f():\n    return a", "f"], [0, 1]),
    "no Python": (["a = 1", "a = = 2", "a"], [0]),
    "await": (["a = 1", "b = await np.sleep(a)", "b"], [0, 1]),
}


@pytest.mark.parametrize("name", CASES)
def test_cells_are_chosen(name):
    cells, wanted = CASES[name]
    assert lean(*cells)[0] == wanted


def test_what_is_missing_and_whether_there_are_values():
    assert lean("a = 1", "b + np.c(a)")[1].missing == {"b"}
    assert lean("def f():\n    return g", "f()")[1].missing == {"g"}
    assert lean("a = 1", "a")[1].data
    assert lean("a = 1", "def f():\n    return a", "f")[1].data
    assert not lean("a = 1", "def f():\n    return 1", "class A:\n    pass", "f, A")[1].data


def test_names_that_are_not_wanted_above_an_end():
    cells = [leaning.uses_of(source) for source in ("f = 1", "g = 2", "x = 0", "f + g")]
    assert leaning.lean(cells, {2: set(), 3: {"f"}}).chosen == [1, 2, 3]
