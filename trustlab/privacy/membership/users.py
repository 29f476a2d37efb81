"""From examples to people: what a model gives away about all that one user wrote, as one loss.

Whether a *user* was in the training is a question about all their examples together. The evidence is the mean of the
log-odds log p/(1 − p) of the true labels. It is kept as a loss, the L = −log p that has these log-odds, so that every
attack of this package takes users as it takes examples.

The examples need not be those that were trained on. Others by the same user ask whether the *person* took part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_indices
from trustlab.privacy.membership.signals import from_losses


def user_losses(losses: Any, owners: Any, users: int) -> np.ndarray:
    """Return a loss for every user, float64 [U] or [U, K]: the one whose log-odds are the mean of their examples'.

    Parameters
    ----------
    losses : [N] or [N, K]
        −log p ≥ 0 of the true label of each example, by one model or by K of them.
    owners : int [N]
        Whose example it is: numbers below `users`.
    users
        U. Each of them has an example.

    Raises
    ------
    ValueError
        For a loss that is not finite or below zero, an owner that is no user, or a user without an example.

    Examples
    --------
    >>> from trustlab.privacy.membership import from_losses
    >>> losses = [0.1, 2.0, 0.5]
    >>> found = user_losses(losses, [0, 0, 1], users=2)
    >>> from_losses(found).round(2), from_losses(losses).round(2)
    (array([0.2 , 0.43]), array([ 2.25, -1.85,  0.43]))
    """
    odds = from_losses(losses)
    places = as_indices(owners, users, "owner", repeats=True)
    if odds.ndim not in (1, 2) or len(odds) != len(places):
        raise ValueError(
            f"Expected losses of shape [{len(places)}] or [{len(places)}, models], a row for each owner, got "
            f"{list(odds.shape)}."
        )
    counts = np.bincount(places, minlength=users)
    if not counts.all():
        raise ValueError(
            f"Expected an example of each of {users} users, got none of user {int(counts.argmin())}. Without one there "
            "is no evidence about them: leave them out."
        )
    sums = np.zeros((users, *odds.shape[1:]))
    np.add.at(sums, places, odds)
    means = sums / counts.reshape(-1, *[1] * (odds.ndim - 1))
    return np.logaddexp(0, -means)  # −log p of p = 1/(1 + e^−mean)
