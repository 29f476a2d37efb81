"""How the teacher's prediction for a text and that for its counterfactual become what the student learns.

With p and p̄ the two distributions of the next word (Gupta et al. 2022 write the logits z and z̄):

    none         p
    swap         p̄
    mean         ∝ √(p p̄), the softmax of (z + z̄) / 2
    max          ∝ max(p, p̄)
    expectation  (p + p̄) / 2

Logits are known up to a constant: z and z + 5 are the same prediction. Of max(z, z̄) that is not true, adding 5 to z
alone would give z. So both are made log-probabilities first, always; for the others that changes nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# How a student's targets are made of the teacher's two predictions.
REVERSALS = ("none", "swap", "mean", "max", "expectation")


def reverse(log_p: Tensor, log_p_swapped: Tensor, reversal: str, *, normalised: bool = False) -> Tensor:
    """Return the log-probabilities [..., V] that the student learns from.

    Parameters
    ----------
    log_p, log_p_swapped
        [..., V]: log-probabilities or logits of the next word, of the teacher on the text and on its counterfactual.
    reversal
        One of :data:`REVERSALS`.
    normalised
        Whether both are log-probabilities already: it saves time.

    Raises
    ------
    ValueError
        For another reversal, or predictions of unlike shapes.

    Examples
    --------
    >>> p, q = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]).log()
    >>> for how in REVERSALS:
    ...     print(how, reverse(p, q, how).exp().numpy().round(2))
    none [0.8 0.1 0.1]
    swap [0.2 0.7 0.1]
    mean [0.52 0.35 0.13]
    max [0.5  0.44 0.06]
    expectation [0.5 0.4 0.1]
    """
    if reversal not in REVERSALS:
        raise ValueError(f"Expected reversal={reversal!r} to be one of {', '.join(map(repr, REVERSALS))}.")
    if log_p.shape != log_p_swapped.shape:
        raise ValueError(
            f"Expected two predictions of one shape, got {tuple(log_p.shape)} and {tuple(log_p_swapped.shape)}. Each "
            "place of a text needs its partner in the counterfactual."
        )
    p, q = (each if normalised else each.log_softmax(-1) for each in (log_p, log_p_swapped))
    if reversal == "none":
        return p
    if reversal == "swap":
        return q
    if reversal == "mean":
        return ((p + q) / 2).log_softmax(-1)
    if reversal == "max":
        return torch.maximum(p, q).log_softmax(-1)
    # The logarithm of a sum, in operations that run faster than torch.logaddexp.
    larger, smaller = torch.maximum(p, q), torch.minimum(p, q)
    apart = (smaller - larger).nan_to_num(nan=0.0, neginf=-math.inf)  # both may be -inf
    return larger + apart.exp_().log1p_() - math.log(2)
