"""The one shape of every task: texts, truth, groups, and what belongs together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trustlab.fairness.groups import Groups


@dataclass(frozen=True, eq=False)
class GroupedTexts:
    """N texts and what a metric must know of them. What a task does not have is None.

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
        If a column has another length than `texts`.
    """

    texts: tuple[str, ...]
    truth: np.ndarray | None = None
    groups: Groups | None = None
    counterparts: tuple[str, ...] | None = None
    units: np.ndarray | None = None
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in ("truth", "groups", "counterparts", "units")}
        for name, column in (columns | dict(self.facts)).items():
            if column is not None and len(column) != len(self.texts):
                raise ValueError(f"Expected {name} for each of {len(self.texts)} texts, got {len(column)}.")

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        """Describe without quoting: texts may be offensive."""
        names = self.groups.names if self.groups else ()
        return f"GroupedTexts({len(self)} texts, groups {', '.join(names) or 'unknown'})"

    def take(self, rows: np.ndarray) -> GroupedTexts:
        """Return the texts at `rows`, indices or a mask [N], with all that belongs to them."""
        places = np.arange(len(self))[rows]

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
        How anybody knows who belongs to which group: a metric can be no better than this.
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
