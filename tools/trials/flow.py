"""Which later cells of a notebook a change in one statement can reach, by the names that statements read and write.

It leans to the safe side: a name is written where it, or anything in it, is assigned, where a method of it is called
that is not known to change nothing, and where it is handed to a function that may change it. What a function does, by
names of the notebook, is done by whoever names the function. An object that is called, such as a network, is thought
to change itself alone. Objects with two names are not followed; whoever runs the cells sees what has become of them.
"""

import ast
import builtins
import dataclasses

from tools.trials.mutations import called, root

RANDOM = "<the global random state>"
MODULES = {"np", "tf", "pd", "math", "itertools", "functools", "time", "statistics"}
MODULES |= {"data", "findings", "live", "plotting"}
PURE = {
    "mean",
    "sum",
    "min",
    "max",
    "std",
    "var",
    "round",
    "any",
    "all",
    "argmin",
    "argmax",
    "argsort",
    "cumsum",
    "dot",
}
PURE |= {"reshape", "astype", "copy", "ravel", "flatten", "transpose", "tolist", "numpy", "item", "clip", "take"}
PURE |= {"repeat", "squeeze", "items", "keys", "values", "get", "index", "count", "join", "format", "split", "strip"}
PURE |= {"startswith", "endswith", "upper", "lower", "get_weights", "count_params", "to_numpy", "head", "describe"}
CHANGING_BUILTINS = {"next", "setattr", "delattr", "exec", "eval"}
UNSEEDED = {"normal", "uniform", "shuffle", "permutation", "randint", "rand", "randn", "choice", "random", "seed"}
SETTING = {"set_random_seed", "set_seed"}


@dataclasses.dataclass
class Facts:
    """What a statement, or a function when it is called, does with the names of the notebook."""

    reads: set
    writes: set
    kills: set  # names that it gives a new value, whatever they were


def _bound(node):
    """Names that are bound anywhere in ``node``, a function, to themselves: its parameters and local variables."""
    names = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    names |= {each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef) and each is not node}
    for each in ast.walk(node):
        if isinstance(each, ast.Global | ast.Nonlocal):
            names -= set(each.names)
    return names


def _reads(node):
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    return names | {root(each.target) for each in ast.walk(node) if isinstance(each, ast.AugAssign)}


