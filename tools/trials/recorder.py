"""What the asserts of a chapter's checks compare: in the chapter's kernel, each writes its numbers down.

``instrumented`` rewrites the asserts of check cells, so that every comparison on which one of them rests (``a < b``,
``lower < a < upper``, ``np.allclose(a, b)``, ``(errors < bound).all()``, …) also records its two sides and its margin:
how far it is from the bound at which the assert fails, positive where it holds. Results stay as they are, and so does
the order in which things are evaluated, but an assert that fails is written down and the chapter goes on.

The second half of this file runs in the kernel, where it imports no more than the standard library and NumPy.
"""

import ast
import builtins
import copy
import json
import math
import operator

NAME = "_dl_recorder"  # of this module in a chapter's kernel
MANY = 200  # times one comparison is written down, say in a loop; of more, only those nearer to failing
SHOWN = 8  # entries of an array that are written down; of a larger one, its least, mean and greatest
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}
_CLOSE = ("np.allclose", "np.isclose", "math.isclose")
_ALL, _ANY = ("all", "np.all"), ("any", "np.any")


class _Rewriter(ast.NodeTransformer):
    """Rewrites asserts; ``sites`` then has what each comparison and each assert reads like, by number."""

    def __init__(self, sites, cell):
        self.sites, self.cell, self.number = sites, cell, 0

    def visit_Assert(self, node):
        self.number += 1
        message = node.msg.value if isinstance(node.msg, ast.Constant) else None
        self.asserted = {"cell": self.cell, "assert": self.number, "message": message}
        site = self._site(node.test, {})
        if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node.test)):  # which a lambda would keep to itself
            return node
        test = ast.Lambda(ast.arguments([], [], None, [], [], None, []), self._truth(node.test, True, True, "min"))
        return ast.Expr(self._call("check", ast.Constant(site), test))

    def _site(self, node, more):
        self.sites.append(self.asserted | {"text": " ".join(ast.unparse(node).split())} | more)
        return len(self.sites) - 1

    def _call(self, name, *arguments):
        return ast.Call(ast.Attribute(ast.Name(NAME, ast.Load()), name, ast.Load()), list(arguments), [])

    def _truth(self, node, needed, positive, over):
        """``node`` rewritten, which stands where an assert asks whether it is true.

        ``needed`` is False if the assert may hold all the same where this does not; ``positive`` is False below a
        ``not``; ``over`` says which element of an array decides, the one with the least margin or with the greatest.
        """
        flipped = {"min": "max", "max": "min"}[over]
        if isinstance(node, ast.BoolOp):
            either = isinstance(node.op, ast.Or) == positive
            last = len(node.values) - 1
            values = [
                self._truth(value, needed and (not either or place == last), positive, over)
                for place, value in enumerate(node.values)
            ]
            return ast.BoolOp(node.op, values)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            return ast.UnaryOp(node.op, self._truth(node.operand, needed, not positive, flipped))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            needed = needed and isinstance(node.op, ast.BitAnd) == positive
            sides = (self._truth(side, needed, positive, over) for side in (node.left, node.right))
            left, right = sides
            return ast.BinOp(left, node.op, right)
        if isinstance(node, ast.IfExp):
            body, other = (self._truth(side, needed, positive, over) for side in (node.body, node.orelse))
            return ast.IfExp(node.test, body, other)
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            made = copy.copy(node)
            made.elt = self._truth(node.elt, needed and (over == "min") == positive, positive, over)
            return made
        if isinstance(node, ast.Compare) and all(type(sign) in _SIGNS for sign in node.ops):
            more = {"signs": [_SIGNS[type(sign)] for sign in node.ops], "kind": "bound"}
            more |= {"needed": needed and (positive or len(node.ops) == 1), "positive": positive, "over": over}
            more["sides"] = [" ".join(ast.unparse(side).split()) for side in (node.left, *node.comparators)]
            rest = [ast.Lambda(ast.arguments([], [], None, [], [], None, []), side) for side in node.comparators]
            return self._call("compare", ast.Constant(self._site(node, more)), node.left, *rest)
        if isinstance(node, ast.Call):
            return self._called(node, needed, positive, over)
        return node

    def _called(self, node, needed, positive, over):
        name, made = ast.unparse(node.func), copy.copy(node)
        if name in _CLOSE and len(node.args) >= 2 and not any(isinstance(side, ast.Starred) for side in node.args):
            over = "min" if name == "np.allclose" else over
            more = {"kind": "close", "needed": needed, "positive": positive, "over": over, "signs": ["≈"]}
            more["sides"] = [" ".join(ast.unparse(side).split()) for side in node.args[:2]]
            made.func, made.args = self._call("close", ast.Constant(self._site(node, more)), node.func), node.args
            return made
        if name in (*_ALL, *_ANY) and node.args:
            over = "min" if name in _ALL else "max"
            made.args = [self._truth(node.args[0], needed, positive, over), *node.args[1:]]
        elif name in ("bool", "np.bool_") and len(node.args) == 1:
            made.args = [self._truth(node.args[0], needed, positive, over)]
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ("all", "any"):
            over = "min" if node.func.attr == "all" else "max"
            made.func = copy.copy(node.func)
            made.func.value = self._truth(node.func.value, needed, positive, over)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "between" and len(node.args) == 2:
            middle, (lower, upper) = node.func.value, node.args
            more = {"kind": "bound", "needed": needed, "positive": positive, "over": over, "signs": ["<=", "<="]}
            more["sides"] = [" ".join(ast.unparse(side).split()) for side in (lower, middle, upper)]
            return self._call("between", ast.Constant(self._site(node, more)), middle, lower, upper)
        return made


