"""Load any fairness task by its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from trustlab.fairness.tasks.abuse import comments_task, davidson_task, hatexplain_task, identity_task
from trustlab.fairness.tasks.assistant import assistant_task
from trustlab.fairness.tasks.openings import bold_task
from trustlab.fairness.tasks.pronouns import winobias_task, winogender_task
from trustlab.fairness.tasks.shape import Task

# The function that loads each task, by its name in load_task.
TASKS: dict[str, Callable[..., Task]] = {
    "assistant": assistant_task,
    "hatexplain": hatexplain_task,
    "davidson": davidson_task,
    "identity_terms": identity_task,
    "identity_comments": comments_task,
    "winobias": winobias_task,
    "winogender": winogender_task,
    "bold": bold_task,
}


def load_task(name: str, *, directory: str | os.PathLike[str] | None = None, seed: int = 0, **options: Any) -> Task:
    """Return a task by its name in :data:`TASKS`.

    Parameters
    ----------
    name
        All but "assistant" read real files, see :func:`trustlab.data.load`.
    directory, seed
        Where the files are, and the seed of what is drawn: the assistant corpus, and Davidson's splits.
    **options
        What the task lets one choose: ``group_bias`` and ``utterances`` of the assistant, ``least`` of HateXplain,
        ``kind`` of WinoBias, ``domain`` of BOLD.

    Raises
    ------
    ValueError
        If the name or an option is unknown or out of its range.
    OSError
        If files are missing; the message says what to do.

    Examples
    --------
    >>> load_task("assistant", utterances=200).test
    GroupedTexts(20 texts, groups coast, hill, valley)
    """
    if name not in TASKS:
        raise ValueError(f"Expected name={name!r} to be one of {', '.join(map(repr, TASKS))}.")
    known = set(TASKS[name].__kwdefaults__)
    if unknown := sorted(set(options) - known):
        raise ValueError(f"Expected options of {name!r} among {', '.join(sorted(known))}, got {', '.join(unknown)}.")
    return TASKS[name](directory=directory, seed=seed, **options)
