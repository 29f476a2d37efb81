"""The one shape of every task: texts, truth, groups, and what belongs together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_rows, as_texts
from trustlab.containers import read_rows
from trustlab.fairness.groups import Groups
from trustlab.fairness.groups.rates import binary


@dataclass(frozen=True, eq=False)
class GroupedTexts:
    """N texts and what a metric must know of them. What a task does not have is None.

    Columns may come in any container that :mod:`trustlab.columns` knows, and are kept in the shapes below: row i is the
    i-th entry of each, independent of the index of a pandas column.

    Attributes
    ----------
    texts
        N texts.
    truth : bool [N]
        The true answer to the task's question; None where there is no truth, as for openings to be continued.
    groups
        Who each text is about or by; None where that is not known, as in some training sets.
    counterparts
        For each text the same one with the group's words exchanged, for
        :func:`~trustlab.fairness.groups.counterfactual_flips`.
    units : [N]
        Which texts belong together, for :class:`~trustlab.fairness.groups.Bootstrap`: those of one frame or occupation.
    facts
        Further columns by name, arrays [N].

    Raises
    ------
    ValueError
        If a column has another length than `texts`, a text or counterpart is none, a truth is neither 0 nor 1, or a
        unit is missing.
    """

    texts: tuple[str, ...]
    truth: np.ndarray | None = None
    groups: Groups | None = None
    counterparts: tuple[str, ...] | None = None
    units: np.ndarray | None = None
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.groups is not None and not isinstance(self.groups, Groups):
            raise ValueError(
                f"Expected groups made by Groups.by or Groups.overlapping, got {type(self.groups).__name__}."
            )
        read = {
            "texts": tuple(as_texts(self.texts)),
            "truth": None if self.truth is None else _answers(self.truth),
            "counterparts": None if self.counterparts is None else tuple(as_texts(self.counterparts, "counterpart")),
            "units": None if self.units is None else as_ids(self.units, "unit"),
            "facts": {name: read_rows(column, name) for name, column in self.facts.items()},
        }
        for name, column in read.items():
            object.__setattr__(self, name, column)
        columns = {name: getattr(self, name) for name in ("truth", "groups", "counterparts", "units")}
        for name, column in (columns | self.facts).items():
            if column is not None and len(column) != len(self.texts):
                raise ValueError(f"Expected {name} for each of {len(self.texts)} texts, got {len(column)}.")

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        """Describe without quoting: texts may be offensive."""
        names = self.groups.names if self.groups else ()
        return f"GroupedTexts({len(self)} texts, groups {', '.join(names) or 'unknown'})"

    def take(self, rows: Any) -> GroupedTexts:
        """Return the texts at `rows`, a slice, indices or a mask [N], with all that belongs to them."""
        places = as_rows(rows, len(self))

        def chosen(column: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if column is None else tuple(column[i] for i in places)

        return GroupedTexts(
            chosen(self.texts),
            None if self.truth is None else self.truth[places],
            None if self.groups is None else self.groups[places],
            chosen(self.counterparts),
            None if self.units is None else self.units[places],
            {name: column[places] for name, column in self.facts.items()},
        )


def _answers(truth: Any) -> np.ndarray:
    """Return the true answers, bool [N]; of no texts there are none."""
    answers = read_rows(truth, "truth")
    return binary(answers, "truth") if len(answers) else np.zeros(0, dtype=bool)


@dataclass(frozen=True)
class Task:
    """A question put to texts about groups of people.

    Attributes
    ----------
    name
        A key of :data:`~trustlab.fairness.tasks.TASKS`.
    question
        What the answer 1 means, in words.
    known_by
        How the groups are known: a metric can be no better than this.
    test
        What is measured on.
    train
        What a model may be trained on; None where the set was made for testing only.
    """

    name: str
    question: str
    known_by: str
    test: GroupedTexts
    train: GroupedTexts | None = None
