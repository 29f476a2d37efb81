"""What an attack looks at: numbers that a model's losses or logits give, one for each example; larger for a member.

From logits every signal is exact. From a loss L alone, which any model has, e^−L takes the place of the probability of
the true label: for a tagger it is the product of the probabilities of the intent and, in geometric mean, of the tags.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp

from trustlab.columns import as_indices
from trustlab.privacy.membership.attack_inputs import finite

SIGNALS = ("loss", "probability", "logit", "hinge")
SMALLEST = 1e-12  # of a loss: below, rounding decides the logit


def from_losses(losses: Any, signal: str = "logit") -> np.ndarray:
    """Return a signal of losses [...] ≥ 0, in their shape.

    Parameters
    ----------
    losses
        −log p of the true label, in any shape: targets, or targets by reference models.
    signal
        ``"loss"`` (−L), ``"probability"`` (p = e^−L) or ``"logit"`` (log p/(1 − p), about normal over trainings:
        Carlini et al. 2022, section IV.C).

    Raises
    ------
    ValueError
        For a loss that is not finite or below zero, and for ``"hinge"``, which needs logits.

    Examples
    --------
    >>> from_losses([0.1, 2.0]).round(2)
    array([ 2.25, -1.85])
    """
    found = finite(losses, "loss")
    if found.size and found.min() < 0:
        raise ValueError(
            f"Expected losses >= 0, the negative log of a probability, got {found.min():g}. Of another loss take the "
            "attack by loss, on its negative."
        )
    if signal == "loss":
        return -found
    if signal == "probability":
        return np.exp(-found)
    if signal == "logit":
        bounded = np.maximum(found, SMALLEST)
        return -bounded - np.log(-np.expm1(-bounded))
    raise ValueError(f"Expected signal={signal!r} to be 'loss', 'probability' or 'logit'. 'hinge' needs logits.")


def from_logits(logits: Any, labels: Any, signal: str = "logit") -> np.ndarray:
    """Return a signal [N] of logits [N, C] and true labels [N].

    Parameters
    ----------
    signal
        As :func:`from_losses`, and ``"hinge"``: the true label's logit minus the largest of the others.

    Examples
    --------
    >>> from_logits([[1, 2, -3], [-1, 1, 0]], [1, 2], "hinge")
    array([ 1., -1.])
    """
    found = finite(logits, "logit")
    if found.ndim != 2 or found.shape[1] < 2:
        raise ValueError(f"Expected logits of shape [examples, classes >= 2], got {list(found.shape)}.")
    right = as_indices(labels, found.shape[1], "label", repeats=True)
    if len(right) != len(found):
        raise ValueError(f"Expected a label for each of {len(found)} rows of logits, got {len(right)}.")
    rows = np.arange(len(found))
    own, others = found[rows, right], found.copy()
    others[rows, right] = -np.inf
    if signal == "hinge":
        return own - others.max(1)
    odds = own - logsumexp(others, axis=1)  # log p/(1 − p), without 1 − p that could round to 0
    if signal == "logit":
        return odds
    if signal in ("loss", "probability"):
        loss = np.logaddexp(0, -odds)
        return -loss if signal == "loss" else np.exp(-loss)
    raise ValueError(f"Expected signal={signal!r} to be one of {', '.join(map(repr, SIGNALS))}.")
