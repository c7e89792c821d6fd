"""Which cells of a notebook a piece of its code leans on.

A cell binds names, uses names, and changes objects that other cells have made. From the code that is asked about one
goes upwards: a cell that binds a name which is wanted from there on is chosen, and so is one that changes such an
object; what the chosen cell uses is wanted above it, and the name that it binds is not, unless it used it itself.
What a function uses is wanted wherever the function is. A generator of random numbers is changed by each use.

That an object is changed under another name, or by a function that it is given to, is not always seen. Whoever must be
sure runs all cells; ``Leaning.data`` says whether that could make a difference.
"""

import ast
import dataclasses
import functools

SHOWING = {"print", "display"}  # what is handed to these is not changed
FITTING = {"fit"}  # the usual name of what changes an object and returns something else
PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.Tuple, ast.Set, ast.Dict)  # what makes no copy
GENERATORS = {"default_rng", "RandomState", "Random"}  # these make what is changed by each use


class _Scope(ast.NodeVisitor):
    """The names that nodes load and store, and those that functions within them find, or put, outside of themselves."""

    def __init__(self, *nodes):
        self.loads, self.stores, self.within, self.declared, self.put = set(), set(), set(), set(), set()
        for node in nodes:
            self.visit(node)

    def visit_Name(self, node):
        (self.loads if isinstance(node.ctx, ast.Load) else self.stores).add(node.id)

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self.loads.add(node.target.id)

    def visit_alias(self, node):
        self.stores.add((node.asname or node.name).partition(".")[0])

    def visit_Global(self, node):
        self.declared.update(node.names)

    def _named(self, node):
        if node.name:
            self.stores.add(node.name)
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = _named

    def visit_MatchMapping(self, node):
        if node.rest:
            self.stores.add(node.rest)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        self.stores.add(node.name)
        for each in (*node.decorator_list, node.args, *filter(None, [node.returns])):
            self.visit(each)
        self._function(node.args, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node):
        self.visit(node.args)
        self._function(node.args, [node.body])

    def _function(self, arguments, body):
        inner = _Scope(*body)
        local = {each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)}
        local |= inner.stores - inner.declared
        self.within |= (inner.loads | inner.within) - local
        self.put |= inner.put | (inner.stores & inner.declared)

    def visit_ClassDef(self, node):
        self.stores.add(node.name)
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(each)
        inner = _Scope(*node.body)
        self.within |= (inner.loads - inner.stores) | inner.within

    def visit_ListComp(self, node):
        inner = _Scope(*ast.iter_child_nodes(node))
        local = _Scope(*(each.target for each in node.generators)).stores
        self.loads |= inner.loads - local
        self.within |= inner.within - local
        self.stores |= inner.stores - local

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


@dataclasses.dataclass
class Uses:
    """What a cell does with names: see ``uses_of``."""

    needs: set = dataclasses.field(default_factory=set)  # used by what runs at once, before the cell has bound them
    later: set = dataclasses.field(default_factory=set)  # used in functions, whenever they are called
    binds: set = dataclasses.field(default_factory=set)  # bound, perhaps on a condition only
    surely: set = dataclasses.field(default_factory=set)  # bound in any case
    changes: set = dataclasses.field(default_factory=set)  # their objects are changed in place
    modules: set = dataclasses.field(default_factory=set)  # imported
    code: set = dataclasses.field(default_factory=set)  # functions and classes
    random: set = dataclasses.field(default_factory=set)  # generators of random numbers
    within: dict = dataclasses.field(default_factory=dict)  # by bound name: used in the functions that it may stand for
    made_of: dict = dataclasses.field(default_factory=dict)  # by bound name: used at once where it was bound
    parts: dict = dataclasses.field(default_factory=dict)  # by bound name: those of which it is or holds a part
    acts: dict = dataclasses.field(default_factory=dict)  # by function: names outside of it whose objects it changes


