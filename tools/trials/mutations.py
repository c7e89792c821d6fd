"""Small changes to a piece of Python, one at a time: an operator, a comparison, a number, an argument left out, …

``mutations(source)`` lists them. Each is a change of a few characters in the source as it stands, so that it can be
shown as a difference of a line or two; nothing is parsed and printed anew. What only shows something (a ``print``, a
drawing, the last expression of a cell), strings, seeds and times are left alone.
"""

import ast
import dataclasses
import io
import itertools
import tokenize

ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.MatMult: ("@", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
COMPARISONS = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.In: ("in", ("not in",)),
}
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)  # whose operands cannot change places

# Keywords that say how something is shown or drawn at random, and nothing about what is computed.
UNTOUCHED_KEYWORDS = {"seed", "verbose", "strict", "name", "label", "labels", "alt"}
SEEDING = {"default_rng", "set_random_seed", "seed", "SeedGenerator"}
DRAWING = {"plt", "plotting", "live", "ax", "axes", "figure", "fig"}
# Taken out, these raise at once or change nothing; neither asks anything of a check.
KEPT_CALLS = {"range", "zip", "enumerate", "len", "isinstance", "list", "tuple", "dict", "iter", "next", "type"}
KEPT_CALLS |= {"float", "int", "str", "bool", "round", "super", "getattr", "map", "filter"}
# Methods that are called for what they do, also where they stand last in a cell.
ACTING = {"append", "extend", "update", "add", "pop", "fit", "compile", "assign", "assign_add", "assign_sub"}
ACTING |= {"set_weights", "apply", "apply_gradients", "backward", "build", "sort", "setdefault", "shuffle"}


@dataclasses.dataclass(frozen=True)
class Mutation:
    """The characters from ``start`` to ``end`` of a source, and what takes their place; ``kind`` says it in words."""

    start: int
    end: int
    text: str
    kind: str

    def applied(self, source):
        """``source`` with the change in it."""
        return source[: self.start] + self.text + source[self.end :]

    def lines(self, source):
        """The lines that change, before and after, without the indentation."""
        first = source.rfind("\n", 0, self.start) + 1
        last = source.find("\n", self.end)
        last = len(source) if last < 0 else last
        new = source[first : self.start] + self.text + source[self.end : last]
        return source[first:last].strip(), new.strip()

    def line(self, source):
        """The number of the first line that changes, from 1."""
        return source.count("\n", 0, self.start) + 1


def mutations(source, definitions=()):
    """The changes that can be made to ``source``, in the order in which they stand there.

    ``definitions`` are the functions, as ``ast.FunctionDef``, that it may call. Where the last line calls one that
    gives nothing back, it is no question to the program but does something, and is changed like all else; and an
    argument is not left out where Python itself would complain.
    """
    found = _Finder(source, definitions)
    found.body(ast.parse(source).body, top=True)
    made = {}
    for mutation in sorted(found.mutations, key=lambda each: (each.start, each.end)):
        changed = mutation.applied(source)
        if changed not in made and _differs(source, changed):
            made[changed] = mutation
    return list(made.values())


def _differs(source, changed):
    try:
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def root(node):
    """The name that ``a.b[c].d(e)`` begins with, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def called(node):
    """The last part of a called name: ``default_rng`` in ``np.random.default_rng(1)``."""
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def draws(statement):
    """Whether a statement, or a function that it defines, draws."""
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
    return bool(names & DRAWING)


def shows(statement, effects):
    """Whether an expression that ends a cell is there to be seen, not for what it does."""
    value = statement.value
    if not isinstance(value, ast.Call):
        return True
    return not (called(value) in ACTING and isinstance(value.func, ast.Attribute)) and called(value) not in effects


class Source:
    """A text of Python, and where the parts of its tree stand in it."""

    def __init__(self, source):
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def offset(self, line, column):
        """From a line and a column in bytes to a place in the source."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node):
        """Where ``node`` begins and ends."""
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def text(self, node):
        """What stands there."""
        start, end = self.span(node)
        return self.source[start:end]


