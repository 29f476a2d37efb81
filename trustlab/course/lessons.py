"""A notebook's card and questions by name: their texts are in its room's ``teaching.toml``, not in the notebook.

So a cell is one line, ``question("31 effect size")``, and no reader of the notebook's file sees an answer before the
question.
"""

from __future__ import annotations

import functools
import re
import tomllib
from typing import Any

from trustlab.course.found import exercise, found
from trustlab.course.rooms import room
from trustlab.lab import teaching
from trustlab.lab.display import Display
from trustlab.lab.notes import keep_note

__all__ = ["card", "exercise", "found", "question", "questions"]

TEXTS = "teaching.toml"
CARD = {"able", "need", "time", "data", "correctness", "files"}
QUESTION = {"question", "choices", "answer", "because"}


def card(notebook: str) -> Display:
    """Show the opening card of a notebook, the glossary linked below it.

    Raises
    ------
    ValueError
        If there is no such notebook, or its texts lack a part of the card or have one more.
    """
    texts = _texts(notebook).get("card", {})
    _refuse_other_keys(texts, CARD, f"the card of notebook {notebook}")
    return teaching.card(**texts, glossary="../GLOSSARY.md")


def question(name: str) -> teaching.predict:
    """Ask a question of a notebook by name; the reader's choice is kept for the end of the notebook.

    Parameters
    ----------
    name
        The notebook's number and the question's name, "31 effect size".

    Raises
    ------
    ValueError
        If there is no such question; the message lists those there are.
    """
    notebook, title = _split(name)
    known = questions(notebook)
    if title not in known:
        raise ValueError(f"Expected a question of notebook {notebook} among {', '.join(known)}, got {title!r}.")
    texts = known[title]
    _refuse_other_keys(texts, QUESTION, f"the question {name!r}")
    chosen = texts["choices"]
    return teaching.predict(
        **texts,
        then=lambda choice, right: keep_note(
            notebook, "prediction", title, choice=chosen[choice], right=right, asked=texts["question"]
        ),
    )


def questions(notebook: str) -> dict[str, dict[str, Any]]:
    """Return the texts of a notebook's questions by name, in the order of the notebook.

    Raises
    ------
    ValueError
        If there is no such notebook.
    """
    return _texts(notebook).get("questions", {})


def _split(name: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\d\d) (\S.*)", name)
    if match is None:
        raise ValueError(f"Expected a notebook's number and a question's name, such as '31 effect size', got {name!r}.")
    return match[1], match[2]


@functools.cache
def _texts(notebook: str) -> dict[str, Any]:
    path = room(notebook) / TEXTS
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _refuse_other_keys(texts: dict[str, Any], expected: set[str], what: str) -> None:
    if set(texts) != expected:
        raise ValueError(f"Expected {what} to have {', '.join(sorted(expected))}, got {', '.join(texts) or 'nothing'}.")