def instrumented(notebook):
    """A copy of ``notebook`` whose check cells record what they compare, and the list of what they compare.

    Each entry of the list is a dict: of an assert ``cell`` (its id), ``assert`` (which one in the cell), ``message``,
    ``text``; of a comparison also ``sides`` and ``signs``, ``kind`` ("bound" or "close") and whether it is ``needed``.
    """
    made, sites = copy.deepcopy(notebook), []
    for cell in made.cells:
        if cell.cell_type == "code" and "check" in cell.metadata.get("tags", []):
            tree = _Rewriter(sites, cell.id).visit(ast.parse(cell.source))
            cell.source = ast.unparse(ast.fix_missing_locations(tree))
    return made, sites


# From here on: in the chapter's kernel.

_sites, _file, _seen = [], None, {}


def begin(path, sites):
    """Write to the file at ``path`` from now on; ``sites`` is what ``instrumented`` listed."""
    global _file
    _sites[:] = sites
    _seen.clear()
    if _file is not None:
        _file.close()
    _file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (until the kernel ends)


def check(site, test):
    """In the place of an assert: write down that ``test`` failed or raised, and go on."""
    try:
        if test():
            return
        failed = "is false"
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
    _write({"site": site, "failed": failed})


def compare(site, left, *rest):
    """``left < rest[0]() < …`` as Python has it, written down."""
    for place, (sign, later) in enumerate(zip(_sites[site]["signs"], rest, strict=True)):
        right = later()
        result = OPERATORS[sign](left, right)
        _note(site, place, sign, left, right)
        if place == len(rest) - 1 or not result:
            return result
        left = right


def between(site, middle, lower, upper):
    """``middle.between(lower, upper)``, written down."""
    _note(site, 0, "<=", lower, middle)
    _note(site, 1, "<=", middle, upper)
    return middle.between(lower, upper)


def close(site, function):
    """``function``, one of _CLOSE, which writes down what it is given."""

    def called(left, right, *arguments, **options):
        import numpy as np

        given = dict(zip(("rtol", "atol"), arguments, strict=False)) | options
        try:
            if function is math.isclose:
                scale = max(abs(left), abs(right))
                room = max(given.get("rel_tol", 1e-9) * scale, given.get("abs_tol", 0.0))
            else:
                room = given.get("atol", 1e-8) + given.get("rtol", 1e-5) * np.abs(_floats(right))
            apart = np.abs(_floats(left) - _floats(right))
            with np.errstate(invalid="ignore"):
                margins = np.where(np.asarray(left) == np.asarray(right), room, room - apart)
            _record(site, 0, left, right, margins, float(np.min(room)) if np.size(room) else None)
        except Exception:  # what no number can be made of is compared all the same
            pass
        return function(left, right, *arguments, **options)

    return called


def _note(site, place, sign, left, right):
    """Record one link of a chain, if its sides are numbers; an equation has values and no margin."""
    import numpy as np

    if sign != "==" and any(isinstance(side, list | tuple | str | set) for side in (left, right)):
        return
    try:
        margins = None
        if sign != "==":
            greater, less = (right, left) if sign[0] == "<" else (left, right)
            whole = all(np.asarray(side).dtype.kind in "iub" for side in (greater, less))
            greater, less = (int(each) if isinstance(each, bool | np.bool_) else each for each in (greater, less))
            with np.errstate(invalid="ignore"):
                margins = np.asarray(greater - less, "float64")
            if whole:  # 3 < 4 fails from 4 < 4 on, half-way between them
                margins = margins + (0.5 if sign.endswith("=") else -0.5)
        _record(site, place, left, right, margins, None)
    except Exception:  # what no number can be made of is compared all the same
        pass


def _record(site, place, left, right, margins, room):
    import numpy as np

    entry = {"site": site, "place": place, "left": _numbers(left), "right": _numbers(right)}
    if entry["left"] is None or entry["right"] is None:
        return
    if margins is not None and np.size(margins):
        kind = _sites[site]
        margin = float(getattr(np, kind["over"])(margins)) * (1 if kind["positive"] else -1)
        entry["margin"] = margin if math.isfinite(margin) else None
        if room is not None:
            entry["room"] = room
    seen = _seen.setdefault((site, place), [0, math.inf])
    nearer = entry.get("margin") is not None and entry["margin"] < seen[1]
    if seen[0] < MANY or nearer:
        _write(entry)
    seen[0] += 1
    seen[1] = min(seen[1], entry["margin"]) if nearer else seen[1]


def _floats(side):
    import numpy as np

    values = np.asarray(side)
    return values if values.dtype.kind == "c" else values.astype("float64")


def _numbers(side):
    """``side`` as JSON can have it: a number, a short list of them, or their least, mean and greatest; or None."""
    import numpy as np

    values = np.asarray(side)
    values = np.abs(values) if values.dtype.kind == "c" else values
    if values.dtype.kind not in "iubf" or values.size == 0:
        return None
    values = values.astype("float64")
    if values.ndim == 0:
        return float(values)
    if values.size <= SHOWN:
        return [float(value) for value in values.ravel()]
    with np.errstate(all="ignore"):
        return [float(values.min()), float(values.mean()), float(values.max())]


def _write(entry):
    builtins.print(json.dumps(entry), file=_file, flush=True)
