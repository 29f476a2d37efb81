"""The exercises of the privacy notebooks: what is right, and what each usual slip means.

They live here so that a notebook's cell does not show the answer beside the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.privacy import noise_multiplier_for


def share_spent(answer: Any, *, spent: float, budget: float) -> Display:
    """Check, in per cent, how much of `budget` was `spent`.

    Examples
    --------
    >>> share_spent(5.5, spent=5.5, budget=8.0)
    ✗ 5.5 % is not it. That is ε itself; the question asks for per cent of the budget.
    """
    slips = {
        spent: "That is ε itself; the question asks for per cent of the budget.",
        33.3: "ε does not add up evenly: the first steps cost most.",
    }
    return check(answer, 100 * spent / budget, rtol=0.02, because=slips, unit="%")


def noise_on_the_mean(answer: Any) -> Display:
    """Check the noise on DP-SGD's released mean for σ = 0.8, C = 0.5 and an expected batch of 200.

    Examples
    --------
    >>> noise_on_the_mean(0.4)
    ✗ 0.4 is not it. That is the noise on the sum; what is released is divided by the batch size.
    """
    sigma, clip_norm, batch_size = 0.8, 0.5, 200
    slips = {
        sigma * clip_norm: "That is the noise on the sum; what is released is divided by the batch size.",
        sigma / batch_size: "The noise scales with C too.",
        clip_norm / batch_size: "The noise scales with σ too.",
        sigma * clip_norm / batch_size**0.5: "Dividing a number by 200 divides its standard deviation by 200.",
    }
    return check(answer, sigma * clip_norm / batch_size, because=slips)


def nearly_the_worst_case(
    gradients: Sequence[float] | Any, clipped_mean: Callable[[Sequence[float]], float]
) -> Display:
    """Check that removing the last of `gradients` moves their `clipped_mean` by more than 1.9.

    Examples
    --------
    >>> nearly_the_worst_case([1.0, 1.0], lambda g: 1.0)
    ✗ [1.0, 1.0] is not it. Expected at least three gradients.
    """
    if gradients is ... or gradients is None:
        return check(..., True)
    try:
        moved = abs(clipped_mean(gradients) - clipped_mean(gradients[:-1])) if len(gradients) > 1 else 0.0
        short = all(abs(gradient) <= 10 for gradient in gradients)
    except (TypeError, ValueError):
        return check(gradients, None, because=[(lambda _: True, "Expected a list of numbers.")])
    slips = [
        (lambda _: len(gradients) < 3, "Expected at least three gradients."),
        (lambda _: not short, "Expected no gradient longer than 10."),
        (
            lambda _: not moved > 1.9,
            f"Leaving out the last moves it by {moved:.2f}, not more than 1.9: both means must be long and opposite.",
        ),
    ]
    right = not any(slip(None) for slip, _ in slips)
    return check(list(gradients), list(gradients) if right else None, because=slips)


def first_sigma_of_decaying_noise(answer: Any) -> Display:
    """Check eDP-SGD's σ₀ for ε = 4, δ = 1e-5, q = 0.032, five epochs of 31 steps and γ = 0.8, by RDP.

    Examples
    --------
    >>> first_sigma_of_decaying_noise(1.89)
    ✗ 1.89 is not it. Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?
    """
    run = dict(epsilon=4.0, sample_rate=0.032, steps=155, delta=1e-5, accountant="rdp")
    right = dict(decay=0.8, steps_per_epoch=31, sensitivity=2.0)
    sigma = noise_multiplier_for(**run, **right)

    def without(*options: str, **changes: Any) -> float:
        return noise_multiplier_for(**{**run, **changes}, **{k: v for k, v in right.items() if k not in options})

    slips = [
        (without("sensitivity"), "Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?"),
        (without("decay"), "That is the constant σ. Later epochs have less noise than the first."),
        (without("decay", "sensitivity"), "Neither the decay nor the sensitivity of micro-batches is in it."),
        (without(accountant="prv"), 'That is the tight accountant\'s; the exercise asks for accountant="rdp".'),
        (sigma * 0.8**4, "That is the last epoch's σ; the question asks for the first."),
    ]
    return check(answer, sigma, rtol=5e-3, because=slips)