class _Finder(Source):
    def __init__(self, source, definitions):
        super().__init__(source)
        self.mutations = []
        self.required = {}  # positional arguments that a function of the notebook cannot do without
        self.effects = set()  # functions of the notebook that give nothing back
        for definition in definitions:
            arguments = definition.args
            required = [*arguments.posonlyargs, *arguments.args][: -len(arguments.defaults) or None]
            self.required[definition.name] = {argument.arg for argument in required}
            if not any(isinstance(node, ast.Return | ast.Yield) and node.value for node in ast.walk(definition)):
                self.effects.add(definition.name)
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        self.tokens = [(self.starts[t.start[0] - 1] + t.start[1], t.string) for t in tokens]

    # Places

    def operand(self, node):
        """The text of ``node`` as it can stand at another place."""
        text = self.text(node)
        simple = ast.Name | ast.Constant | ast.Attribute | ast.Subscript | ast.Call | ast.List | ast.Dict | ast.ListComp
        return text if isinstance(node, simple) else f"({text})"

    def token(self, string, start, end):
        """Where ``string`` stands as a token between two places."""
        return next((at for at, found in self.tokens if start <= at < end and found == string), None)

    def change(self, start, end, text, kind):
        self.mutations.append(Mutation(start, end, text, kind))

    def replace(self, node, text, kind):
        self.change(*self.span(node), text, kind)

    # Walks

    def body(self, statements, top=False):
        for number, statement in enumerate(statements):
            last = top and number == len(statements) - 1
            if isinstance(statement, ast.Import | ast.ImportFrom | ast.Assert | ast.Raise | ast.Global | ast.Nonlocal):
                continue
            if top and draws(statement):
                continue
            if isinstance(statement, ast.Expr):
                value = statement.value
                if isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and called(value) == "print"):
                    continue
                if last and shows(statement, self.effects):
                    continue
                if isinstance(value, ast.Call) and not self._untouched(value):
                    self.replace(statement, "pass", "a call taken out")
            if any(isinstance(n, ast.Attribute) and n.attr == "perf_counter" for n in ast.walk(statement)) and not (
                isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.For | ast.With)
            ):
                continue
            self.visit(statement)

    def visit(self, node):
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None or method(node) is not False:
            self.children(node)

    def children(self, node):
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                self.body(value)
            elif name in ("annotation", "returns", "type_params", "decorator_list"):
                continue
            elif isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        self.visit(each)

    def visit_JoinedStr(self, node):
        return False

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self.replace(node, str(not value), "True and False")
        elif isinstance(value, int):
            self.replace(node, self._like(node, value + 1), "a number")
        elif isinstance(value, float):
            self.replace(node, repr(2 * value) if value else "1.0", "a number")

    def _like(self, node, value):
        return f"{value:_}" if "_" in self.text(node) else str(value)

    def visit_BinOp(self, node):
        if self._is_text(node.left) or self._is_text(node.right):
            return
        old, new = ARITHMETIC[type(node.op)]
        at = self.token(old, self.span(node.left)[1], self.span(node.right)[0])
        self.change(at, at + len(old), new, "an operator")
        if isinstance(node.op, ORDERED) and self.text(node.left) != self.text(node.right):
            self._swap(node.left, node.right, self.operand, "operands swapped")

    @staticmethod
    def _is_text(node):
        return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))

    def _swap(self, first, second, text, kind):
        (start, middle), (after, end) = self.span(first), self.span(second)
        if text(first) != text(second):
            self.change(start, end, text(second) + self.source[middle:after] + text(first), kind)

    def visit_AugAssign(self, node):
        old, new = ARITHMETIC[type(node.op)]
        start, end = self.span(node.target)[1], self.span(node.value)[0]
        at = self.token(old + "=", start, end)
        self.change(at, at + len(old) + 1, new + "=", "an operator")
        self.change(at, at + len(old) + 1, "=", "not accumulated")

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            start, end = self.span(left)[1], self.span(right)[0]
            if isinstance(operator, ast.IsNot | ast.NotIn):
                word = "is" if isinstance(operator, ast.IsNot) else "in"
                self.change(start, end, f" {word} ", "a comparison")
                continue
            old, news = COMPARISONS[type(operator)]
            at = self.token(old, start, end)
            for new in news:
                self.change(at, at + len(old), new, "a comparison")

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            at = self.token(old, self.span(left)[1], self.span(right)[0])
            self.change(at, at + len(old), new, "and and or")

    def visit_UnaryOp(self, node):
        kind = "not" if isinstance(node.op, ast.Not) else "a sign"
        self.change(self.span(node)[0], self.span(node.operand)[0], "", kind)

    def _condition(self, node):
        if not isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            self.replace(node, f"not {self.operand(node)}", "not")

    def visit_If(self, node):
        self._condition(node.test)

    visit_While = visit_IfExp = visit_If

    def visit_comprehension(self, node):
        for test in node.ifs:
            self._condition(test)

    def visit_Return(self, node):
        signed = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
        if isinstance(node.value, signed) and not self._untouched(node.value):
            self.replace(node.value, f"-{self.operand(node.value)}", "a sign")

    def visit_Break(self, node):
        self.replace(node, "continue", "break and continue")

    def visit_Continue(self, node):
        self.replace(node, "break", "break and continue")

    def visit_Tuple(self, node):
        if isinstance(node.ctx, ast.Load):
            self._neighbours(node.elts)

    visit_List = visit_Tuple

    def _neighbours(self, nodes):
        for left, right in itertools.pairwise(nodes):
            if (
                not isinstance(left, ast.Starred)
                and not isinstance(right, ast.Starred)
                and not (self._is_text(left) and self._is_text(right))
            ):
                self._swap(left, right, self.text, "names swapped")

    def visit_Slice(self, node):
        for bound in (node.lower, node.upper):
            number = bound.operand if isinstance(bound, ast.UnaryOp) else bound
            if bound is not None and not isinstance(number, ast.Constant):
                self.replace(bound, f"{self.operand(bound)} + 1", "a slice moved")

    def _untouched(self, node):
        return isinstance(node, ast.Call) and called(node) in SEEDING | {"print"}

    def visit_keyword(self, node):
        return node.arg not in UNTOUCHED_KEYWORDS

    def visit_Call(self, node):
        if self._untouched(node):
            return False
        name = called(node)
        self._neighbours(node.args)
        arguments = sorted([*node.args, *node.keywords], key=self.span)
        if len(arguments) > 1 or node.keywords or (isinstance(node.func, ast.Attribute) and not self._of_module(node)):
            for argument in arguments:
                self._drop(node, arguments, argument)
        if name in KEPT_CALLS:
            return None
        if isinstance(node.func, ast.Attribute) and not self._of_module(node):
            self.change(self.span(node.func.value)[1], self.span(node)[1], "", "a call taken out")
        elif node.args and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
            self.replace(node, self.operand(node.args[0]), "a call taken out")
        return None

    def _of_module(self, node):
        return root(node) in MODULES

    def _drop(self, call, arguments, argument):
        """Leave an argument out, with the comma after it, or before it if it is the last."""
        if isinstance(argument, ast.keyword) and argument.arg in UNTOUCHED_KEYWORDS:
            return
        if isinstance(argument, ast.GeneratorExp) and len(arguments) == 1:
            return
        required = self.required.get(getattr(call.func, "id", None), set())
        positional = [each for each in call.args if each is not argument]
        named = {each.arg for each in call.keywords if each is not argument}
        if len(positional) < len(required - named) and not any(isinstance(each, ast.Starred) for each in positional):
            return
        number = arguments.index(argument)
        start, end = self.span(argument)
        if number + 1 < len(arguments):
            end = self.span(arguments[number + 1])[0]
            if self.token("(", self.span(argument)[1], end) is not None:  # of an argument in brackets
                return
        elif number:
            before = self.span(arguments[number - 1])[1]
            comma = self.token(",", before, start)
            start = comma if self.token(")", before, comma) is None else start
        self.change(start, end, "", "an argument left out")


MODULES = {"np", "tf", "keras", "pd", "itertools", "functools", "math", "time", "data", "training", "statistics"}
