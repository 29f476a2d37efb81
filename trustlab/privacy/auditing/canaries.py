"""A tight bound for one step of any engine: m canaries with orthogonal gradients, half of them in the batch.

The step runs on a probe of m numbers, ``weight``, and canary i's gradient is a long vector along coordinate i. Clipped
it has length C, so coordinate i of the noisy sum is C + σC·noise if canary i is in the batch, and σC·noise if it is
not: that is an audit of the step's clipping, scale and noise in one run with m independent canaries.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trustlab.privacy.auditing.counts import Array, check_whole
from trustlab.privacy.auditing.lower_bounds import LowerBound, lower_bound
from trustlab.privacy.auditing.probe import NOT_FINITE, Step, probe_loss

LONG = 100.0  # a canary's gradient before clipping, over C


def audit_step(
    step: Step,
    *,
    clip_norm: float,
    expected_batch_size: float,
    delta: float,
    canaries: int = 1000,
    alpha: float = 0.05,
    method: str = "exact tail, Gaussian",
    seed: int = 0,
) -> LowerBound:
    """Return the ε that one step on orthogonal canaries shows: of the step alone, without credit for sampling.

    Parameters
    ----------
    step
        ``step(model, per_example_loss, batch)`` leaves ``(Σ clipped + noise) / expected_batch_size`` in ``.grad`` of
        the model's parameters. The model is an ``nn.Linear``, the batch a tensor [B, d].
    clip_norm, expected_batch_size
        C and the divisor that the step declares.
    canaries
        m >= 20.
    seed
        Which canaries take part. The step's own noise is its affair.

    Raises
    ------
    ValueError
        For fewer canaries, or a step that leaves no finite gradient.

    Examples
    --------
    >>> from trustlab.privacy import private_gradients
    >>> _ = torch.manual_seed(0)
    >>> options = dict(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, expected_batch_size=500)
    >>> shown = audit_step(lambda model, loss, batch: private_gradients(model, loss, batch, **options),
    ...                    clip_norm=1.0, expected_batch_size=500, delta=1e-5)
    >>> 2.5 < shown.epsilon < 4.38  # the step's ε is 4.377
    True
    """
    scores, included = canary_scores(step, clip_norm, expected_batch_size, canaries=canaries, seed=seed)
    return lower_bound(scores, included, delta=delta, alpha=alpha, method=method)


def canary_scores(
    step: Step, clip_norm: float, divisor: float, *, canaries: int, seed: int
) -> tuple[Array, np.ndarray]:
    """Take one step on orthogonal canaries and return their scores [m] in units of C, and who took part [m].

    Examples
    --------
    >>> from trustlab.privacy import private_gradients
    >>> options = dict(method="dp-sgd", clip_norm=2.0, expected_batch_size=5.0)  # no noise
    >>> scores, included = canary_scores(lambda *batch: private_gradients(*batch, **options), 2.0, 5.0,
    ...                                  canaries=20, seed=0)
    >>> bool((scores.round(3) == included).all())
    True
    """
    check_whole("canaries", canaries, low=20, means="Each is one coordinate of the probe.")
    # NumPy's generator: torch's with the seed of the step's noise would draw the coins from the very same numbers.
    included = np.random.default_rng(seed).random(canaries) < 0.5
    with torch.random.fork_rng(devices=[]):  # nn.Linear's first weights take nothing from the step's noise
        model = nn.Linear(canaries, 1, bias=False)
    batch = (LONG * clip_norm) * torch.eye(canaries)[torch.from_numpy(included)]
    step(model, probe_loss, batch)
    released = model.weight.grad
    if released is None or not released.isfinite().all():
        raise ValueError(NOT_FINITE)
    return (released[0].detach().double() * (divisor / clip_norm)).numpy(), included
