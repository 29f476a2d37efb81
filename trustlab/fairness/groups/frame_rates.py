"""One's own classifier in one call: its predictions or scores with a table, its weights and thresholds of groups.

A column is the name of one in the table, or its values in any container. What comes out are the rows of
:func:`~trustlab.fairness.groups.group_rates`; with equal weights they are the same numbers. Sample weights mean what
they mean in fairlearn: a row of weight 2 counts as two rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_labels, as_scores
from trustlab.fairness.groups.chance import Chance, Estimates, estimate_rates
from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.rates import binary, group_rates
from trustlab.fairness.groups.resampling import Bootstrap

EVEN = 0.5  # the threshold of a probability, where none is given


def frame_rates(
    frame: Any,
    *,
    y_true: Any,
    groups: Any,
    y_pred: Any = None,
    scores: Any = None,
    positive: Any = None,
    threshold: float | Mapping[Any, float] | None = None,
    sample_weight: Any = None,
    bootstrap: Bootstrap | None = None,
) -> list[dict[str, Any]]:
    """Return every rate of a classifier over all rows and in each group, and differences and ratios between groups.

    Parameters
    ----------
    frame
        A pandas frame, a ``datasets.Dataset`` or a mapping of columns, N rows; None where all columns are given as
        values.
    y_true
        The true answers: 0 and 1, or labels of which `positive` is one.
    groups
        A column of N groups; several columns in a list, as in fairlearn their intersections; or :class:`Groups`.
    y_pred
        The classifier's answers, like `y_true`.
    scores
        Instead of `y_pred`, one score for a row: the probability of `positive`.
    positive
        The label that counts as 1; None for columns of 0 and 1.
    threshold
        A score of at least this is an answer 1; of each group its own in a mapping. None is 0.5, for probabilities
        only.
    sample_weight
        Finite weights >= 0; a row of weight 0 is left out. None weights rows equally.
    bootstrap
        How to make intervals; None makes none. Rows are drawn as they are, and then weighted.

    Returns
    -------
    list of rows
        As :func:`~trustlab.fairness.groups.group_rates`; ``rows`` counts rows and not weights. What a difference is
        worth say :func:`estimate_frame` and :func:`~trustlab.fairness.groups.gaps`.

    Raises
    ------
    ValueError
        For scores outside [0, 1] without a threshold, which are logits or distances. For a column that is not there,
        is of another length or has a gap; a group without a threshold; both of `y_pred` and `scores`, or neither.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"paid": [1, 0, 1, 0], "region": ["a", "a", "b", "b"], "p": [0.9, 0.6, 0.4, 0.1]})
    >>> def gap(**options):
    ...     rows = frame_rates(table, y_true="paid", groups="region", scores="p", **options)
    ...     return {row["metric"]: row["value"] for row in rows}["true_positive_rate_difference"]
    >>> gap(), gap(threshold={"a": 0.5, "b": 0.3})
    (1.0, 0.0)
    """
    read = _read(frame, y_true, groups, y_pred, scores, positive, threshold)
    return group_rates(*read, bootstrap=bootstrap, sample_weight=_weights(frame, sample_weight))


def estimate_frame(
    frame: Any,
    *,
    y_true: Any,
    groups: Any,
    y_pred: Any = None,
    scores: Any = None,
    positive: Any = None,
    threshold: float | Mapping[Any, float] | None = None,
    sample_weight: Any = None,
    chance: Chance | None = None,
) -> list[Estimates]:
    """Return the rates of each group with what chance does to them, for :func:`gaps` and :func:`pooled`.

    Parameters
    ----------
    frame, y_true, groups, y_pred, scores, positive, threshold, sample_weight
        As for :func:`frame_rates`.
    chance
        How to exchange groups; None takes the defaults. Decisions are exchanged as they were taken: with thresholds of
        groups, p asks whether the decisions are blind to the groups, not whether the scores are.

    Examples
    --------
    >>> from trustlab.fairness.groups import gaps
    >>> table = {"paid": [1, 0] * 30, "region": ["a"] * 30 + ["b"] * 30, "p": [0.9, 0.2] * 15 + [0.4, 0.2] * 15}
    >>> def p(**options):
    ...     rows = gaps(estimate_frame(table, y_true="paid", groups="region", scores="p", **options))
    ...     return {row["metric"]: row["p"] for row in rows}["true_positive_rate_difference"]
    >>> p() < 0.001, p(threshold={"a": 0.5, "b": 0.3})
    (True, 1.0)
    """
    y, chosen, who = _read(frame, y_true, groups, y_pred, scores, positive, threshold)
    return estimate_rates(y, chosen, who, chance=chance, sample_weight=_weights(frame, sample_weight))


def _read(
    frame: Any, y_true: Any, groups: Any, y_pred: Any, scores: Any, positive: Any, threshold: Any
) -> tuple[np.ndarray, np.ndarray, Groups]:
    """Return the true answers and those of the classifier, bool [N] both, and the groups of the N rows."""
    y = _answers(frame, y_true, "y_true", positive)
    who = _groups(frame, groups, len(y))
    if (y_pred is None) == (scores is None):
        raise ValueError("Expected y_pred= or scores=, one of them. Scores become answers by a threshold.")
    if scores is None:
        if threshold is not None:
            raise ValueError("Expected threshold= with scores=. Answers y_pred have none.")
        chosen = _answers(frame, y_pred, "y_pred", positive)
    else:
        chosen = _chosen(as_scores(_column(frame, scores, "scores"), "score"), threshold, who)
    for name, column in (("an answer" if scores is None else "a score", chosen), ("a group", who)):
        if len(column) != len(y):
            raise ValueError(f"Expected {name} for each of {len(y)} rows, got {len(column)}.")
    return y, chosen, who


def _weights(frame: Any, given: Any) -> Any:
    return None if given is None else _column(frame, given, "sample_weight")


def _chosen(scores: np.ndarray, threshold: float | Mapping[Any, float] | None, groups: Groups) -> np.ndarray:
    """Return which rows are answered 1, bool [N]."""
    if threshold is None:
        outside = int(((scores < 0) | (scores > 1)).sum())
        if outside:
            raise ValueError(
                f"Expected scores in [0, 1], got {scores.min():.3g} to {scores.max():.3g}, {outside} of {len(scores)} "
                "outside. They look like logits (log-odds), not probabilities: pass scipy.special.expit(scores), or "
                "say which score is a yes: threshold=0.0 is a probability of one half."
            )
        return scores >= EVEN
    if not isinstance(threshold, Mapping):
        return scores >= float(as_scores([threshold], "threshold")[0])
    of_group = {str(name): float(as_scores([value], "threshold")[0]) for name, value in threshold.items()}
    if not groups.is_partition:
        raise ValueError("Expected each row in one group for thresholds of groups, got rows in none or in several.")
    if set(of_group) != set(groups.names):
        raise ValueError(
            f"Expected a threshold for each of the groups {', '.join(map(repr, groups.names))}, got them for "
            f"{', '.join(map(repr, of_group)) or 'none'}."
        )
    if len(scores) != len(groups):
        raise ValueError(f"Expected a group for each of {len(scores)} scores, got {len(groups)}.")
    return scores >= np.array([of_group[name] for name in groups.names])[groups.masks.argmax(axis=1)]


def _answers(frame: Any, given: Any, what: str, positive: Any) -> np.ndarray:
    """Return a column of answers as bool [N]."""
    column = _column(frame, given, what)
    if positive is None:
        return binary(column, what)
    labels = as_labels(column, what).tolist()
    found = np.array([label == positive for label in labels], dtype=bool)
    if not found.any():
        _check_written(labels, what, positive)
    return found


def _check_written(labels: list[Any], what: str, positive: Any) -> None:
    """Refuse true answers without `positive`, and a classifier's that lack it because they are written otherwise."""
    kinds = set(labels)
    shown = ", ".join(map(repr, sorted(kinds, key=str)[:5]))
    if what == "y_true":
        raise ValueError(f"Expected positive={positive!r} among the labels of y_true, which are {shown}, …")
    written = str(positive).strip().casefold()
    other = all(isinstance(label, str) != isinstance(positive, str) for label in kinds)
    if other or any(str(label).strip().casefold() == written for label in kinds):
        raise ValueError(
            f"Expected {what} to be written as y_true is, where positive={positive!r} is a label, got {shown}. None of "
            "them equals it, and every rate would be 0: give both columns the same labels."
        )


