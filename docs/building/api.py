"""The API's pages as reStructuredText: a list of the packages, and a page for each with its public names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from names import public_modules

# The chapters of the list: what a module's name begins with, and what its chapter is called.
CHAPTERS = {
    "trustlab.privacy": "Privacy",
    "trustlab.federated": "Federated learning",
    "trustlab.fairness": "Fairness",
    "trustlab.models": "Models",
    "trustlab.data": "Data",
    "trustlab.lab": "The lab: panels in notebooks",
    "trustlab": "Shared by all",
}
LONGEST_VALUE = 200  # of a constant that is shown: longer ones are tables of functions, or lists of words


def write_api(folder: Path) -> None:
    """Write the pages into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    chapters: dict[str, list[str]] = {title: [] for title in CHAPTERS.values()}
    for path, module in public_modules().items():
        chapters[next(title for start, title in CHAPTERS.items() if path.startswith(start))].append(path)
        (folder / f"{path}.rst").write_text("\n".join(_package(path, module)), encoding="utf-8")
    (folder / "index.rst").write_text("\n".join(_list(chapters)), encoding="utf-8")


def _list(chapters: dict[str, list[str]]) -> Iterator[str]:
    yield from (
        *_title("API"),
        "A name is public when its module lists it in ``__all__``: import it from the module below",
    )
    yield from ("that has it. Everything here is made from the docstrings.", "")
    for title, modules in chapters.items():
        yield from (*_title(title, "-"), ".. autosummary::", "")
        yield from (*(f"   {path}" for path in modules), "")
        yield from (".. toctree::", "   :hidden:", "", *(f"   {path}" for path in modules), "")


def _package(path: str, module: ModuleType) -> Iterator[str]:
    yield from (*_title(path), f".. automodule:: {path}", "", f".. currentmodule:: {path}", "")
    yield from (".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in module.__all__), "")
    for name in module.__all__:
        found = getattr(module, name)
        if isinstance(found, type):
            yield f".. {'autoexception' if issubclass(found, BaseException) else 'autoclass'}:: {name}"
            yield from ("   :members:", "   :member-order: bysource", "")
        elif inspect.isroutine(found):
            yield from (f".. autofunction:: {name}", "")
        else:
            long = len(repr(found)) > LONGEST_VALUE
            yield from (f".. autodata:: {name}", *(["   :no-value:"] if long else []), "")


def _title(words: str, line: str = "=") -> tuple[str, ...]:
    words = words.replace("_", r"\_")
    return words, line * len(words), ""
