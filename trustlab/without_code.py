"""A notebook for readers who do not see its code: without what only makes sense with it.

Left out are the exercises, whose answers are typed into code, and the sentences about cells and code. Every
cell still runs, since later ones need its names; what an exercise says stays hidden.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

# What a chapter is called that is about code.
CHAPTERS = re.compile(r"## (?:Exercises|Check|Run, and stop|.*\bcode\b.*)\n?")
HEADING = re.compile(r"^#{1,2} ", re.MULTILINE)
EXERCISE = re.compile(r"^\*\*\d* ?·?[^*]+\*\*.* difficulty \d/\d", re.MULTILINE)
# What a sentence says that is about code or about cells.
ABOUT_CODE = re.compile(
    r"Shift \+ Enter|\b(?:the|next|grey|new|last) cells?\b|\bfrom code\b|\byour (?:own )?function\b|"
    r"\b(?:same|line of) code\b"
)
SENTENCES = re.compile(r"(?:(?<=[.:?!])|(?<=[.:?!]\*\*))\s+(?=[A-ZΑ-Ω*_`(“])")
HIDDEN = "%%capture\n"


def without_code(notebook: Any) -> Any:
    r"""Return a copy of a notebook for the page: its texts without code, its exercises out of sight.

    Examples
    --------
    >>> cells = [{"cell_type": "markdown", "source": "# Fleets\n\nMove α. Run the next cell."},
    ...          {"cell_type": "markdown", "source": "## Exercises\n\nTry it."},
    ...          {"cell_type": "code", "source": "answer = ..."}]
    >>> for cell in without_code({"cells": cells})["cells"]:
    ...     print(cell["source"].replace("\n", "|"))
    # Fleets||Move α.
    %%capture|answer = ...
    """
    page = copy.deepcopy(notebook)
    page["cells"] = list(_cells(page["cells"]))
    return page


def _cells(cells: Sequence[Any]) -> Iterator[Any]:
    inside, asked = False, set()  # whether a chapter about code is open; names that belong to exercises
    for cell in cells:
        if cell["cell_type"] == "markdown":
            text, inside = _text(cell["source"], inside)
            if text.strip():
                cell["source"] = text
                yield cell
        else:
            names, shows = _exercise(cell["source"], asked)
            asked |= names
            if inside or names or shows:
                cell["source"] = HIDDEN + cell["source"]
            yield cell


def _text(source: str, inside: bool) -> tuple[str, bool]:
    """Return what stays of a text, and whether a chapter about code is open at its end."""
    kept = []
    starts = [0, *(found.start() for found in HEADING.finditer(source) if found.start())]
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        part = source[start:end]
        if HEADING.match(part):
            inside = bool(CHAPTERS.match(part))
        if not inside:
            exercise = EXERCISE.search(part)
            part = part[: exercise.start()] if exercise else part
            kept += [_paragraph(each) for each in re.split(r"(\n\s*\n)", part)]
    return "".join(kept), inside


def _paragraph(text: str) -> str:
    """Return a paragraph without its sentences about code; lists, tables and folded parts stay whole."""
    if not ABOUT_CODE.search(text) or text.lstrip().startswith(("|", "#", "<", "$$", "```")):
        return text
    lines = text.split("\n") if text.lstrip().startswith("- ") else [text]
    kept = (" ".join(s for s in SENTENCES.split(line) if not ABOUT_CODE.search(s)) for line in lines)
    return "\n".join(line for line in kept if line.strip())


def _exercise(source: str, asked: set[str]) -> tuple[set[str], bool]:
    """Return the names that a cell gets from exercises, and whether it shows something of `asked` ones."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # IPython's own commands
        return set(), False
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".exercises")
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Name) and called.id in names | asked:
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    last = tree.body[-1] if tree.body else None
    read = {node.id for node in ast.walk(last) if isinstance(node, ast.Name)} if isinstance(last, ast.Expr) else set()
    return names, bool(read & asked)
