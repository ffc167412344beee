"""Small faults to plant in a module, made from its syntax tree: what `mutation.py` counts.

Comparisons are turned, `and` and `or` swapped, conditions negated, constants moved or emptied, returns, statements,
arguments and filters dropped, operators swapped. What only people read (docstrings, messages, tables of words) and
what only the type checker reads is left alone.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


class Mutant(NamedTuple):
    """One fault that can be planted: the how-manieth node of the tree, and which change of it."""

    line: int
    what: str
    text: str  # the line as it stands in the file
    node: int
    choice: int
    function: str  # the outermost function that it is in, by qualified name; "" for what an import works out
    lines: tuple[int, int]  # of the statement: a test that runs none of them cannot notice


def mutants(source: str) -> list[Mutant]:
    """Every fault this script knows how to plant, in the order of the file."""
    lines = source.splitlines()
    tree = ast.parse(source)
    places = dict(_places(tree, "", "", (0, 0)))
    found, seen = [], Counter[tuple[int, str]]()
    for number, node in enumerate(_nodes(tree)):
        for choice, what in enumerate(_choices(node)):
            line = _line_of(node)
            function, span = places[id(node)]
            seen[line, what] += 1
            if seen[line, what] > 1:
                what += f" ({seen[line, what]})"
            found.append(
                Mutant(line, what, lines[line - 1].strip(), number, choice, function, span)
            )
    return sorted(found, key=lambda m: m.line)


def _line_of(node: ast.AST) -> int:
    placed = node.target if isinstance(node, ast.comprehension) else node
    return int(getattr(placed, "lineno", 1))


def _places(
    node: ast.AST, function: str, scope: str, span: tuple[int, int]
) -> Iterator[tuple[int, tuple[str, tuple[int, int]]]]:
    """For every node: the outermost function whose running reaches it, and the lines of its statement."""
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None) or getattr(node, "cases", None)
        span = (node.lineno, node.end_lineno or node.lineno)
        if body:  # its head: the rest are statements of their own
            head = [n for n in ast.iter_child_nodes(node) if n not in body and hasattr(n, "lineno")]
            heads = [getattr(n, "end_lineno", 0) for n in head if not isinstance(n, ast.stmt)]
            span = (node.lineno, max([node.lineno, *heads]))
    yield id(node), (function, span)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        name = scope + node.name
        for child in ast.iter_child_nodes(node):
            inside = any(child is one for one in node.body)
            yield from _places(child, function or (name if inside else ""), "", span)
    elif isinstance(node, ast.ClassDef):
        for child in ast.iter_child_nodes(node):
            yield from _places(child, function, f"{scope}{node.name}.", span)
    elif isinstance(node, ast.match_case):
        for child in ast.iter_child_nodes(node):
            end = getattr(child, "end_lineno", span[1])
            yield from _places(child, function, scope, (span[0], max(span[1], end)))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _places(child, function, scope, span)


def plant(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with that fault."""
    tree = ast.parse(source)
    _apply(tree, _nodes(tree)[mutant.node], mutant.choice)
    return ast.fix_missing_locations(tree)


def _nodes(tree: ast.Module) -> list[ast.AST]:
    skipped = _skipped(tree)
    return [node for node in ast.walk(tree) if id(node) not in skipped]


def _skipped(tree: ast.Module) -> set[int]:
    """Docstrings, annotations, type-checking blocks, and the words of messages: no behaviour to test."""
    out: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            out.update(id(n) for n in ast.walk(node))

    tables = [
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "dict[str, str]"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skip(node)  # a docstring
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skip(node.returns)
            for one in node.decorator_list:
                skip(one)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            skip(node.annotation)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skip(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                skip(argument)  # what the sentence says; that it is raised is tested
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
            skip(node)
        elif isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                skip(keyword)  # frozen, kw_only: the type checker's
        elif isinstance(node, ast.Dict) and node in tables:
            for value in node.values:
                skip(value)  # words for people
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "self._fail":
            skip(node.args[0])  # what the sentence says, and the next step
            skip(node.args[1])
        elif isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ):
            skip(node)
    return out


def _choices(node: ast.AST) -> list[str]:  # one entry for every change `_apply` can make
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            name = type(op).__name__
            return [f"{name} becomes {to.__name__}" for to in _COMPARE[type(op)]]
        case ast.BoolOp():
            swapped = "or" if isinstance(node.op, ast.And) else "and"
            return [
                f"all joined by {swapped}",
                *(f"part {n + 1} dropped" for n in range(len(node.values))),
            ]
        case ast.UnaryOp(op=ast.Not()):
            return ["not dropped"]
        case ast.BinOp() if type(node.op) in _BINARY:
            return [f"{type(node.op).__name__} becomes {_BINARY[type(node.op)].__name__}"]
        case ast.Constant(value=bool()):
            return ["turned over"]
        case ast.Constant(value=int() | float()):
            return ["one more", "one less"]
        case ast.Constant(value=str() | bytes()) if node.value:
            return ["emptied"]
        case ast.If() | ast.While() | ast.IfExp():
            return ["condition turned over"]
        case ast.Return() if node.value is not None and not _is_none(node.value):
            return ["returns None"]
        case ast.Call() if len(node.args) + len(node.keywords) > 1:
            count = len(node.args) + len(node.keywords)
            return [f"argument {n + 1} dropped" for n in range(count)]
        case ast.Expr(value=ast.Call() | ast.Await()):
            return ["statement dropped"]
        case ast.AugAssign() | ast.Raise() | ast.Delete():
            return ["statement dropped"]
        case ast.Assign() if not isinstance(node.targets[0], ast.Name):
            return ["statement dropped"]
        case ast.Break() | ast.Continue():
            return ["statement dropped"]
        case ast.comprehension() if node.ifs:
            return ["filter dropped"]
    return []


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _apply(tree: ast.Module, node: ast.AST, choice: int) -> None:
    match node:
        case ast.Compare():
            node.ops = [_COMPARE[type(node.ops[0])][choice]()]
        case ast.BoolOp():
            if choice == 0:
                node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            else:
                del node.values[choice - 1]
                if len(node.values) == 1:
                    _replace(tree, node, node.values[0])
        case ast.UnaryOp():
            _replace(tree, node, node.operand)
        case ast.BinOp():
            node.op = _BINARY[type(node.op)]()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float() as number):
            node.value = number + (1 if choice == 0 else -1)
        case ast.Constant():
            node.value = "" if isinstance(node.value, str) else b""
        case ast.If() | ast.While() | ast.IfExp():
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        case ast.Return():
            node.value = ast.Constant(value=None)
        case ast.Call():
            if choice < len(node.args):
                del node.args[choice]
            else:
                del node.keywords[choice - len(node.args)]
        case ast.comprehension():
            node.ifs = []
        case _:
            _replace(tree, node, ast.Pass())


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(one is old for one in value):
                setattr(parent, name, [new if one is old else one for one in value])
                return
