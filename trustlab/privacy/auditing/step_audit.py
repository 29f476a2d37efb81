"""Audit any training step in one call: what it declares against what it does, and what attacks show of its ε.

The step is taken on a model made for the audit, with examples made for it, so no data and no training are needed; and
where they are given, on a model and examples of yours.

Not seen is what happens on other models or examples only, or only later than some hundred steps; what is in a model's
buffers; noise whose floating-point numbers have gaps; and a divisor that is computed from the number of examples, as
int(q·N), which one example more can change (Opacus, issues 571 and 819): the divisor is taken as given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.privacy.auditing.canaries import canary_scores
from trustlab.privacy.auditing.counts import check_share, check_whole
from trustlab.privacy.auditing.gaussian_curve import mu_epsilon
from trustlab.privacy.auditing.lower_bounds import LowerBound, lower_bound
from trustlab.privacy.auditing.neighbours import finite_check, memory_check, sensitivity_check, sum_check
from trustlab.privacy.auditing.noise_checks import noise_checks
from trustlab.privacy.auditing.own_model import OwnModel, own_model_checks
from trustlab.privacy.auditing.probe import Prober, Step, together
from trustlab.privacy.auditing.report import AuditReport, Check, decided
from trustlab.privacy.auditing.sampler_checks import Sampler, sampler_checks

ALPHA = 1e-4  # of any false accusation: 200 audits of honest steps have one with probability 0.02
SHARE = 30  # more checks than an audit has: each bound may accuse with probability ALPHA / SHARE
BOUNDS = ("one run", "exact tail, Gaussian")
REFUTING = {"noise is Gaussian", "noise between parameters"}  # without these the second bound is not valid


def audit(
    step: Step | Sequence[Step],
    *,
    clip_norm: float,
    noise_multiplier: float,
    expected_batch_size: float,
    sensitivity: float = 1.0,
    delta: float = 1e-5,
    sampler: Sampler | None = None,
    sample_rate: float | None = None,
    examples: int | None = None,
    model: nn.Module | None = None,
    per_example_loss: Callable[..., Tensor] | None = None,
    batch: Any = None,
    canaries: int = 500,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
) -> AuditReport:
    """Compare what a training step declares with what it does, and bound its ε from below.

    Parameters
    ----------
    step
        ``step(model, per_example_loss, batch)`` leaves ``(Σ clipped + noise) / expected_batch_size`` in ``.grad`` of
        the model's parameters: this package's, Opacus' or your own. A list of steps is one for each worker, whose
        results are added; each gets its part of the batch and adds its share of the noise. A step should be built with
        a small `expected_batch_size`, as 8: the batches of the audit are of that order.
    clip_norm, noise_multiplier, expected_batch_size
        C, σ > 0, and the divisor that the step declares.
    sensitivity
        Δ, in units of C: 1 for clipped examples, 2 for clipped means of micro-batches.
    delta
        δ at which ε is bounded.
    sampler, sample_rate, examples
        What draws the batches, the q declared of it, and the number of examples it is made for; see
        :func:`trustlab.privacy.auditing.sampler_checks.sampler_checks`. Without it the sampler is not checked.
    model, per_example_loss, batch
        A model of yours, its losses [B], and two examples or more that a tensor of indices can choose from: the noise
        of each of its tensors is checked too, and how far its examples move the sum. A copy of the model is used.
    canaries, confidence
        Number of canaries for the bounds, and how probable each bound is right.
    alpha
        Probability that an honest step fails any check.
    seed
        Of the audit's own choices, and of torch's generators while it runs; afterwards they are as they were.

    Returns
    -------
    AuditReport
        The bounds are those of one step that sees every example: a training that samples is better than that.

    Raises
    ------
    ValueError
        For options outside their range, or a step that leaves no finite gradient on any batch.

    Examples
    --------
    >>> from trustlab.privacy import private_gradients
    >>> def step(model, loss, batch):
    ...     private_gradients(model, loss, batch, method="dp-sgd", clip_norm=0.5, noise_multiplier=1.0,
    ...                       expected_batch_size=len(batch) or 1)
    >>> report = audit(step, clip_norm=0.5, noise_multiplier=1.0, expected_batch_size=8)
    >>> report.failed
    ('sensitivity', 'noise in each batch')
    """
    steps = [step] if callable(step) else list(step)
    _check(steps, clip_norm, noise_multiplier, expected_batch_size, sensitivity, sampler, sample_rate)
    _check_own(model, per_example_loss, batch)
    check_share("delta", delta)
    check_share("alpha", alpha)
    check_share("confidence", confidence)
    check_whole("canaries", canaries, low=20, means="Each is one coordinate of the probe.")
    sigma, expected = float(noise_multiplier), float(expected_batch_size)
    claimed = mu_epsilon(sensitivity / sigma, delta)
    prober = Prober(steps, clip_norm, expected)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        noise = noise_checks(prober, sigma, expected)
        shown = canary_scores(together(steps), clip_norm, expected, canaries=canaries, seed=seed)
        moved = sensitivity_check(prober, sigma, sensitivity, expected, seed)
        added = sum_check(prober, sigma, sensitivity, seed)
        kept = [memory_check(prober, sigma, seed), finite_check(prober)]
        if model is not None:
            own = OwnModel(steps, model, per_example_loss, batch, clip_norm / expected)
            kept += own_model_checks(own, clip_norm=clip_norm, sigma=sigma, sensitivity=sensitivity, seed=seed)
    how = dict(delta=delta)
    bounds = [lower_bound(*shown, alpha=1 - confidence, method=method, **how) for method in BOUNDS]
    refuted = [lower_bound(*shown, alpha=alpha / SHARE, method=method, **how).epsilon > claimed for method in BOUNDS]
    checks = [moved, added, *noise, *kept]
    p = [alpha / SHARE if found else 1.0 for found in refuted]
    checks += [_bound(*each, claimed) for each in zip(BOUNDS, bounds, p, strict=True)]
    checks += _sampling(sampler, sample_rate, examples, seed)
    declared = dict(clip_norm=clip_norm, noise_multiplier=sigma, expected_batch_size=expected, epsilon=claimed)
    declared |= dict(sensitivity=sensitivity, delta=delta)
    report = AuditReport("step", declared, decided(checks, alpha), tuple(bounds), alpha)
    return replace(report, bounds=report.bounds[:1]) if set(report.failed) & REFUTING else report


def _bound(method: str, bound: LowerBound, p: float, claimed: float) -> Check:
    return Check(
        name=f"ε shown ({method})",
        expected=f"at most {claimed:.3g}, the ε of this step's σ / Δ",
        measured=f"at least {bound.epsilon:.3g}",
        p=p,
        means="An attack shows more than the declared ε allows.",
        do="Look at the checks above first: they say where.",
    )


def _sampling(sampler: Sampler | None, rate: float | None, examples: int | None, seed: int) -> list[Check]:
    if sampler is None:
        return [Check("sampler", "Poisson samples", "no sampler given", math.nan, "", "")]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return sampler_checks(sampler, sample_rate=float(rate), examples=examples)


def _check(
    steps: Sequence[Step],
    clip_norm: float,
    sigma: float,
    expected: float,
    sensitivity: float,
    sampler: Sampler | None,
    rate: float | None,
) -> None:
    """Refuse what cannot be audited, before any step is taken."""
    if not steps or not all(callable(each) for each in steps):
        raise ValueError("Expected a step, or a list of one for each worker, that can be called.")
    if not 0 < sigma < math.inf:
        raise ValueError(f"Expected 0 < noise_multiplier={sigma} < inf. Without noise there is no ε to audit.")
    for name, value in (("clip_norm", clip_norm), ("expected_batch_size", expected), ("sensitivity", sensitivity)):
        if not 0 < value < math.inf:
            raise ValueError(f"Expected 0 < {name}={value} < inf. It is what the step declares.")
    if sampler is not None and (rate is None or not 0 < rate < 1):
        raise ValueError(f"Expected sample_rate={rate} in (0, 1) with a sampler. It is the q that is accounted for.")


def _check_own(model: Any, per_example_loss: Any, batch: Any) -> None:
    given = [each is not None for each in (model, per_example_loss, batch)]
    if any(given) and not all(given):
        raise ValueError(
            "Expected model, per_example_loss and batch together, or none of them: losses are computed from all three."
        )
    if all(given) and len(batch) < 2:
        raise ValueError(f"Expected a batch of 2 examples or more, got {len(batch)}. One is added to the others.")