def parsed(source):
    """The statements of a cell, those of its magics included; none where Python cannot read it."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        body = ast.parse(TransformerManager().transform_cell(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for statement in body:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(attr="run_line_magic" | "run_cell_magic"), [*_, ast.Constant(code)])):
                found += parsed(code) if code != source else []
            case _:
                found.append(statement)
    return found


@functools.lru_cache(4096)
def uses_of(source):
    """What the cell with this source does with names."""
    uses, statements = Uses(), parsed(source)
    _read(statements, uses.surely, uses)
    uses.changes = _changed(statements)
    return uses


def _read(statements, bound, uses):
    """Add to ``uses`` what ``statements`` do, and to ``bound`` the names that they bind in any case; return it."""

    def take(*nodes):
        scope = _Scope(*nodes)
        uses.needs |= scope.loads - bound
        uses.later |= scope.within
        uses.binds |= scope.stores | scope.put
        for name in scope.stores | scope.put:
            uses.within[name] = uses.within.get(name, set()) | scope.within
            uses.made_of[name] = uses.made_of.get(name, set()) | scope.loads
        return scope.stores

    for node in statements:
        match node:
            case ast.If():
                take(node.test)
                either = [_read(part, set(bound), uses) for part in (node.body, node.orelse)]
                bound |= either[0] & either[1]
            case ast.For() | ast.AsyncFor():
                take(node.iter)
                bound |= take(node.target)
                _read([*node.body, *node.orelse], bound, uses)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    bound |= take(*filter(None, [item.context_expr, item.optional_vars]))
                _read(node.body, bound, uses)
            case ast.While():
                take(node.test)
                _read([*node.body, *node.orelse], set(bound), uses)
            case ast.Try() | ast.TryStar():
                for handler in node.handlers:
                    take(*filter(None, [handler.type]))
                    _read(handler.body, set(bound) | {handler.name}, uses)
                _read([*node.body, *node.orelse, *node.finalbody], bound, uses)
            case ast.Match():
                take(node)
            case ast.Delete():
                take(node)
            case _:
                bound |= take(node)
                if _makes_a_generator(node):
                    uses.random |= take(node)
                if isinstance(node, ast.Assign) and isinstance(node.value, PLAIN):
                    uses.parts |= dict.fromkeys(take(node), _Scope(node.value).loads)
                if isinstance(node, ast.Import | ast.ImportFrom):
                    uses.modules |= take(node)
                    bound -= {each.name.partition(".")[0] for each in node.names if "." in each.name}  # a part alone
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    uses.code.add(node.name)
                    outside, found = _Scope(node).within, _changed(node.body)
                    uses.acts[node.name] = {(owner, name) for owner, name in found if name in outside}
    return bound


def _makes_a_generator(node):
    """Whether ``node`` gives a name to a new generator of random numbers."""
    call = node.value if isinstance(node, ast.Assign) else None
    name = call.func if isinstance(call, ast.Call) else None
    return (name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", None)) in GENERATORS


def _changed(statements):
    """The names of objects that ``statements`` change in place, outside of functions, as far as one can see.

    Each with the name of an owner: it is changed if that is no module. In ``adam.apply(slopes, weights)`` all three are
    changed, in ``training.fit(model, images)`` the model alone.
    """
    found, taken_from, todo = set(), {}, list(statements)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        todo.extend(ast.iter_child_nodes(node))
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                found.add((None, _root(node)))
            case ast.AugAssign(target=ast.Name(name)):
                found.add((None, name))
            case ast.Expr(ast.Call(called, given)) if _root(called) not in SHOWING:
                found |= {(None, _root(each)) for each in given[:1]}
                if isinstance(called, ast.Attribute):
                    owner = _root(called)
                    found |= {(None, owner), *((owner, each.id) for each in given if isinstance(each, ast.Name))}
            case ast.Call(ast.Name(name), [first, *_]) if name in FITTING:
                found.add((None, _root(first)))
            case ast.Call(ast.Attribute(owner, name), given) if name in FITTING:
                found |= {(None, _root(each)) for each in (owner, *given[:1])}
            case ast.For(target, source) | ast.comprehension(target, source):
                for name in _Scope(target).stores:  # what is done to it is done to a part of these
                    taken_from.setdefault(name, set()).update(_Scope(source).loads)
    found |= {(owner, part) for owner, name in found for part in taken_from.get(name, ())}
    return {(owner, name) for owner, name in found if name}


def _root(node):
    """The name that an expression like ``name.part[0](1).other`` begins with, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


@dataclasses.dataclass
class Leaning:
    """What ``lean`` found."""

    chosen: list  # places of cells, in their order
    missing: set  # names that nothing above binds
    data: bool  # whether among what it leans on there are values, and not only functions and classes


def lean(cells, ends, *, there=frozenset()):
    """Which of ``cells`` the last ones lean on.

    Parameters
    ----------
    cells : list of Uses
        In the order in which they would be run.
    ends : dict of int to set
        The places of those that are run in any case, each with the names that are not wanted above it.
    there : set
        Names that are there without any cell, and modules.
    """
    modules = set(there).union(*(uses.modules for uses in cells))
    code = set().union(*(uses.code for uses in cells))
    random = set().union(*(uses.random for uses in cells))
    behind, parts, acts = {}, {}, {}
    for uses in cells:
        for name in uses.within:
            used = uses.within[name] | (uses.made_of[name] & code)
            behind[name] = behind.get(name, set()) | used - {name}
        for total, each in ((parts, uses.parts), (acts, uses.acts)):
            for name in each:
                total[name] = total.get(name, set()) | each[name]

    def closed(names, more):
        """``names``, with what ``more`` has for each of them, and for those, and so on."""
        found, todo = set(names), list(names)
        while todo:
            new = more.get(todo.pop(), set()) - found
            found |= new
            todo.extend(new)
        return found

    def changed(uses):
        """The names whose objects a cell changes."""
        called = closed(uses.needs, behind)
        pairs = uses.changes.union(*(acts[name] for name in called & acts.keys()))
        found = {name for owner, name in pairs if owner not in modules} | called & random
        return (found | (closed(found, parts) - code)) - modules

    named = modules.union(*(uses.binds for uses in cells))
    live, seen, chosen = set(), set(), []
    for place in reversed(range(len(cells))):
        uses = cells[place]
        if place in ends or uses.binds & live or changed(uses) & live or ("*" in uses.binds and live - named):
            chosen.insert(0, place)
            live -= uses.surely
            live |= closed(uses.later, behind) - uses.surely
            live |= closed(uses.needs, behind)
            live -= ends.get(place, set())
            seen |= live
    values = set().union(*(cells[place].binds for place in chosen if place not in ends)) - code - modules
    return Leaning(chosen, live - modules, bool(values & seen))