def _groups(frame: Any, given: Any, rows: int) -> Groups:
    if isinstance(given, Groups):
        return given
    listed = given if isinstance(given, list | tuple) else ()
    named = [_is_name(frame, each) for each in listed]
    if any(named) and not all(named) and len(listed) != rows:
        _column(frame, str(listed[named.index(False)]), "groups")  # says which columns there are
    if not named or not all(named):
        return Groups.by(_column(frame, given, "groups"))
    columns: Sequence[np.ndarray] = [as_ids(_column(frame, each, "groups"), "group") for each in given]
    return Groups.by([", ".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)])


def _is_name(frame: Any, given: Any) -> bool:
    return frame is not None and isinstance(given, str) and given in _names(frame)


def _names(frame: Any) -> list[Any]:
    if isinstance(frame, list | tuple):
        raise ValueError(
            f"Expected a frame, a data set or a mapping of columns, got a {type(frame).__name__}. Of a list of rows "
            "make pandas.DataFrame(rows)."
        )
    return list(getattr(frame, "column_names", getattr(frame, "columns", frame)))


def _column(frame: Any, given: Any, what: str) -> Any:
    """Return a column by its name in the table, or the values as they were given."""
    if not isinstance(given, str):
        return given
    if not _is_name(frame, given):
        there = "there is no table" if frame is None else f"which has {', '.join(map(repr, _names(frame)))}"
        raise ValueError(f"Expected {what}={given!r} to be a column of the table; {there}.")
    return frame[given]
