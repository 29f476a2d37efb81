"""Who is in the fleet? Every fleet attacked, the others its references, with what the attacker has of each person.

Two attackers. One has the very posts that a person would train on. The other has only posts that no fleet has seen, by
the same person: with these no model can be trained *with* the person, so this attacker is offline LiRA, which asks how
unusual the score is among fleets without them. Both are compared by that attack, so that only the posts differ. The
first can use online LiRA too; where little leaks it finds less, as means of seven models with and seven without a
person differ by chance more than by what leaks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from trustlab.course.n12_membership_inference.attacked import (
    RESAMPLES,
    epsilon_shown,
    joined,
    measured,
    points_above,
    pooled_scores,
)
from trustlab.privacy.membership import Permitted, success

OWN, OTHER = "own", "other"  # the posts that a person would train on; posts of theirs that no fleet has
# What an attacker has, and the attacks that need no more; by the last both are compared.
ATTACKS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    OWN: ("loss", "lira-online", "lira-offline"),
    OTHER: ("loss", "lira-offline"),
})  # fmt: skip
POSTS = (1, 2, 4, 8)  # trained on: the first of each group of people
LOW = (0.001, 0.01)  # FPRs
HEADLINES = ("auc", "tpr_001", "tpr_01")


def column(kind: str, name: str) -> str:
    """Return the column of an attack with the posts of a kind.

    Examples
    --------
    >>> column("other", "lira-offline")
    'other_lira_offline'
    """
    return f"{kind}_{name.replace('-', '_')}"


def attacked(
    people: Mapping[str, np.ndarray], outsiders: np.ndarray, inside: np.ndarray, posts: np.ndarray, allowed: Permitted
) -> dict[str, Any]:
    """Return what every attack reaches against all fleets.

    Parameters
    ----------
    people
        By kind of posts each person's loss by each fleet, [P, K].
    outsiders : [Z, K]
        Losses of posts of people who are in no fleet.
    inside : bool [P, K]
        Who is in which fleet.
    posts : int [P]
        How many posts of each person are trained on.

    Returns
    -------
    dict
        ``points_above``, of all attacks' curves above the permitted one beyond their intervals. For each attack, under
        :func:`column`, AUC, advantage and the TPRs. Of offline LiRA with each kind of posts, with the kind before the
        name: ``auc``, ``tpr_001`` and ``tpr_01``; ``low`` and ``high``, the ends of their intervals over people;
        ``auc_by_posts`` and ``tpr_01_by_posts`` of the groups of :data:`POSTS`; ``epsilon_shown``, the ε it proves.
    """
    row: dict[str, Any] = {"points_above": 0}
    for kind, names in ATTACKS.items():
        for name in names:
            scores = pooled_scores(name, inside.shape[1] - 2, people[kind], inside, outsiders)
            row[column(kind, name)] = measured(scores, inside)[""]
            row["points_above"] += points_above(scores, inside, allowed)
        row |= {f"{kind}_{name}": value for name, value in _compared(scores, inside, posts).items()}
    return row


def _compared(scores: np.ndarray, inside: np.ndarray, posts: np.ndarray) -> dict[str, Any]:
    """Return what is kept of the attack that is compared, besides its curve."""
    low, high = over_people(scores, inside)
    within = np.array([headlines(scores[group], inside[group], LOW[1:]) for group in groups(posts)])
    return {
        **dict(zip(HEADLINES, headlines(scores, inside), strict=True)),
        "low": joined(low),
        "high": joined(high),
        "auc_by_posts": joined(within[:, 0]),
        "tpr_01_by_posts": joined(within[:, 1]),
        "epsilon_shown": epsilon_shown(scores, inside),
    }


def not_attacked() -> dict[str, Any]:
    """Return the columns of :func:`attacked` for what no attack is tried on."""
    row: dict[str, Any] = {"points_above": 0}
    for kind, names in ATTACKS.items():
        row |= {column(kind, name): "none" for name in names}
        row |= {f"{kind}_{name}": math.nan for name in (*HEADLINES, "epsilon_shown")}
        row |= {f"{kind}_{name}": "none" for name in ("low", "high", "auc_by_posts", "tpr_01_by_posts")}
    return row


def over_people(scores: np.ndarray, inside: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % intervals of :data:`HEADLINES`, people resampled with all their scores [P, K].

    A person's scores against different fleets are no independent draws, so they stay together.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(scores), size=len(scores))
        drawn.append(headlines(scores[chosen], inside[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high


def headlines(scores: np.ndarray, inside: np.ndarray, fprs: Sequence[float] = LOW) -> list[float]:
    """Return AUC and TPRs of the pooled scores: :data:`HEADLINES`.

    Of a group of people the TPRs are at a threshold of its own: an accuser knows how much a person wrote.
    """
    auc, _, *tprs = (row["value"] for row in success(scores.ravel(), inside.ravel(), fprs=fprs, resamples=0))
    return [auc, *tprs]


def groups(posts: np.ndarray) -> list[np.ndarray]:
    """Return which people have as many posts as each group of :data:`POSTS` begins with, up to the next.

    Examples
    --------
    >>> [each.tolist() for each in groups(np.array([1, 2, 3, 9]))]
    [[0], [1, 2], [], [3]]
    """
    starts = np.searchsorted(POSTS, posts, side="right") - 1
    return [np.flatnonzero(starts == i) for i in range(len(POSTS))]


def group_names() -> list[str]:
    """Return the groups of people by posts, in words.

    Examples
    --------
    >>> group_names()
    ['1 post', '2 to 3 posts', '4 to 7 posts', '8 posts and more']
    """
    bounded = [f"{low} post" if high == 2 else f"{low} to {high - 1} posts" for low, high in itertools.pairwise(POSTS)]
    return [*bounded, f"{POSTS[-1]} posts and more"]
