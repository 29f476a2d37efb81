"""What the code of one module means, name by name: its definitions, what each of them uses, and what importing it does.

Comments, layout and docstrings are no part of it, nor are annotations that no code reads, so an edit of prose is no
edit of code. :mod:`trustlab.closure` follows the names from module to module.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

Dotted = tuple[str, ...]  # ("np", "random", "default_rng"): a name and the attributes taken from it
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# Of no consequence: how a name is used follows from its place, and what else is here is for other tools.
UNREAD = {"ctx", "kind", "type_comment", "type_ignores"}


@dataclass(frozen=True)
class Target:
    """What an import binds: a module, or the name `name` in it."""

    module: str
    name: str = ""


Imports = Mapping[str, tuple[Target, ...]]


@dataclass(frozen=True)
class Unit:
    """One statement of a module's top level.

    Attributes
    ----------
    meaning
        Equal for statements that do the same and are written equally except for comments, layout and docstrings.
    paths
        The module's names that it uses.
    imports
        What it imports itself, inside a function.
    """

    meaning: str
    paths: tuple[Dotted, ...]
    imports: Imports


@dataclass(frozen=True)
class Code:
    """A module.

    Attributes
    ----------
    units
        Each name that the module defines, and the statements that bind it.
    imports
        Each name that it imports.
    effects
        The statements that do more than bind names; they run at every import.
    """

    units: Mapping[str, tuple[Unit, ...]]
    imports: Imports
    effects: tuple[Unit, ...]


@cache
def read_code(text: str, module: str, is_package: bool = False) -> Code:
    r"""Return what `text`, the source of `module`, means.

    Examples
    --------
    >>> code = read_code("from math import pi as π\nTWICE = 2 * π  # a comment\n", "circle")
    >>> code.imports["π"], code.units["TWICE"][0].paths
    ((Target(module='math', name='pi'),), (('TWICE',), ('π',)))
    """
    home = module if is_package else module.rpartition(".")[0]
    tree, lines = ast.parse(text), text.splitlines()
    units: dict[str, tuple[Unit, ...]] = {}
    effects: list[Unit] = []
    statements = list(_statements(tree.body))
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        unit = _unit(statement, lines, home)
        for name in _bound(statement):
            units[name] = (*units.get(name, ()), unit)
        if not _only_binds(statement):
            effects.append(unit)
    return Code(units, _imports(statements, home), tuple(effects))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that an import of the module runs and that do something."""
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from _statements(statement.orelse)
        elif not (_is_constant(statement) or _is_main(statement)):
            yield statement


def _is_constant(statement: ast.AST) -> bool:
    """Return whether `statement` is only a constant: a docstring, or an ellipsis. It does nothing."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"


def _only_binds(statement: ast.stmt) -> bool:
    """Return whether `statement` does nothing but define names, as far as can be seen; a call counts as its value."""
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return all(isinstance(part, ast.Name | ast.Tuple | ast.List | ast.Starred | ast.expr_context)
                   for target in targets for part in ast.walk(target))  # fmt: skip
    return isinstance(statement, Definition)


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that `statement` binds in the module, those inside an ``if`` or ``try`` included."""
    if isinstance(statement, Definition):
        return {statement.name}
    inside = list(ast.walk(statement))
    stored = {part.id for part in inside if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return stored | {part.name for part in inside if isinstance(part, Definition)}


def _unit(statement: ast.stmt, lines: Sequence[str], home: str) -> Unit:
    first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))])
    seen = _global_names("\n".join(lines[first - 1 : statement.end_lineno]))
    imports = _imports([part for part in ast.walk(statement) if isinstance(part, ast.Import | ast.ImportFrom)], home)
    paths = {path for path in _paths(statement) if path[0] in seen or path[0] in imports}
    return Unit(meaning(statement), tuple(sorted(paths)), imports)


def _imports(statements: Sequence[ast.AST], home: str) -> Imports:
    """Return what import statements bind, those inside of other statements included; `home` is the module's package."""
    found: dict[str, tuple[Target, ...]] = {}

    def bind(name: str, target: Target) -> None:
        found[name] = (*found.get(name, ()), target)

    for statement in (part for each in statements if not isinstance(each, Definition) for part in ast.walk(each)):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                # `import a.b` binds a; that a.b is loaded too is kept under a separate name
                bind(alias.asname or top, Target(alias.name if alias.asname else top))
                bind(f"import {alias.name}", Target(alias.name))
        elif isinstance(statement, ast.ImportFrom):
            up = home.split(".")[: len(home.split(".")) + 1 - statement.level] if statement.level else []
            source = ".".join([*up, *([statement.module] if statement.module else [])])
            for alias in statement.names:
                bind(alias.asname or alias.name, Target(source, alias.name))
    return found


def _paths(statement: ast.AST) -> Iterator[Dotted]:
    """Yield each name in `statement` with the attributes taken from it, in annotations too: what is passed in runs."""
    left = [statement]
    while left:
        node: ast.AST = left.pop()
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            yield (node.id, *attributes)
        else:
            left += ast.iter_child_nodes(node)


def _global_names(text: str) -> set[str]:
    """Return the names in the statement `text` that Python looks up in the module, by its compiler's symbol table."""
    top = symtable.symtable(text, "statement", "exec")
    found, left = set(top.get_identifiers()), list(top.get_children())
    while left:
        table = left.pop()
        in_class = table.get_type() == "class"  # where a name may be read before it is bound
        found |= {each.get_name() for each in table.get_symbols() if each.is_global() or in_class}
        left += table.get_children()
    return found


def meaning(node: Any, *, annotated: bool = False) -> str:
    r"""Return a text that is equal for code that differs in comments, layout, docstrings and annotations only.

    Annotations stay where something may read them: in the body of a class, of which a dataclass makes its fields, and
    on a function with a decorator. The text does not depend on the version of Python, as that of ``ast.dump`` does.

    Examples
    --------
    >>> one, other = "def f(x: int):\n  '''Twice.'''\n  return 2 * x", "def f(x): return (2 *  x)  # twice"
    >>> meaning(ast.parse(one)) == meaning(ast.parse(other))
    True
    """
    if isinstance(node, list):
        return f"[{','.join(meaning(each, annotated=annotated) for each in node if not _is_constant(each))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        annotated = bool(node.decorator_list)
    elif isinstance(node, ast.ClassDef):
        annotated = True
    parts = []
    for name in node._fields:
        value = getattr(node, name, None)
        empty = value == [] or (value is None and not isinstance(node, ast.Constant))
        if not empty and name not in UNREAD and (annotated or name not in ("annotation", "returns")):
            parts.append(f"{name}={meaning(value, annotated=annotated)}")
    return f"{type(node).__name__}({','.join(parts)})"
