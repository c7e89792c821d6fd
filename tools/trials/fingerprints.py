"""What the names of a namespace hold, in a few characters each, so that two processes can compare them."""

import hashlib
import pickle
import sys
import types

import numpy as np

MOST = 100_000  # parts of one value that are looked at
LARGE = 2_000_000  # entries of an array; of larger ones, about as many are looked at
ATOMS = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), np.generic, np.dtype)


class Unknown(Exception):
    """A value, or a part of it, whose state cannot be seen."""


def fingerprint(value):
    """A short text that differs where values differ; None if they cannot be compared."""
    try:
        return _Walk().through(value)
    except Exception:  # whatever a strange object raises when it is looked at
        return None


def of_namespace(names):
    """The fingerprints of all names but private ones and modules, and of the global random state under its name."""
    found = {
        name: fingerprint(value)
        for name, value in list(names.items())
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    return found | {"<the global random state>": fingerprint(_random_state())}


def _random_state():
    import random

    state = [random.getstate(), np.random.get_state()]  # noqa: NPY002
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        made = context.context()
        state += [made._seed, made._rng.getstate() if made._seed is not None else None]
    if "keras" in sys.modules:
        from keras.src.backend.common import global_state

        generator = global_state.get_global_attribute("global_seed_generator")
        state.append(None if generator is None else generator.state.numpy())
    return state


class _Walk:
    def __init__(self):
        self.digest = hashlib.blake2b(digest_size=8)
        self.seen = {}
        self.waiting = []

    def through(self, value):
        self.waiting = [value]
        while self.waiting:
            self.one(self.waiting.pop())
        return self.digest.hexdigest()

    def note(self, *parts):
        for part in parts:
            self.digest.update(part if isinstance(part, bytes) else repr(part).encode())
            self.digest.update(b"\0")

    def then(self, parts):
        self.waiting.extend(reversed(list(parts)))

    def one(self, value):
        kind = type(value)
        if isinstance(value, ATOMS) and not (isinstance(value, np.generic) and value.dtype.hasobject):
            return self.note(kind.__name__, value)
        if id(value) in self.seen:
            return self.note("again", self.seen[id(value)][0])
        self.seen[id(value)] = len(self.seen), value  # kept alive, so that no other gets its id
        if len(self.seen) > MOST:
            raise Unknown
        self.note(kind.__module__, kind.__qualname__)
        if isinstance(value, list | tuple):
            self.note(len(value))
            return self.then(value)
        if isinstance(value, dict):
            self.note(len(value))
            return self.then(part for pair in value.items() for part in pair)
        if isinstance(value, set | frozenset):
            if not all(isinstance(part, ATOMS) for part in value):
                raise Unknown
            return self.note(*sorted(map(repr, value)))
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, np.random.Generator):
            return self.then([value.bit_generator.state])
        if isinstance(value, types.ModuleType):
            return self.note(value.__name__)
        if isinstance(value, types.CodeType):
            self.note(value.co_code, value.co_names, value.co_varnames, value.co_freevars)
            return self.then(value.co_consts)
        if isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return self.then([value.__code__, value.__defaults__, value.__kwdefaults__, cells])
        if isinstance(value, types.MethodType):
            return self.then([value.__func__, value.__self__])
        if isinstance(value, types.BuiltinFunctionType | np.ufunc):
            return self.note(getattr(value, "__qualname__", value.__name__))
        if isinstance(value, type):
            if value.__module__ != "__main__":
                return None
            own = {name: part for name, part in vars(value).items() if not name.startswith("__") or callable(part)}
            return self.then([value.__bases__, own])
        if isinstance(value, staticmethod | classmethod):
            return self.then([value.__func__])
        if isinstance(value, property):
            return self.then([value.fget, value.fset])
        return self.foreign(value, kind.__module__.partition(".")[0])

    def array(self, value):
        if value.dtype.hasobject:
            self.note(value.shape)
            return self.then(value.ravel().tolist())
        self.note(value.dtype.str, value.shape)
        if value.size > LARGE:
            flat = value.reshape(-1)
            value = np.concatenate([flat[: LARGE // 4], flat[:: value.size // LARGE + 1], flat[-LARGE // 4 :]])
        return self.note(np.ascontiguousarray(value).tobytes())

    def foreign(self, value, package):
        """An object of a class that is neither Python's own nor NumPy's."""
        if package in ("tensorflow", "keras"):
            if hasattr(value, "python_function"):  # of tf.function
                return self.then([value.python_function])
            if hasattr(value, "weights") and hasattr(value, "get_config"):
                state = [np.asarray(weight) for weight in value.weights]
                if getattr(value, "optimizer", None) is not None:
                    state.append(value.optimizer)
                return self.then([*state, value.get_config()])
            if hasattr(value, "get_config"):  # an optimizer, a loss, an initializer
                return self.then(
                    [np.asarray(variable) for variable in getattr(value, "variables", ())] + [value.get_config()]
                )
            if hasattr(value, "numpy"):
                return self.array(np.asarray(value.numpy()))
            raise Unknown
        if package in ("pandas", "datetime", "decimal", "fractions", "collections", "itertools", "pathlib"):
            return self.note(pickle.dumps(value))
        if hasattr(value, "__wrapped__") or not hasattr(value, "__dict__") or package == "_io":
            raise Unknown
        if package in ("__main__", "dlutils", "types"):
            return self.then([vars(value)])
        raise Unknown
