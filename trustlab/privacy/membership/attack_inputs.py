"""What every attack takes, checked in one place: who is a member, scores of targets, and scores by reference models.

An attack is measured on examples of which about half were in the training, and whose membership is known to the one who
measures. N targets, K reference models, A augmentations (rewritings) of each target, usually one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_mask
from trustlab.containers import opened

FEWEST = 20  # members, and non-members: with fewer, one example moves a rate by more than 5 %


def member_mask(members: Any, non_members: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of two groups of examples as one column, and which of them are members.

    Parameters
    ----------
    members, non_members
        An id for each example that was in the training, and for each that was not: numbers or texts.

    Returns
    -------
    ids : [M + N]
        Members first.
    mask : bool [M + N]

    Raises
    ------
    ValueError
        If a group has fewer than :data:`FEWEST` examples, an id occurs twice, or one is in both groups.

    Examples
    --------
    >>> ids, mask = member_mask(range(30), range(30, 70))
    >>> len(ids), int(mask.sum())
    (70, 30)
    >>> member_mask(range(30), range(29, 70))
    Traceback (most recent call last):
    ...
    ValueError: Expected members and non-members to be different examples, got 29 in both groups. An example that was \
trained on is a member: take it out of the non-members.
    """
    own, others = as_ids(members, "member"), as_ids(non_members, "non-member")
    for name, group in (("member", own), ("non-member", others)):
        distinct, counts = np.unique(group, return_counts=True)
        if len(distinct) < len(group):
            raise ValueError(
                f"Expected every {name} once, got {distinct[counts > 1][0]} several times. Copies of one example "
                "would be counted as independent successes: keep one of each."
            )
    both = np.intersect1d(own, others)
    if len(both):
        more = f" and {len(both) - 1} more" if len(both) > 1 else ""
        raise ValueError(
            f"Expected members and non-members to be different examples, got {both[0]}{more} in both groups. An "
            "example that was trained on is a member: take it out of the non-members."
        )
    mask = np.arange(len(own) + len(others)) < len(own)
    return np.concatenate([own, others]), known_members(mask, len(mask))


def known_members(members: Any, rows: int) -> np.ndarray:
    """Return who is a member, bool [N]; refuse fewer than :data:`FEWEST` members or non-members.

    Examples
    --------
    >>> known_members([True] * 30 + [False] * 3, 33)
    Traceback (most recent call last):
    ...
    ValueError: Expected at least 20 members and 20 non-members, got 30 and 3. With fewer a rate says nothing: ...
    """
    mask = as_mask(members, rows, "membership")
    inside = int(mask.sum())
    if min(inside, len(mask) - inside) < FEWEST:
        raise ValueError(
            f"Expected at least {FEWEST} members and {FEWEST} non-members, got {inside} and {len(mask) - inside}. "
            "With fewer a rate says nothing: hold more examples out, or pool several trainings."
        )
    return mask


def reference_scores(values: Any, in_reference: Any, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets' scores by every reference model, float64 [N, K, A], and which model had which, bool [N, K].

    Parameters
    ----------
    values : [N, K] or [N, K, A]
        Finite numbers.
    in_reference : [N, K]
        True where the target was in the reference model's training.

    Raises
    ------
    ValueError
        For another shape, a number that is not finite, or a mask of numbers.
    """
    found = finite(values, "reference score")
    if found.ndim == 2:
        found = found[:, :, None]
    if found.ndim != 3 or len(found) != targets or not found.shape[1]:
        raise ValueError(
            f"Expected reference scores of shape [{targets}, K], a row for each target and a column for each reference "
            f"model, got {list(np.shape(values))}. Transpose them if there is a row for each model."
        )
    inside = np.asarray(opened(in_reference, "membership"))
    if inside.dtype != bool or inside.shape != found.shape[:2]:
        raise ValueError(
            f"Expected in_reference to be True and False of shape {list(found.shape[:2])}, got {inside.dtype} "
            f"{list(inside.shape)}. It says which target was in which reference model's training."
        )
    return found, inside


def finite(values: Any, what: str) -> np.ndarray:
    """Return finite numbers of any shape, float64.

    Raises
    ------
    ValueError
        Naming the first place without one.

    Examples
    --------
    >>> finite([[0.1, float("inf")]], "loss")
    Traceback (most recent call last):
    ...
    ValueError: Expected every loss to be a finite number, got inf at [0, 1]. A training that diverged, or ...
    """
    found = np.asarray(opened(values, what))
    if found.dtype.kind not in "fiu":
        raise ValueError(f"Expected {what}s that are numbers, got {found.dtype}. Convert them first.")
    found = found.astype(np.float64)
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        raise ValueError(
            f"Expected every {what} to be a finite number, got {found[tuple(bad[0])]:g} at {bad[0].tolist()}. A "
            "training that diverged, or a probability of 0, is no evidence: leave the example or the model out."
        )
    return found
