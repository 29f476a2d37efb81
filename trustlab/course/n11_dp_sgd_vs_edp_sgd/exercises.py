"""The exercises of notebook 11: what is right, and what each usual slip means.

They are here so that a notebook's cell does not show the answer next to the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints
from trustlab.privacy import noise_multiplier_for


def ghost_norm(answer: Any) -> Display:
    """Check ‖G‖² of an utterance of two words, with x = (1, 2), (0, 1) and δ = (1, 0), (1, 1).

    Examples
    --------
    >>> ghost_norm(7)
    ✗ 7 is not right. You squared each word's gradient alone. Add them before you square: pairs of words count too.
    """
    norm_of_each = 5**0.5 + 2**0.5
    slips = {
        11**0.5: "That is the norm; the question asks for its square.",
        7: "You squared each word's gradient alone. Add them before you square: pairs of words count too.",
        9: "A pair of different words counts twice: as (t, s) and as (s, t).",
        norm_of_each**2: "That would be right if both gradients had the same direction; they do not.",
    }
    return check(answer, 11, because=slips)


def nearly_the_worst_case(
    gradients: Sequence[float] | Any, clipped_mean: Callable[[Sequence[float]], float]
) -> Display:
    """Check that removing the last of `gradients` moves their `clipped_mean` by more than 1.9.

    Examples
    --------
    >>> nearly_the_worst_case([1.0, 1.0], lambda g: 1.0)
    ✗ [1.0, 1.0] is not right. Expected at least three gradients.
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
    """Check eDP-SGD's σ₀ for ε = 4, δ = 1e-5, q = 0.032, five epochs of 31 steps and γ = 0.8.

    Examples
    --------
    >>> first_sigma_of_decaying_noise(1.746)
    ✗ 1.746 is not right. Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?
    """
    run = dict(epsilon=4.0, sample_rate=0.032, steps=155, delta=1e-5)
    right = dict(decay=0.8, steps_per_epoch=31, sensitivity=2.0)
    sigma = noise_multiplier_for(**run, **right)

    def without(*options: str, **changes: Any) -> float:
        return noise_multiplier_for(**{**run, **changes}, **{k: v for k, v in right.items() if k not in options})

    slips = [
        (without("sensitivity"), "Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?"),
        (without("decay"), "That is the constant σ. Later epochs have less noise than the first."),
        (without("decay", "sensitivity"), "Neither the decay nor the sensitivity of micro-batches is in it."),
        (without(accountant="rdp"), "That is a looser accountant's, RDP: safe, and more noise than needed."),
        (sigma * 0.8**4, "That is the last epoch's σ; the question asks for the first."),
    ]
    return check(answer, sigma, rtol=5e-3, because=slips)


hints = Hints({
    ghost_norm: (
        "Four terms: (t, s) = (1, 1), (1, 2), (2, 1), (2, 2). Each is (δ_t·δ_s)(x_t·x_s).",
        "δ₁·δ₂ = 1 and x₁·x₂ = 2, so that the two words have 2 in common, and it counts twice.",
        "In code: `((Delta @ Delta.T) * (X @ X.T)).sum()`.",
    ),
    nearly_the_worst_case: (
        "Without the last one the mean must be near −1 or beyond.",
        "With the last one it must be near +1 or beyond: how large must it be to outweigh the others?",
    ),
    first_sigma_of_decaying_noise: (
        "`help(noise_multiplier_for)` lists `decay` and `steps_per_epoch`.",
        "Five epochs of 31 steps are `steps=155`.",
        "Micro-batches have `sensitivity=2.0`.",
    ),
})  # fmt: skip
