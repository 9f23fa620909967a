"""Mutants of the rules: each takes one guard away, and some scenario must notice.

A mutant is made in place: the function keeps its identity and gets other code, so whoever holds it runs the mutant.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from types import CodeType, FunctionType, ModuleType


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """Return the module's own functions, and the methods and properties of its classes."""
    for value in vars(module).values():
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            yield value
        if inspect.isclass(value) and value.__module__ == module.__name__:
            members = (getattr(m, "fget", None) or getattr(m, "func", m) for m in vars(value).values())
            yield from (m for m in members if inspect.isfunction(m) and m.__code__.co_filename == module.__file__)


def mutants(function: FunctionType) -> Iterator[tuple[str, CodeType]]:
    """Return every way to take one guard from the function: where it is and what it says, and the code without it."""
    module = inspect.getmodule(function)
    assert module is not None
    tree = ast.parse(inspect.getsource(module))
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and _is(n, function))
    for place, node in enumerate(ast.walk(found)):
        for number, guard in enumerate(_guards(node)):
            twin = deepcopy(found)
            mutant = list(ast.walk(twin))[place]
            _take(mutant, number)
            twin.decorator_list = []
            what = "at the edge of" if isinstance(node, ast.Compare) else "without"
            where = f"{module.__name__}:{guard.lineno} {function.__name__} {what} `{ast.unparse(guard)}`"
            yield where, _code(twin, function)


def _is(node: ast.FunctionDef, function: FunctionType) -> bool:
    first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    return node.name == function.__name__ and first == function.__code__.co_firstlineno


def _guards(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BoolOp(values=guards) | ast.comprehension(ifs=guards):
            return guards
        case ast.If(test=guard) | ast.IfExp(test=guard) | ast.match_case(guard=ast.expr() as guard):
            return [guard]
        case ast.Compare(ops=[edge]) if type(edge) in _EDGES:
            return [node]
    return []


def _take(node: ast.AST, number: int) -> None:
    match node:
        case ast.BoolOp():
            node.values[number] = ast.Constant(value=isinstance(node.op, ast.And))
        case ast.comprehension():
            del node.ifs[number]
        case ast.match_case():
            node.guard = None
        case ast.If() | ast.IfExp():
            node.test = ast.Constant(value=False)
        case ast.Compare():
            node.ops[0] = _EDGES[type(node.ops[0])]()


_EDGES: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
"""Of a comparison, its edge is taken: `<` and `<=` differ in one instant."""


def _code(node: ast.FunctionDef, function: FunctionType) -> CodeType:
    names: dict[str, FunctionType] = {}
    module = ast.fix_missing_locations(ast.Module([node], []))
    # Annotations stay unevaluated: `compile` takes this module's __future__ over.
    exec(compile(module, function.__code__.co_filename, "exec"), function.__globals__, names)
    return names[node.name].__code__


@contextmanager
def mutated(function: FunctionType, code: CodeType) -> Iterator[None]:
    """Run the function with other code."""
    kept = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = kept
