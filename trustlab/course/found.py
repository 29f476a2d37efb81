"""What a reader found (predictions, solved exercises, trainings) at the end of a notebook and for the whole course."""

from __future__ import annotations

import ast
import functools
import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from trustlab.course.rooms import rooms
from trustlab.lab.display import inline, number, table_html
from trustlab.lab.look import STYLE
from trustlab.lab.notes import Note, keep_note, notes
from trustlab.lab.shown import Shown, weakly

MOST_NUMBERS = 5  # of a training's last row
WHOLE_COURSE = "00"
NOTHING_YET = "Nothing yet: commit to a prediction, press Train or solve an exercise, and press *Update*."


def exercise(notebook: str, title: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a function as the check of an exercise: a right answer is kept for the end of the notebook.

    Parameters
    ----------
    notebook
        Its number, such as "31".
    title
        The exercise's heading.

    Examples
    --------
    >>> from trustlab.lab.checks import check
    >>> @exercise("31", "Two and two")
    ... def sum_of_two(answer):
    ...     return check(answer, 4)
    >>> sum_of_two(5)
    ✗ 5 is not right. It is too large.
    """

    def marked(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            if result.right:
                keep_note(notebook, "exercise", title, right=True)
            return result

        return checked

    return marked


class found(Shown):
    """Show what the reader found in a notebook; in notebook 00, in the whole course.

    What is stored with the notebook is the same for everybody; what the reader found is shown where it runs.

    Parameters
    ----------
    notebook
        Its number, such as "31".

    Examples
    --------
    >>> found("31")
    Your predictions, trainings and exercises of notebook 31 are shown here when the notebook runs.
    """

    def __init__(self, notebook: str) -> None:
        self._notebook = notebook
        what = "of the whole course" if notebook == WHOLE_COURSE else f"of notebook {notebook}"
        self.summary = f"Your predictions, trainings and exercises {what} are shown here when the notebook runs."
        self.listed = ipywidgets.HTML()
        self.update = ipywidgets.Button(description="Update", tooltip="Show what came since.", layout={"width": "auto"})
        self.update.on_click(weakly(self._pressed))
        layout = {"max_width": "756px", "align_items": "flex-start"}
        self.widget = ipywidgets.VBox([self.listed, self.update], layout=layout)
        self.widget.add_class("trustlab-panel")
        self._pressed()
        self._own()

    def _pressed(self, _: Any = None) -> None:
        show = course_html if self._notebook == WHOLE_COURSE else functools.partial(notebook_html, self._notebook)
        self.listed.value = f'{STYLE}<div class="trustlab-numbers">{show(notes())}</div>'


def notebook_html(notebook: str, kept: Sequence[Note]) -> str:
    """Write what a reader found in one notebook."""
    mine = [note for note in kept if _number(note) == notebook]
    parts = {
        "Predictions": _list(map(_prediction, _of(mine, "prediction"))),
        "Exercises solved": _exercises(notebook, mine),
        "Trainings": _list(map(_training, _of(mine, "training"))),
        "Games": _list(map(_training, _of(mine, "game"))),
    }
    shown = [f"<p><strong>{heading}</strong></p>{body}" for heading, body in parts.items() if body]
    return "".join(shown) if mine else f"<p>{inline(NOTHING_YET)}</p>"


def course_html(kept: Sequence[Note]) -> str:
    """Write a line for each notebook in which the reader found something."""
    rows = []
    for notebook, path in rooms().items():
        mine = [note for note in kept if _number(note) == notebook]
        predicted, solved = _of(mine, "prediction"), _of(mine, "exercise")
        if mine:
            right = sum(bool(note.what["right"]) for note in predicted)
            rows.append(
                {
                    "notebook": path.name[1:].replace("_", " "),
                    "predictions right": f"{right} of {len(predicted)}",
                    "exercises solved": f"{len(solved)} of {max(len(solved), len(exercises_of(notebook)))}",
                    "trainings": len(_of(mine, "training")),
                }
            )
    return table_html(rows) if rows else f"<p>{inline(NOTHING_YET)}</p>"


@functools.cache
def exercises_of(notebook: str) -> tuple[str, ...]:
    """Return the titles of a notebook's exercises, read from its file: importing it may import torch.

    Examples
    --------
    >>> exercises_of("99")
    ()
    """
    path = rooms().get(notebook, Path()) / "exercises.py"
    if not path.is_file():
        return ()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    marks = [mark for node in body if isinstance(node, ast.FunctionDef) for mark in node.decorator_list]
    return tuple(ast.literal_eval(mark.args[1]) for mark in marks if isinstance(mark, ast.Call))


def _number(note: Note) -> str:
    """Return the number of the notebook that a note is from: a training's is in the name of its module."""
    in_module = re.search(r"\.n(\d\d)_", note.where)
    return in_module[1] if in_module else note.where


def _of(kept: Sequence[Note], kind: str) -> list[Note]:
    return [note for note in kept if note.kind == kind]


def _list(items: Any) -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def _prediction(note: Note) -> str:
    right = "✓ right" if note.what["right"] else "✗ not this time"
    asked = inline(f"{note.what['asked']} →" if "asked" in note.what else f"{note.name}:")  # older notes have a name
    return f"{asked} {inline(str(note.what['choice']))} ({right})"


def _exercises(notebook: str, mine: Sequence[Note]) -> str:
    solved = [note.name for note in _of(mine, "exercise")]
    every = [*exercises_of(notebook), *(name for name in solved if name not in exercises_of(notebook))]
    return _list(f"{'✓' if title in solved else '○'} {html.escape(title)}" for title in every)


def _training(note: Note) -> str:
    numbers = [f"{html.escape(name.replace('_', ' '))} {number(value)}" for name, value in note.what.items()]
    return f"{html.escape(note.name)}: {', '.join(numbers[:MOST_NUMBERS])}"
