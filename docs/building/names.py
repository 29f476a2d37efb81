"""Which names are public, and which of them a cross reference in a docstring means."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import trustlab

COURSE = "trustlab.course"  # a room for each notebook: nothing that another program would import
ROLE = re.compile(r":(?:py:)?(?:func|class|data|mod|meth|attr|exc|obj|const):`([^`]+)`")


@cache
def public_modules() -> dict[str, ModuleType]:
    """Return the modules that say by ``__all__`` what is public, by name; those of the course are left out."""
    found = {}
    for each in pkgutil.walk_packages(trustlab.__path__, "trustlab."):
        if each.name.endswith("__main__") or each.name.startswith(COURSE):
            continue
        module = importlib.import_module(each.name)
        if hasattr(module, "__all__"):
            found[each.name] = module
    return found


@cache
def public_names() -> dict[str, Any]:
    """Return every public object by its full name, such as ``trustlab.privacy.train``."""
    return {f"{path}.{name}": getattr(module, name) for path, module in public_modules().items()
            for name in module.__all__}  # fmt: skip


def with_links(lines: list[str], within: str) -> list[str]:
    """Return a docstring's lines with each cross reference as a link to a public name's page, or as code.

    Parameters
    ----------
    lines
        Of the docstring.
    within
        Full name of what it describes: a short reference is looked up in its class, its module and the modules above.

    Raises
    ------
    LookupError
        A reference names nothing that there is.
    """
    text = ROLE.sub(lambda found: _link(found[1], within), "\n".join(lines))
    return text.split("\n")


def _link(reference: str, within: str) -> str:
    title, _, target = reference.rstrip(">").rpartition(" <") if reference.endswith(">") else ("", "", reference)
    short, target = target.startswith("~"), target.lstrip("~").removesuffix("()")
    found = next((name for name in _candidates(target, within) if _exists(name)), None)
    if found is None:
        raise LookupError(
            f"Expected a name for the reference {reference!r} in {within}, found none: correct the docstring."
        )
    title = title or (target.rpartition(".")[2] if short else target)
    public = public_name(found)
    return f":py:obj:`{title} <{public}>`" if public else f"``{title}``"


def _candidates(target: str, within: str) -> Iterator[str]:
    yield target
    while within:
        yield f"{within}.{target}"
        within = within.rpartition(".")[0]


def _exists(name: str) -> bool:
    try:
        resolve(name)
    except LookupError:
        return False
    return True


@cache
def resolve(name: str) -> Any:
    """Return what a full dotted name names; raise ``LookupError`` where it names nothing."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, part) and part not in fields:
                raise LookupError(name)
            found = getattr(found, part, None)
        return found
    raise LookupError(name)


def public_name(name: str) -> str | None:
    """Return the public full name of the object that `name` names, None where it has none."""
    if name in public_names() or name in public_modules():
        return name
    owner, _, member = name.rpartition(".")
    found = resolve(name)
    if isinstance(found, type) or inspect.isroutine(found) or isinstance(found, ModuleType):
        same = [public for public, each in public_names().items() if each is found]
    else:  # a constant: two of them may be one object, such as the number 1
        same = [public for public in public_names() if public.rpartition(".")[2] == member
                and public_names()[public] is found]  # fmt: skip
    if same:
        return min(same, key=len)
    above = public_name(owner) if owner.count(".") and isinstance(resolve(owner), type) else None
    return f"{above}.{member}" if above else None


def constant_comment(path: str, name: str) -> list[str]:
    """Return the comment above or behind the line that sets the constant `name` of the module `path`."""
    module = importlib.import_module(path)
    lines = inspect.getsource(module).splitlines()
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.ImportFrom) and name in [each.asname or each.name for each in node.names]:
            return constant_comment(
                node.module, next(each.name for each in node.names if name in (each.asname, each.name))
            )
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in [getattr(each, "id", None) for each in targets]:
            first = node.lineno - 1
            while lines[first - 1].startswith("#"):
                first -= 1
            behind = lines[node.lineno - 1].rpartition("  # ")[2] if "  # " in lines[node.lineno - 1] else ""
            return [*(line.lstrip("# ") for line in lines[first : node.lineno - 1]), behind, ""]
    return []


def one_by_one(lines: list[str]) -> list[str]:
    """Return a class's lines with an attribute's words for each name where a docstring has "a, b" for two of them."""
    text = re.sub(
        r"^:(ivar|vartype) (\w+(?:, \w+)+):(.*(?:\n[ \t]+.*)*)",
        lambda found: "\n".join(f":{found[1]} {name}:{found[3]}" for name in found[2].split(", ")),
        "\n".join(lines),
        flags=re.MULTILINE,
    )
    return text.split("\n")


def option_fields(found: type) -> list[str]:
    """Return a line for each option of a configuration (:func:`trustlab.config.option`): type, meaning and range."""
    lines = [""]
    for field in dataclasses.fields(found) if dataclasses.is_dataclass(found) else ():
        if "help" in field.metadata:
            lines += [f":param {field.name}: {' '.join([field.metadata['help'], *_range(field.metadata)])}"]
            lines += [f":type {field.name}: {field.type}"]
    return lines


def _range(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield an option's unit, and its bounds, or the values to choose from, as words."""
    if rule["unit"]:
        yield f"In {rule['unit']}."
    if rule["values"]:
        yield f"One of {', '.join(f'``{value!r}``' for value in rule['values'])}."
    bounds = [f"{sign} {rule[name]:g}" for name, sign in (("above", ">"), ("low", "≥"), ("high", "≤"))
              if rule[name] is not None]  # fmt: skip
    if bounds:
        yield f"{' and '.join(bounds)}."
