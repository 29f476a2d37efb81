"""Thirty-six made-up people who ask for a loan: a score, whether each would pay back, and a decision to count."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np
import pandas

# Scores in per cent, none on a threshold. Who would pay back is known here because the people are made up.
HILL_PAY = (28, 37, 42, 48, 52, 53, 58, 62, 63, 67, 72, 73, 78, 83, 88, 92)
HILL_NOT = (12, 17, 22, 33, 38, 43, 47, 57)
VALLEY_PAY = (33, 43, 48, 57, 68, 77)
VALLEY_NOT = (13, 18, 23, 32, 42, 52)
HILL, VALLEY = "hill", "valley"
GROUPS = (HILL, VALLEY)
# The people that a rate is about: those who would pay back, those who would not, or everybody.
RATES = MappingProxyType({
    "true_positive_rate": "of those who would pay back",
    "false_positive_rate": "of those who would not",
    "selection_rate": "of everybody",
})  # fmt: skip


def people() -> pandas.DataFrame:
    """Return one row per person: ``group``, ``score`` from 0 to 1, and ``pays``, whether the loan would be paid back.

    Examples
    --------
    >>> people().groupby("group").size().to_dict(), int(people().pays.sum())
    ({'hill': 24, 'valley': 12}, 22)
    """
    parts = (HILL, HILL_PAY, True), (HILL, HILL_NOT, False), (VALLEY, VALLEY_PAY, True), (VALLEY, VALLEY_NOT, False)
    rows = [{"group": group, "score": score / 100, "pays": pays} for group, scores, pays in parts for score in scores]
    return pandas.DataFrame(rows)


def asked_about(table: pandas.DataFrame, rate: str) -> np.ndarray:
    """Return the people that `rate` is about, bool [N]."""
    if rate == "selection_rate":
        return np.ones(len(table), dtype=bool)
    return (table.pays if rate == "true_positive_rate" else ~table.pays).to_numpy()


def moved(table: pandas.DataFrame, group: str, threshold: float, rate: str) -> tuple[pandas.DataFrame, int]:
    """Return the people after one of `group` has changed sides, and the row of that person.

    It is the one below the threshold who is nearest to it, among those that the rate is about; where no one is below,
    the nearest above.

    Examples
    --------
    >>> after, who = moved(people(), "valley", 0.5, "true_positive_rate")
    >>> float(people().score[who]), float(after.score[who])
    (0.48, 0.51)
    """
    among = np.flatnonzero(asked_about(table, rate) & (table.group == group).to_numpy())
    distance = table.score.to_numpy()[among] - threshold
    below = distance < 0
    near = among[below][np.argmax(distance[below])] if below.any() else among[np.argmin(distance)]
    after = table.copy()
    after.loc[near, "score"] = threshold + (0.01 if below.any() else -0.01)
    return after, int(near)


def counts(table: pandas.DataFrame, threshold: float) -> dict[str, dict[str, int]]:
    """Return the four counts of each group.

    Examples
    --------
    >>> counts(people(), 0.5)["valley"]
    {'pays, loan': 3, 'pays, no loan': 3, 'does not, loan': 1, 'does not, no loan': 5}
    """
    loan = table.score >= threshold
    found = {}
    for group in GROUPS:
        here = table.group == group
        cells = {"pays": table.pays, "does not": ~table.pays}
        found[group] = {
            f"{would}, {gets}": int((here & of & got).sum())
            for would, of in cells.items()
            for gets, got in (("loan", loan), ("no loan", ~loan))
        }
    return found


def shares(table: pandas.DataFrame, threshold: float, rate: str) -> dict[str, tuple[int, int]]:
    """Return for each group how many get a loan, and of how many people.

    Examples
    --------
    >>> shares(people(), 0.5, "true_positive_rate")
    {'hill': (12, 16), 'valley': (3, 6)}
    """
    among = asked_about(table, rate)
    loan = (table.score >= threshold).to_numpy()
    of = {group: among & (table.group == group).to_numpy() for group in GROUPS}
    return {group: (int((loan & mask).sum()), int(mask.sum())) for group, mask in of.items()}


def gap(found: dict[str, tuple[int, int]]) -> float:
    """Return the largest minus the smallest share.

    Examples
    --------
    >>> gap({"hill": (12, 16), "valley": (3, 6)})
    0.25
    """
    rates = [got / of for got, of in found.values()]
    return max(rates) - min(rates)


def whole(share: float) -> int:
    """Return a share in whole per cent, halves rounded up: 12.5 is 13, however the share was computed.

    Examples
    --------
    >>> whole(0.125), whole(2 / 3)
    (13, 67)
    """
    return math.floor(100 * share + 0.5 + 1e-9)