def _chain(node):
    """The parts of a dotted name: ``["np", "random", "normal"]``."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts, node = [node.attr, *parts], node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else parts


class Flow:
    """The statements of all cells; ``sources`` are the cells' texts, in order, of code cells only."""

    def __init__(self, sources):
        self.cells = [ast.parse(source).body for source in sources]
        self.functions = {}  # name: the facts of calling it
        self.changes = set()  # functions that may change what they are given
        definitions = [s for body in self.cells for s in body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
        self.names = {definition.name for definition in definitions}
        while True:  # until nothing new is found: functions hand on what they are given
            before = len(self.changes)
            for definition in definitions:
                inside = {arg.arg for arg in ast.walk(definition) if isinstance(arg, ast.arg)}
                if self._written(definition) & inside:
                    self.changes.add(definition.name)
            if len(self.changes) == before:
                break
        for definition in definitions:
            facts = self._direct(definition, _bound(definition))
            if definition.name in self.functions:  # defined twice: either may be meant
                facts.reads |= self.functions[definition.name].reads
                facts.writes |= self.functions[definition.name].writes
            self.functions[definition.name] = facts
        self.facts = [[self._statement(statement) for statement in body] for body in self.cells]

    def _written(self, node):
        """Names that are changed in ``node``: not by being bound anew, but in what they hold."""
        names = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute | ast.Subscript) and not isinstance(each.ctx, ast.Load):
                names.add(root(each))
            elif isinstance(each, ast.AugAssign):
                names.add(root(each.target))
            elif isinstance(each, ast.Call):
                names |= self._changed_by(each)
        return names - {None}

    def _changed_by(self, call):
        name, base = called(call), root(call.func)
        given = {root(argument) for argument in [*call.args, *(keyword.value for keyword in call.keywords)]}
        if base in MODULES:
            return set()
        if isinstance(call.func, ast.Name):
            if hasattr(builtins, name) and name not in CHANGING_BUILTINS:
                return set()
            if name in self.names:
                return given if name in self.changes else set()
            return {name} | (given if name in CHANGING_BUILTINS else set())
        if isinstance(call.func, ast.Attribute) and name in PURE:
            return set()
        return {base} | given

    def _random(self, node):
        """Whether it uses the global random state, and whether it sets that state first."""
        uses = sets = False
        for each in ast.walk(node):
            if isinstance(each, ast.Call):
                chain = _chain(each.func)
                sets |= bool(chain) and chain[-1] in SETTING
                if len(chain) > 1:
                    uses |= chain[0] == "np" and chain[1] == "random" and chain[-1] in UNSEEDED
                    uses |= chain[:2] == ["tf", "random"] and chain[-1] not in SETTING
                    uses |= chain[0] == "random"
                    uses |= "layers" in chain or (chain[0] == "keras" and chain[-1] in ("Sequential", "Model"))
        return uses, sets

    def _direct(self, node, local=frozenset()):
        uses, sets = self._random(node)
        facts = Facts(_reads(node) - local, self._written(node) - local, set())
        if uses and not sets:
            facts.reads.add(RANDOM)
        if uses or sets:
            facts.writes.add(RANDOM)
        return facts

    def _statement(self, statement):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            # Defining reads only decorators, defaults and bases; but for a class, also what stands in it.
            outer = [*statement.decorator_list]
            outer += statement.args.defaults + statement.args.kw_defaults if hasattr(statement, "args") else []
            outer += statement.bases if isinstance(statement, ast.ClassDef) else []
            facts = Facts(set(), {statement.name}, {statement.name})
            for node in outer:
                if node is not None:
                    facts.reads |= _reads(node)
            return facts
        facts = self._direct(statement)
        stores = {node.id for node in ast.walk(statement) if _is_store(node)}
        facts.writes |= stores
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            facts.kills = stores - facts.reads
        if isinstance(statement, ast.Assign | ast.Expr) and self._random(statement) == (False, True):
            facts.kills.add(RANDOM)
        # Whoever names a function does what it does.
        waiting, seen = list(facts.reads & set(self.functions)), set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                facts.reads |= self.functions[name].reads
                facts.writes |= self.functions[name].writes
                waiting += self.functions[name].reads & set(self.functions)
        return facts

    def number(self, cell, line):
        """Which statement of a cell stands at a line."""
        return max(n for n, statement in enumerate(self.cells[cell]) if _begins(statement) <= line)

    def reached(self, cell, names):
        """The cells behind ``cell`` that differences in ``names``, once it has run, can reach."""
        tainted, touched = set(names), set()
        for later in range(cell + 1, len(self.cells)):
            if self._spread(tainted, self.facts[later]):
                touched.add(later)
        return touched

    def changed_by(self, cell, statement):
        """Names that a change of a statement can give another value before its cell ends."""
        tainted = set(self.facts[cell][statement].writes)
        self._spread(tainted, self.facts[cell][statement + 1 :])
        return tainted

    @staticmethod
    def _spread(tainted, statements):
        """Carry ``tainted``, names that may hold something else, through statements; whether any of them reads one."""
        met = False
        for facts in statements:
            if facts.reads & tainted:
                tainted |= facts.writes
                met = True
            else:
                tainted -= facts.kills
        return met

    def reads(self, cell):
        """The names that a cell reads."""
        return set().union(*(facts.reads for facts in self.facts[cell]))

    def writes(self, cell):
        """The names that a cell writes, or may change."""
        return set().union(*(facts.writes for facts in self.facts[cell]))

    def needed(self, cell, wanted):
        """The cells behind ``cell`` without which those of ``wanted`` cannot run as they should, and these."""
        names, kept = set(), set()
        for later in range(len(self.cells) - 1, cell, -1):
            if later in wanted or self.writes(later) & names:
                kept.add(later)
                names |= self.reads(later)
        return kept


def _begins(statement):
    return min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])


def _is_store(node):
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
